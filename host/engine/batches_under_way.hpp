// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>

namespace weir::engine {

/**
 * How many batches of a process's domains run now, and how many of its domains have more to do than they get done. A domain may always
 * have one batch; further shards of it begin theirs only while processors are left for them: where every domain is busy, batches side by
 * side cost memory and switches, and gain nothing (decision 0015). And what each domain holds in memory is bounded by less where several
 * are busy (decision 0061). All functions are thread-safe; the bound is not exact where domains begin at the same moment.
 */
class BatchesUnderWay {
public:
    /// @param processors how many batches are worth running at once, at least two: one waits for the store while the other computes
    explicit BatchesUnderWay(unsigned processors = std::thread::hardware_concurrency()) : limit_(std::max(2U, processors)) {}

    void begin() noexcept { ++count_; }
    void end() noexcept { --count_; }
    bool has_room() const noexcept { return count_ < limit_; }

    /// Whether so many domains are busy that one batch of each is all that is worth running.
    bool is_one_each() const noexcept { return busy_ >= limit_; }
    /// Whether so many domains are busy that each has to do with less memory.
    bool is_crowded() const noexcept { return busy_ > kRoomy; }

    /// One domain's word on whether it is busy, as long as it lives. One thread.
    class Busy {
    public:
        explicit Busy(std::shared_ptr<BatchesUnderWay> all) : all_(std::move(all)) {}
        ~Busy() { say(false); }
        Busy(const Busy &) = delete;
        Busy &operator=(const Busy &) = delete;

        void say(bool busy) noexcept {
            if (busy != said_) {
                said_ = busy;
                all_->busy_ += busy ? 1U : -1U;
            }
        }

    private:
        const std::shared_ptr<BatchesUnderWay> all_;
        bool said_ = false;
    };

private:
    static constexpr unsigned kRoomy = 2;

    const unsigned limit_;
    std::atomic<unsigned> count_{0};
    std::atomic<unsigned> busy_{0};
};

} // namespace weir::engine
