// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/handler_lane.hpp"
#include "engine/work.hpp"
#include "store/store.hpp"

#include <span>
#include <unordered_set>
#include <vector>

namespace weir::engine {

/**
 * Brings a batch's events to their rows within a transaction that is open: handlers, fold, flush. Where the store refuses the data of a
 * batch, it is halved in topic order: the left half settles in its savepoint, then the right half's handlers run again. What fails alone
 * after all its predecessors is dead.
 */
class Settlement {
public:
    Settlement(store::Session &session, const plugin::Description &description, HandlerLanes &lanes);

    /// @return what each event came to; changes are flushed, nothing else is written
    std::vector<Ran> settle(std::span<const WorkPtr> work);

    /// Which of them were turned away by a guard, by index. After `settle`.
    const std::vector<bool> &stale() const { return stale_; }

private:
    struct Verdict {
        enum class Kind : std::uint8_t { settled, culprit, refused } kind = Kind::settled;
        std::size_t culprit = 0;
        std::string reason;
    };
    void settle_range(std::size_t first, std::size_t last, int depth);
    Verdict try_range(std::size_t first, std::size_t last, int depth);
    void prefetch(store::BatchRows &rows, std::size_t first, std::size_t last) const;
    void bury(std::size_t index, std::string type, std::string reason);
    std::unordered_set<std::string> blocked_before(std::size_t index) const;

    store::Session &session_;
    const plugin::Description &description_;
    HandlerLanes &lanes_;
    std::span<const WorkPtr> work_;
    std::vector<Ran> ran_;
    std::vector<bool> stale_;
};

} // namespace weir::engine
