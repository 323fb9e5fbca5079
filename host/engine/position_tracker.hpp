// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/message.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <span>

namespace weir::engine {

/// Follows how far a partition is decided without a gap. Messages are seen in the order in which they were read. Keeps what is undecided
/// alone, so that one event that waits for long costs nothing for those after it. Not thread-safe.
class PositionTracker {
public:
    void seen(const event::Position &position) {
        if (!last_ || *last_ < position) {
            undecided_.emplace_hint(undecided_.end(), position, last_);
            last_ = position;
        }
    }
    void decided(const event::Position &position) { undecided_.erase(position); }
    /// The last position up to which everything that was seen is decided; nothing before the first.
    std::optional<event::Position> through() const { return undecided_.empty() ? last_ : undecided_.begin()->second; }
    /// What `through` will say when these are decided as well. @param more ascending
    std::optional<event::Position> through_with(std::span<const event::Position> more) const {
        for (const auto &[position, before] : undecided_) {
            const auto found = std::lower_bound(more.begin(), more.end(), position);
            if (found == more.end() || *found != position) {
                return before;
            }
            more = more.subspan(static_cast<std::size_t>(found - more.begin()) + 1);
        }
        return last_;
    }

private:
    std::map<event::Position, std::optional<event::Position>> undecided_; // with the position seen before each
    std::optional<event::Position> last_;
};

} // namespace weir::engine
