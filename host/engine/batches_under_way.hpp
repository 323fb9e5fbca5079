// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <thread>

namespace weir::engine {

/**
 * How many batches of a process's domains run now. A domain may always have one; further shards of it begin theirs only while processors
 * are left for them: where every domain is busy, batches side by side cost memory and switches, and gain nothing (decision 0015). All
 * functions are thread-safe; the bound is not exact where domains begin at the same moment.
 */
class BatchesUnderWay {
public:
    /// @param processors how many batches are worth running at once, at least two: one waits for the store while the other computes
    explicit BatchesUnderWay(unsigned processors = std::thread::hardware_concurrency()) : limit_(std::max(2U, processors)) {}

    void begin() noexcept { ++count_; }
    void end() noexcept { --count_; }
    bool has_room() const noexcept { return count_ < limit_; }

private:
    const unsigned limit_;
    std::atomic<unsigned> count_{0};
};

} // namespace weir::engine
