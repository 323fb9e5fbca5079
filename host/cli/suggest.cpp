// SPDX-License-Identifier: Apache-2.0
#include "suggest.hpp"

#include <algorithm>
#include <numeric>

namespace weir::cli {

namespace {

/// Letters to insert, leave out or change (Levenshtein).
std::size_t distance(std::string_view left, std::string_view right) {
    std::vector<std::size_t> row(right.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= left.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= right.size(); ++j) {
            const std::size_t changed = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
        }
    }
    return row.back();
}

} // namespace

std::string nearest(std::string_view word, const std::vector<std::string> &candidates) {
    constexpr std::size_t kLongest = 64; // nobody types a longer word by mistake, and the cost is quadratic
    if (word.size() < 2 || word.size() > kLongest) {
        return {};
    }
    std::string best;
    std::size_t least = word.size() / 3 + 2;
    for (const std::string &candidate : candidates) {
        const std::size_t apart = candidate.starts_with(word) ? 1 : distance(word, candidate);
        if (apart < least && apart < candidate.size()) {
            least = apart;
            best = candidate;
        }
    }
    return best;
}

} // namespace weir::cli
