// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/handler_lane.hpp"
#include "engine/work.hpp"
#include "store/refused_row.hpp"

#include <chrono>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_set>
#include <vector>

namespace weir::engine {

/**
 * Brings a batch's events to their rows within a transaction that is open: ledger, rows, handlers, fold, flush.
 *
 * A batch goes in stretches: while the handlers of one run on their lane, the calling thread asks the store for the ledger's answer and the
 * rows of the next. Everything is read before anything is written, so the stretches share one set of rows, and one fold.
 *
 * Where the store refuses the data of a batch, it is divided in topic order: each part is folded again from what its events stated and
 * settles in its savepoint before the next. What fails alone after all its predecessors is dead. Where to divide is guessed by the refused
 * row, since the events that change it are few: the store may name it, else it is looked for; else in the middle. A handler runs again only
 * where a row that it read is another now.
 */
class Settlement {
public:
    Settlement(store::Session &session, const plugin::Description &description, HandlerLanes &lanes);

    /// What is known of an event before its handler runs.
    enum class Fate : std::uint8_t {
        unknown,  ///< the ledger was not asked: a stretch before it was cut short
        open,     ///< to be settled
        decided,  ///< in the ledger
        copy,     ///< of one before it in the batch
        doubtful, ///< may have been decided before, and can't be known any more: a dead letter that never ran
    };
    enum class Ledger : std::uint8_t { asked, known_open };

    /// @return what each event came to; changes are flushed, nothing else is written. Only those of fate `open` ran; those that are
    /// `doubtful` are refused.
    std::vector<Ran> settle(std::span<const WorkPtr> work, Ledger ledger = Ledger::asked);

    /// After `settle`, by index.
    const std::vector<Fate> &fates() const { return fates_; }
    /// The first of the same id in the batch; itself where it is that.
    const std::vector<std::size_t> &first_of() const { return first_of_; }
    /// Which of them were turned away by a guard.
    const std::vector<bool> &stale() const { return stale_; }

private:
    struct Verdict {
        enum class Kind : std::uint8_t { settled, invalid, refused } kind = Kind::settled;
        std::size_t culprit = 0; ///< where a change was invalid
        std::string reason;
        std::vector<store::TableFlush> flush; ///< that was refused
        std::optional<store::RefusedRow> row; ///< of which, by the store's guess
    };
    struct Fetched {
        std::uint32_t table = 0;
        std::vector<store::Key> keys;
        std::vector<std::optional<store::Row>> rows;
    };
    struct Stretch {
        std::size_t first = 0;
        std::size_t last = 0;
        std::vector<Fetched> fetched;
    };

    void find_copies();
    void run_handlers();
    Verdict write(std::size_t first, std::size_t last, std::vector<store::TableFlush> flush);
    Verdict roll_back(const store::DataRefused &refusal, std::vector<store::TableFlush> flush);

    void settle_range(std::size_t first, std::size_t last);
    void divide(std::size_t first, std::size_t last, const Verdict &verdict);
    std::size_t settle_folded(std::size_t first, std::size_t last, std::vector<store::TableFlush> flush);
    std::size_t settle_around(std::size_t first, std::size_t suspect, std::size_t last);
    bool has_to_run_again(std::size_t index) const;
    void settle_up_to(std::size_t first, std::size_t suspect);
    std::vector<std::size_t> suspects(std::size_t first, std::size_t last, const Verdict &verdict);
    std::optional<std::size_t> suspect(std::size_t first, std::size_t last, const store::RefusedRow &row);
    void fold_again(std::size_t first, std::size_t last);
    void hold(std::size_t first, std::size_t last);
    void hold_behind(std::size_t index, const std::unordered_set<std::string> &blocked);
    std::size_t run_again(std::size_t first, std::size_t last, HandlerLanes::Place place, std::chrono::steady_clock::time_point deadline,
                          bool at_least_one);

    Stretch look_ahead(std::size_t first, std::size_t last);
    void begin(const Stretch &stretch, HandlerLanes::Place place, std::chrono::steady_clock::time_point deadline, bool at_least_one);
    void ask_ledger(std::size_t first, std::size_t last);
    std::vector<store::Key> keys_to_read(const plugin::Read &read, std::size_t first, std::size_t last) const;
    bool waits(std::size_t index) const;
    void bury(std::size_t index, std::string type, std::string reason);
    std::unordered_set<std::string> blocked_before(std::size_t index) const;

    store::Session &session_;
    std::mutex session_turn_; // a handler may read a row that nobody foresaw, while the next stretch is fetched
    const plugin::Description &description_;
    HandlerLanes &lanes_;
    std::span<const WorkPtr> work_;
    std::vector<Fate> fates_;
    std::vector<std::size_t> first_of_;
    std::vector<Ran> ran_;
    std::vector<bool> stale_;
    std::optional<store::BatchRows> rows_;
    std::optional<std::chrono::steady_clock::time_point> again_until_; ///< until when handlers may run again
    bool is_ahead_ = false;                                            ///< folding upon rows that the store doesn't hold yet
    bool is_cut_ = false;           ///< they did not come to an end by then: nothing further of the batch is settled
    std::size_t searches_ = 0;      ///< for refused rows
    std::size_t wrong_guesses_ = 0; ///< events that were named and the store took
};

} // namespace weir::engine
