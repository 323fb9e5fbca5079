// SPDX-License-Identifier: Apache-2.0
#include "in_hand.hpp"

#include <algorithm>

namespace weir::broker::redis {

namespace {
constexpr std::size_t kSweepAt = 4096; ///< entries that are done and stand behind one that is not
} // namespace

std::deque<InHand::Entry>::iterator InHand::find(Position position) {
    return std::lower_bound(entries_.begin(), entries_.end(), position,
                            [](const Entry &entry, const Position &wanted) { return entry.position < wanted; });
}

void InHand::add(Position position) {
    if (entries_.empty() || entries_.back().position < position) {
        entries_.push_back({position});
        ++open_;
        return;
    }
    const auto at = find(position);
    if (at == entries_.end() || at->position != position) {
        entries_.insert(at, {position});
        ++open_;
    } else if (at->done) {
        at->done = false;
        ++open_;
    }
}

bool InHand::contains(Position position) const {
    if (entries_.empty() || entries_.back().position < position) {
        return false;
    }
    const auto at = const_cast<InHand *>(this)->find(position);
    return at != entries_.end() && at->position == position && !at->done;
}

void InHand::acknowledge(Position position) {
    const auto at = find(position);
    if (at == entries_.end() || at->position != position || at->done) {
        return;
    }
    at->done = true;
    --open_;
    while (!entries_.empty() && entries_.front().done) {
        entries_.pop_front();
    }
    if (entries_.size() > 2 * open_ + kSweepAt) {
        sweep();
    }
}

void InHand::sweep() {
    entries_.erase(std::remove_if(entries_.begin(), entries_.end(), [](const Entry &entry) { return entry.done; }), entries_.end());
}

std::optional<Position> InHand::oldest() const { return entries_.empty() ? std::nullopt : std::optional(entries_.front().position); }

void InHand::clear() {
    entries_.clear();
    open_ = 0;
}

} // namespace weir::broker::redis
