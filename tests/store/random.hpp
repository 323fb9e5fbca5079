// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace weir::test {

/// A seeded source of choices; the same seed makes the same choices on every machine.
class Random {
public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}
    /// 0 .. count - 1
    std::size_t below(std::size_t count) { return static_cast<std::size_t>(engine_() % count); }
    std::size_t between(std::size_t least, std::size_t most) { return least + below(most - least + 1); }
    bool chance(unsigned percent) { return below(100) < percent; }
    template <class T> const T &pick(const std::vector<T> &from) { return from[below(from.size())]; }
    std::uint64_t bits() { return engine_(); }

private:
    std::mt19937_64 engine_;
};

} // namespace weir::test
