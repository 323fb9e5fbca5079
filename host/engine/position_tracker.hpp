// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/message.hpp"

#include <deque>
#include <optional>

namespace weir::engine {

/// Follows how far a partition is decided without a gap. Messages are seen in the order in which they were read. Not thread-safe.
class PositionTracker {
public:
    void seen(const event::Position &position) {
        if (open_.empty() || open_.back().position < position) {
            open_.push_back({position, false});
        }
    }
    void decided(const event::Position &position);
    /// The last position up to which everything that was seen is decided; nothing before the first.
    const std::optional<event::Position> &through() const { return through_; }

private:
    struct Seen {
        event::Position position;
        bool decided;
    };
    std::deque<Seen> open_; // ascending
    std::optional<event::Position> through_;
};

} // namespace weir::engine
