// SPDX-License-Identifier: Apache-2.0
// What a settlement does with a batch that the store refuses.
#include "engine/settlement.hpp"

#include "engine/kill_point.hpp"
#include "refused_rows.hpp"

#include <algorithm>

namespace weir::engine {

namespace {

// Guesses may name the wrong events for good where the store looks at more than a row by itself; then halving gets there. What the store
// names is believed for less long, since a search may do better.
constexpr std::size_t kWrongGuessesMost = 2;
constexpr std::size_t kWrongNamesMost = 1;

constexpr const char *kDataRefused = "data_refused";

} // namespace

bool Settlement::waits(std::size_t index) const {
    // One whose fate is unknown was not reached, and is held as well.
    const bool to_run = fates_[index] == Fate::open || fates_[index] == Fate::unknown;
    return to_run && (ran_[index].state != Ran::State::finished || ran_[index].result.status == WEIR_RETRY);
}

// Whether it has read what is another row now.
bool Settlement::has_to_run_again(std::size_t index) const {
    return fates_[index] == Fate::open && ran_[index].state == Ran::State::finished && !rows_->holds(index);
}

// Keys that wait because of what has been settled so far.
std::unordered_set<std::string> Settlement::blocked_before(std::size_t index) const {
    std::unordered_set<std::string> blocked;
    for (std::size_t i = 0; i < index; ++i) {
        if (waits(i) && !work_[i]->order_key.empty()) {
            blocked.insert(work_[i]->order_key);
        }
    }
    return blocked;
}

void Settlement::settle_range(std::size_t first, std::size_t last) {
    while (first < last) {
        fold_again(first, last);
        first = settle_folded(first, last, rows_->finish());
    }
}

// @return the first that is still to be settled
std::size_t Settlement::settle_folded(std::size_t first, std::size_t last, std::vector<store::TableFlush> flush) {
    const Verdict verdict = write(first, last, std::move(flush));
    if (verdict.kind == Verdict::Kind::settled) {
        return last;
    }
    if (verdict.kind == Verdict::Kind::refused || last - first == 1) {
        divide(first, last, verdict);
        return last;
    }
    settle_range(first, verdict.culprit); // any number of invalid ones, and no deeper for each
    settle_range(verdict.culprit, verdict.culprit + 1);
    return verdict.culprit + 1;
}

void Settlement::divide(std::size_t first, std::size_t last, const Verdict &verdict) {
    if (last - first == 1) {
        bury(first, verdict.kind == Verdict::Kind::invalid ? "invalid_change" : kDataRefused, verdict.reason);
        rows_->forget(first);
        return;
    }
    const std::vector<std::size_t> named = suspects(first, last, verdict);
    if (named.empty()) {
        const std::size_t middle = first + (last - first) / 2;
        settle_range(first, middle);
        settle_range(middle, last);
        return;
    }
    for (const std::size_t suspect : named) {
        const std::size_t next = suspect == named.back() ? settle_around(first, suspect, last) : first;
        if (next == last) {
            return;
        }
        if (next == first) {
            settle_up_to(first, suspect);
        }
        wrong_guesses_ += ran_[suspect].result.status == WEIR_REJECT ? 0 : 1;
        first = suspect + 1;
    }
    settle_range(first, last);
}

// What stands before a suspect, the suspect, and what stands behind it as if the suspect were dead, in one trip to the store: the usual
// case, where that is so and nothing behind it needs it. @return the first that is still to be settled: `first` where that was not the case
std::size_t Settlement::settle_around(std::size_t first, std::size_t suspect, std::size_t last) {
    if (first == suspect || suspect + 1 == last || wrong_guesses_ > 0 || is_cut_) {
        return first;
    }
    for (std::size_t i = first; i < last; ++i) {
        if (has_to_run_again(i)) {
            return first;
        }
    }
    fold_again(first, suspect);
    std::vector<store::TableFlush> before = rows_->finish();
    std::vector<std::size_t> stale = rows_->stale();
    if (rows_->failure() || before.empty() || rows_->is_read_behind(suspect)) {
        return first;
    }
    rows_->expect_written(before);
    is_ahead_ = true;
    std::vector<store::TableFlush> alone;
    std::vector<store::TableFlush> behind;
    try {
        fold_again(suspect, suspect + 1);
        alone = rows_->finish();
        if (!rows_->failure()) {
            fold_again(suspect + 1, last);
            behind = rows_->finish();
        }
    } catch (const store::RowsUnwritten &) {
        alone.clear();
    }
    is_ahead_ = false;
    if (rows_->failure() || alone.empty() || behind.empty()) {
        rows_->not_written();
        return first;
    }
    stale.insert(stale.end(), rows_->stale().begin(), rows_->stale().end());
    session_.savepoint(1);
    store::FlushedAround done;
    try {
        done = session_.flush_around(before, alone, behind, 2);
        pass(KillPoint::flush);
    } catch (const store::DataRefused &refused) { // it was another one, or not it alone
        const Verdict verdict = roll_back(refused, std::move(before));
        rows_->not_written();
        divide(first, suspect, verdict);
        settle_range(suspect, suspect + 1);
        return suspect + 1;
    }
    if (!done.doubtful) {
        session_.rollback_to(1);
        session_.release(1);
        rows_->not_written();
        return first;
    }
    session_.release(1);
    rows_->written({});
    bury(suspect, kDataRefused, done.doubtful->what());
    rows_->forget(suspect);
    for (const std::size_t index : stale) {
        stale_[index] = stale_[index] || index < suspect || !done.last;
    }
    if (done.last) {
        divide(suspect + 1, last, {Verdict::Kind::refused, 0, done.last->what(), std::move(behind), std::move(done.last_row)});
    } else {
        rows_->written(std::move(behind));
    }
    return last;
}

// What stands before a suspect and the suspect behind it, in one trip to the store: the usual case, where nothing needs to be known of the
// one to fold the other.
void Settlement::settle_up_to(std::size_t first, std::size_t suspect) {
    if (first == suspect) {
        return settle_range(suspect, suspect + 1);
    }
    fold_again(first, suspect);
    std::vector<store::TableFlush> before = rows_->finish();
    const std::vector<std::size_t> stale = rows_->stale();
    // A handler that runs again may read what the store doesn't hold yet.
    if (rows_->failure() || before.empty() || is_cut_ || !rows_->holds(suspect) || !rows_->folds_by_itself(suspect)) {
        settle_range(settle_folded(first, suspect, std::move(before)), suspect);
        return settle_range(suspect, suspect + 1);
    }
    rows_->expect_written(before);
    is_ahead_ = true;
    std::vector<store::TableFlush> alone;
    try {
        fold_again(suspect, suspect + 1);
        alone = rows_->finish();
    } catch (const store::RowsUnwritten &) { // it was folded blindly with one that is dead by now, and isn't without it
        alone.clear();
    }
    is_ahead_ = false;
    if (rows_->failure() || alone.empty()) {
        rows_->not_written();
        settle_range(first, suspect);
        return settle_range(suspect, suspect + 1);
    }
    session_.savepoint(1);
    std::optional<store::DataRefused> refusal;
    try {
        refusal = session_.flush_both(before, alone, 2);
        pass(KillPoint::flush);
    } catch (const store::DataRefused &refused) { // it was another one, or not it alone
        const Verdict verdict = roll_back(refused, std::move(before));
        rows_->not_written();
        divide(first, suspect, verdict);
        return settle_range(suspect, suspect + 1);
    }
    session_.release(1);
    for (const std::size_t index : stale) {
        stale_[index] = true;
    }
    if (refusal) {
        rows_->written({});
        bury(suspect, kDataRefused, refusal->what());
        rows_->forget(suspect);
        return;
    }
    for (const std::size_t index : rows_->stale()) {
        stale_[index] = true;
    }
    rows_->written(std::move(alone));
}

// The events of a range that a refusal seems to come from, ascending; none where there is nothing to go by.
std::vector<std::size_t> Settlement::suspects(std::size_t first, std::size_t last, const Verdict &verdict) {
    if (verdict.kind == Verdict::Kind::invalid) {
        return {verdict.culprit};
    }
    if (wrong_guesses_ > kWrongGuessesMost) {
        return {};
    }
    if (verdict.row && wrong_guesses_ <= kWrongNamesMost) {
        if (const auto event = suspect(first, last, *verdict.row)) {
            return {*event};
        }
    }
    std::vector<std::size_t> named;
    // One refused row is the usual case; where there are more, it is cheaper to look for all at once.
    for (const store::RefusedRow &row : refused_rows(session_, description_.schema, verdict.flush, searches_++ > 0)) {
        if (const auto event = suspect(first, last, row)) {
            named.push_back(*event);
        }
    }
    std::sort(named.begin(), named.end());
    named.erase(std::unique(named.begin(), named.end()), named.end());
    return named;
}

// Which of the events of a range that change a row is the first with which it is refused.
std::optional<std::size_t> Settlement::suspect(std::size_t first, std::size_t last, const store::RefusedRow &row) {
    std::vector<std::size_t> events = rows_->changing(row.table, row.key);
    std::erase_if(events, [&](std::size_t event) { return event < first || event >= last; });
    if (events.empty()) {
        return std::nullopt;
    }
    std::size_t taken = 0;
    std::size_t refused = events.size();
    while (refused - taken > 1) {
        const std::size_t middle = taken + (refused - taken) / 2;
        rows_->restart();
        std::for_each(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(middle),
                      [&](std::size_t event) { rows_->again(event, row.table, row.key); });
        const std::vector<store::TableFlush> flush = rows_->finish();
        (!rows_->failure() && is_taken(session_, flush) ? taken : refused) = middle;
    }
    return events[refused - 1];
}

// States what the events of a range stated, but for those that would see other rows now, which run again, and those that have to wait now.
void Settlement::fold_again(std::size_t first, std::size_t last) {
    rows_->restart();
    std::unordered_set<std::string> blocked = blocked_before(first);
    if (!again_until_) { // of all that runs again together: what is left then is held, as at any batch's end
        again_until_ = lanes_.deadline_from_now();
    }
    for (std::size_t i = first; i < last;) {
        if (is_cut_) {
            hold(i, last);
            return;
        }
        const std::string &key = work_[i]->order_key;
        hold_behind(i, blocked);
        if (fates_[i] == Fate::open && ran_[i].state == Ran::State::finished) {
            if (rows_->holds(i)) {
                rows_->again(i);
            } else {
                i = run_again(i, last, {*rows_, blocked}, *again_until_, i == first);
                continue;
            }
        }
        if (waits(i) && !key.empty()) {
            blocked.insert(key);
        }
        ++i;
    }
}

// Holds an event behind one of its key that waits now. One whose handler is overdue must not wait for that handler alone: it would be
// taken up again as soon as that returns, before the other.
void Settlement::hold_behind(std::size_t index, const std::unordered_set<std::string> &blocked) {
    const std::string &key = work_[index]->order_key;
    if (fates_[index] != Fate::open || ran_[index].state == Ran::State::held || key.empty() || !blocked.contains(key)) {
        return;
    }
    if (ran_[index].state == Ran::State::finished) {
        rows_->forget(index);
    }
    ran_[index] = Ran{};
}

// Leaves the end of a batch to the next one: what stands behind an event that wasn't reached may need what it does, whatever its key.
void Settlement::hold(std::size_t first, std::size_t last) {
    std::unordered_set<std::string> blocked = blocked_before(first);
    for (std::size_t i = first; i < last; ++i) {
        if (fates_[i] == Fate::open && ran_[i].state == Ran::State::finished) {
            ran_[i] = Ran{};
            rows_->forget(i);
        }
        hold_behind(i, blocked);
        if (waits(i) && !work_[i]->order_key.empty()) {
            blocked.insert(work_[i]->order_key);
        }
    }
}

// Runs an event again, and those right behind it that have to as well. @return the first behind them
std::size_t Settlement::run_again(std::size_t first, std::size_t last, HandlerLanes::Place place,
                                  std::chrono::steady_clock::time_point deadline, bool at_least_one) {
    if (is_ahead_) { // it may read what the store doesn't hold yet
        throw store::RowsUnwritten();
    }
    Stretch stretch{first, first, {}};
    while (stretch.last < last && has_to_run_again(stretch.last)) {
        ++stretch.last;
    }
    for (std::size_t i = first; i < stretch.last; ++i) {
        rows_->forget(i);
    }
    begin(stretch, place, deadline, at_least_one);
    HandlerLanes::Stretch done = lanes_.finish();
    is_cut_ = !done.complete;
    for (std::size_t i = first; i < stretch.last; ++i) {
        ran_[i] = std::move(done.ran[i - first]);
        if (waits(i) && !work_[i]->order_key.empty()) { // where the time was up
            place.blocked.insert(work_[i]->order_key);
        }
    }
    return stretch.last;
}

} // namespace weir::engine
