// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace weir::http {

/// How many of something there are, in all and for each client (`share_of` its address), and whether one more may be. Not thread-safe.
class Shares {
public:
    enum class Entry : std::uint8_t { taken, full, share_full };

    struct Entered {
        Entry entry = Entry::taken;
        bool is_news = false; ///< refused for the first time since this bound was last well out of reach
    };

    /// @param most of all clients @param most_per_share of this one; 0: no bound of its own
    Entered enter(const std::string &share, std::size_t most, std::size_t most_per_share) {
        if (all_.count >= most) {
            return {Entry::full, all_.refuse(most)};
        }
        if (const auto known = by_share_.find(share);
            most_per_share != 0 && known != by_share_.end() && known->second.count >= most_per_share) {
            return {Entry::share_full, known->second.refuse(most_per_share)};
        }
        ++by_share_[share].count;
        ++all_.count;
        return {};
    }

    /// One that was taken is gone. @return false where this client has none, and nothing has changed
    bool leave(const std::string &share) {
        const auto known = by_share_.find(share);
        if (known == by_share_.end()) {
            return false;
        }
        all_.leave();
        known->second.leave();
        if (known->second.count == 0) {
            by_share_.erase(known);
        }
        return true;
    }

private:
    struct Tally {
        std::size_t count = 0;
        std::size_t refused_at = 0; ///< the bound that was reached; forgotten below seven eighths of it
        bool is_refusing = false;

        bool refuse(std::size_t most) {
            refused_at = most;
            return !std::exchange(is_refusing, true);
        }
        void leave() {
            --count;
            is_refusing = is_refusing && count * 8 > refused_at * 7;
        }
    };

    Tally all_;
    std::map<std::string, Tally> by_share_;
};

} // namespace weir::http
