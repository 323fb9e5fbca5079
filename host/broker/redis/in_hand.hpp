// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"

#include <deque>
#include <optional>
#include <vector>

namespace weir::broker::redis {

/// The entries of one stream that a consumer has been given and the server has not yet heard acknowledged. Entries come almost in order and
/// go almost in order, so this is a queue; one that stays for long costs those behind it nothing.
class InHand {
public:
    void add(Position position);
    bool contains(Position position) const;
    /// Forgets one; one that isn't there is no error.
    void acknowledge(Position position);
    std::optional<Position> oldest() const;
    std::size_t size() const { return open_; }
    void clear();

private:
    struct Entry {
        Position position;
        bool done = false;
    };
    std::deque<Entry>::iterator find(Position position);
    void sweep();

    std::deque<Entry> entries_; ///< by position; the first is not done
    std::size_t open_ = 0;
};

} // namespace weir::broker::redis
