// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::operations {

struct Sources;

/// Why a host isn't ready: the domain, and a sentence.
struct NotReady {
    std::string domain; ///< empty: the host as a whole
    std::string reason;
};

/// Notes how a domain's lag and its commits go, and says when the one grows without the other. Not thread-safe.
class Progress {
public:
    using Clock = std::chrono::steady_clock;

    /// @param batches that the domain has committed so far @param lag messages that its group was never given
    /// @return a sentence where the lag has grown for longer than `limit` while nothing was committed; else empty
    std::string look(const std::string &domain, std::uint64_t batches, std::uint64_t lag, Clock::time_point now,
                     std::chrono::milliseconds limit);

private:
    struct Seen {
        std::uint64_t batches = 0;
        std::uint64_t lag = 0;
        std::optional<Clock::time_point> grown; ///< when it was first seen to be greater than `lag`
    };
    std::map<std::string, Seen> seen_;
};

/**
 * Says whether every domain is served: it says so itself, its broker and the store answer, and it gets on. Servers are asked by threads of
 * their own, one each, at most once a second and only while somebody asks here, so that one that hangs is named instead of waited for.
 * Thread-safe.
 */
class Readiness {
public:
    explicit Readiness(std::shared_ptr<const Sources> sources);
    ~Readiness(); ///< waits for questions that are under way
    Readiness(const Readiness &) = delete;
    Readiness &operator=(const Readiness &) = delete;

    /// Empty where the host is ready. Takes two seconds at most.
    std::vector<NotReady> ask();

    /// The host has looked for its plugins: from now on one without domains is ready.
    void started();
    /// From now on the host is not ready: it stops.
    void stopping();

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace weir::operations
