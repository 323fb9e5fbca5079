// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weir::operations {

struct Sources;

/// Why a host isn't ready: the domain, and a sentence.
struct NotReady {
    std::string domain; ///< empty: the host as a whole
    std::string reason;
};

/// What a domain has to do on this host, and what it has done.
struct Work {
    std::uint64_t settled = 0;               ///< events decided so far, and runs that ended in a retry
    std::size_t in_hand = 0;                 ///< events in memory that wait for nothing but their batch: not for a retry
    std::uint64_t backlog = 0;               ///< messages that its group was never given, of partitions that this host reads
    bool shared = false;                     ///< other hosts may take of `backlog` what this one doesn't
    std::vector<broker::Partition> leased{}; ///< by which it is known what `backlog` is of
};

/// Notes how domains get on, and says where one stands still that has something to do. Not thread-safe.
class Progress {
public:
    using Clock = std::chrono::steady_clock;

    /// @return a sentence where there was work at each look for `limit` or longer, and nothing of it was settled; else empty
    std::string look(const std::string &domain, const Work &work, Clock::time_point now, std::chrono::milliseconds limit);

    /// The domain can't be looked at, or need not be, for now: its time begins anew.
    void forget(const std::string &domain) { seen_.erase(domain); }

private:
    struct Seen {
        Work work;
        Clock::time_point since;
    };
    std::map<std::string, Seen> seen_; ///< those that had work at the last look
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
