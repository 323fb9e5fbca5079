// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends.hpp"

#include "engine/domain.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

/// What was said of a domain at last, and when: where nothing was yet, when it was asked for first.
template <typename Answer> struct LastSaid {
    std::optional<Answer> answer;
    std::chrono::steady_clock::time_point at;
};

/// What broker and store said of a domain, each as long ago as it is.
struct DomainSample {
    LastSaid<std::vector<broker::PartitionLag>> lag;
    LastSaid<store::Figures> store;
    bool parallel = false; ///< whether every host of the domain reads all of its partitions
};

/// Samples of all domains, by name.
struct Samples {
    std::map<std::string, DomainSample> domains;
    std::chrono::steady_clock::time_point taken =
        std::chrono::steady_clock::time_point::min(); ///< asked, with or without answers; min: never
};

/**
 * Asks broker and store about domains, for those who watch a host (`/metrics`, `weir status`): on a thread and on connections of its own,
 * and only when somebody wants to know. A server that is away holds up the thread, and nobody else. Thread-safe.
 */
class Sampler {
public:
    /// @param domains those to be asked about, each time; called on the sampler's thread
    /// @param brokers, store outlive this
    Sampler(const Brokers &brokers, store::Store &store, std::function<std::vector<engine::DomainSpec>()> domains);
    ~Sampler(); ///< waits for a question that is under way
    Sampler(const Sampler &) = delete;
    Sampler &operator=(const Sampler &) = delete;

    /// Asks nothing more. @return whether the question that was under way, if any, has ended in time; where it hasn't, this can't be taken
    /// down
    bool end_by(std::chrono::steady_clock::time_point deadline);

    /// Samples that were asked for no longer ago than `max_age`, where they can be had within `patience`; else the last ones, however old.
    std::shared_ptr<const Samples> get(std::chrono::milliseconds max_age, std::chrono::milliseconds patience);

private:
    class Thread;
    std::unique_ptr<Thread> thread_;
};

} // namespace weir::cli
