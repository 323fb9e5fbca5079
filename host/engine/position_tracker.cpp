// SPDX-License-Identifier: Apache-2.0
#include "engine/position_tracker.hpp"

#include <algorithm>

namespace weir::engine {

void PositionTracker::decided(const event::Position &position) {
    const auto at = std::lower_bound(open_.begin(), open_.end(), position,
                                     [](const Seen &seen, const event::Position &wanted) { return seen.position < wanted; });
    if (at != open_.end() && at->position == position) {
        at->decided = true;
    }
    while (!open_.empty() && open_.front().decided) {
        through_ = open_.front().position;
        open_.pop_front();
    }
}

} // namespace weir::engine
