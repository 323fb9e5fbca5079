// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::engine {

/// How many observations fell into each of a few ranges, which are a factor of about three apart: 1, 3, 10, 30, ... times the least bound.
/// A copy is an array's; not thread-safe.
class Histogram {
public:
    static constexpr std::size_t kBuckets = 12; ///< the last one has no bound

    explicit constexpr Histogram(double least_bound = 1) noexcept : least_bound_(least_bound) {}

    void observe(double value) noexcept {
        std::size_t at = 0;
        while (at + 1 < kBuckets && value > bound(at)) {
            ++at;
        }
        ++counts_[at];
        sum_ += value;
    }

    /// The greatest value of a bucket. Of the last one: the least that it doesn't hold, in a manner of speaking; it has none.
    constexpr double bound(std::size_t bucket) const noexcept {
        double bound = least_bound_;
        for (std::size_t at = 0; at < bucket / 2; ++at) {
            bound *= 10;
        }
        return bucket % 2 == 0 ? bound : bound * 3;
    }
    std::uint64_t count(std::size_t bucket) const noexcept { return counts_[bucket]; }
    double sum() const noexcept { return sum_; }

    Histogram &operator+=(const Histogram &other) noexcept {
        for (std::size_t at = 0; at < kBuckets; ++at) {
            counts_[at] += other.counts_[at];
        }
        sum_ += other.sum_;
        return *this;
    }

private:
    double least_bound_;
    double sum_ = 0;
    std::array<std::uint64_t, kBuckets> counts_{};
};

} // namespace weir::engine
