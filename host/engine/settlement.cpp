// SPDX-License-Identifier: Apache-2.0
#include "engine/settlement.hpp"

#include "engine/horizon.hpp"
#include "engine/kill_point.hpp"

#include <algorithm>
#include <unordered_map>

namespace weir::engine {

namespace {

// Events of a stretch: few enough that handlers soon have something to do, enough that a statement is worth its trip.
constexpr std::size_t kStretch = 1000;

} // namespace

Settlement::Settlement(store::Session &session, const plugin::Description &description, HandlerLanes &lanes)
    : session_(session), description_(description), lanes_(lanes) {}

std::vector<Ran> Settlement::settle(std::span<const WorkPtr> work, Ledger ledger) {
    work_ = work;
    ran_.assign(work.size(), Ran{});
    stale_.assign(work.size(), false);
    fates_.assign(work.size(), ledger == Ledger::asked ? Fate::unknown : Fate::open);
    rows_.emplace(description_.schema, [this](std::uint32_t table, std::span<const store::Key> keys) {
        const std::lock_guard turn(session_turn_);
        return session_.fetch(table, keys);
    });
    searches_ = wrong_guesses_ = 0;
    again_until_.reset();
    is_ahead_ = is_cut_ = false;
    find_copies();
    run_handlers();
    if (const Verdict verdict = write(0, work.size(), rows_->finish()); verdict.kind != Verdict::Kind::settled) {
        divide(0, work.size(), verdict);
    }
    for (std::size_t i = 0; i < work.size(); ++i) {
        if (fates_[i] == Fate::doubtful) {
            const auto refusal = beyond_horizon(*work[i]->event->message, session_.pruned());
            bury(i, kBeyondHorizon, refusal ? refusal->message : "");
        }
    }
    return std::move(ran_);
}

void Settlement::find_copies() {
    std::unordered_map<event::Uuid, std::size_t> first;
    first.reserve(work_.size());
    first_of_.resize(work_.size());
    for (std::size_t i = 0; i < work_.size(); ++i) {
        first_of_[i] = first.try_emplace(work_[i]->event->id, i).first->second;
        if (first_of_[i] != i) {
            fates_[i] = Fate::copy;
        }
    }
}

void Settlement::ask_ledger(std::size_t first, std::size_t last) {
    std::vector<event::Uuid> ids;
    ids.reserve(last - first);
    for (std::size_t i = first; i < last; ++i) {
        if (fates_[i] == Fate::unknown) {
            ids.push_back(work_[i]->event->id);
        }
    }
    if (ids.empty()) {
        return;
    }
    std::sort(ids.begin(), ids.end());
    std::vector<event::Uuid> decided;
    std::span<const store::PrunedRange> pruned;
    {
        const std::lock_guard turn(session_turn_);
        decided = session_.decided(ids);
        pruned = session_.pruned(); // only this thread makes it change
    }
    pass(KillPoint::ledger);
    for (std::size_t i = first; i < last; ++i) {
        if (fates_[i] != Fate::unknown) {
            continue;
        }
        if (std::binary_search(decided.begin(), decided.end(), work_[i]->event->id)) {
            fates_[i] = Fate::decided;
        } else if (!pruned.empty() && beyond_horizon(*work_[i]->event->message, pruned)) {
            fates_[i] = Fate::doubtful;
        } else {
            fates_[i] = Fate::open;
        }
    }
}

// The keys that the handlers of a stretch will read, as they declared; sorted, each once.
std::vector<store::Key> Settlement::keys_to_read(const plugin::Read &read, std::size_t first, std::size_t last) const {
    const store::Table &table = description_.schema.tables[read.table];
    std::vector<store::Key> keys;
    keys.reserve(last - first);
    for (std::size_t i = first; i < last; ++i) {
        const event::Event &event = *work_[i]->event;
        if (fates_[i] != Fate::open || event.refusal || event.type != read.event_type || !event.envelope) {
            continue;
        }
        store::Key key;
        key.reserve(read.key_pointers.size());
        for (std::size_t part = 0; part < read.key_pointers.size(); ++part) {
            const auto text = event.envelope->text(read.key_pointers[part]);
            const auto integer = text ? std::nullopt : event.envelope->integer(read.key_pointers[part]);
            store::Value value = text ? store::Value(std::string(*text)) : integer ? store::Value(*integer) : store::Value();
            // A key that isn't one is the handler's to refuse; here it is only not fetched.
            if ((!text && !integer) || store::canonicalise(table.columns[table.primary_key[part]], value)) {
                break;
            }
            key.push_back(std::move(value));
        }
        if (key.size() == read.key_pointers.size()) {
            keys.push_back(store::comparable_key(table, std::move(key)));
        }
    }
    return keys;
}

// What the handlers of a stretch need to begin: the ledger's answer and their rows.
Settlement::Stretch Settlement::look_ahead(std::size_t first, std::size_t last) {
    Stretch stretch{first, last, {}};
    ask_ledger(first, last);
    for (const plugin::Read &read : description_.reads) {
        std::vector<store::Key> keys = keys_to_read(read, first, last);
        if (keys.empty()) {
            continue;
        }
        const auto same = std::find_if(stretch.fetched.begin(), stretch.fetched.end(),
                                       [&](const Fetched &fetched) { return fetched.table == read.table; });
        Fetched &fetched = same == stretch.fetched.end() ? stretch.fetched.emplace_back() : *same;
        fetched.table = read.table;
        std::move(keys.begin(), keys.end(), std::back_inserter(fetched.keys));
    }
    for (Fetched &fetched : stretch.fetched) {
        std::sort(fetched.keys.begin(), fetched.keys.end());
        fetched.keys.erase(std::unique(fetched.keys.begin(), fetched.keys.end()), fetched.keys.end());
        const std::lock_guard turn(session_turn_);
        fetched.rows = session_.fetch(fetched.table, fetched.keys);
    }
    return stretch;
}

void Settlement::begin(const Stretch &stretch, HandlerLanes::Place place, std::chrono::steady_clock::time_point deadline,
                       bool at_least_one) {
    std::vector<WorkPtr> work;
    std::vector<std::size_t> numbers;
    work.reserve(stretch.last - stretch.first);
    numbers.reserve(stretch.last - stretch.first);
    for (std::size_t i = stretch.first; i < stretch.last; ++i) {
        if (fates_[i] == Fate::open) {
            work.push_back(work_[i]);
            numbers.push_back(i);
        }
    }
    lanes_.begin(std::move(work), std::move(numbers), place, deadline, at_least_one);
}

void Settlement::bury(std::size_t index, std::string type, std::string reason) {
    ran_[index] = Ran{};
    ran_[index].state = Ran::State::finished;
    ran_[index].result.status = WEIR_REJECT;
    ran_[index].result.error = {std::move(type), std::move(reason)};
}

// Reads and runs everything; writes nothing.
void Settlement::run_handlers() {
    std::unordered_set<std::string> blocked;
    const auto deadline = lanes_.deadline_from_now();
    const std::size_t last = work_.size();
    Stretch stretch = look_ahead(0, std::min(last, kStretch));
    for (bool complete = true; complete && stretch.first < stretch.last;) {
        for (Fetched &fetched : stretch.fetched) {
            rows_->supply(fetched.table, fetched.keys, std::move(fetched.rows));
        }
        begin(stretch, {*rows_, blocked}, deadline, stretch.first == 0);
        Stretch next;
        std::exception_ptr failure;
        try {
            next = look_ahead(stretch.last, std::min(last, stretch.last + kStretch));
        } catch (...) {
            failure = std::current_exception();
        }
        HandlerLanes::Stretch done;
        try {
            done = lanes_.finish(); // in any case: the lane works on what stands here
        } catch (...) {
            failure = failure ? failure : std::current_exception(); // the first one is the cause of what a handler met
        }
        if (failure) {
            std::rethrow_exception(failure);
        }
        complete = done.complete;
        auto result = done.ran.begin();
        for (std::size_t i = stretch.first; i < stretch.last; ++i) {
            if (fates_[i] == Fate::open) {
                ran_[i] = std::move(*result++);
            }
        }
        stretch = std::move(next);
    }
}

// Takes back to the savepoint what a flush has left.
Settlement::Verdict Settlement::roll_back(const store::DataRefused &refusal, std::vector<store::TableFlush> flush) {
    session_.rollback_to(1);
    session_.release(1);
    Verdict verdict{Verdict::Kind::refused, 0, refusal.what(), std::move(flush), std::nullopt};
    if (const auto *of_row = dynamic_cast<const store::RowRefused *>(&refusal)) {
        verdict.row = of_row->row();
    }
    return verdict;
}

// Flushes what the events of a range come to, or leaves nothing of it. Rows are fetched outside of the savepoint: their locks have to
// outlive it.
Settlement::Verdict Settlement::write(std::size_t first, std::size_t last, std::vector<store::TableFlush> flush) {
    Verdict verdict;
    verdict.flush = std::move(flush);
    if (rows_->failure()) {
        verdict.kind = Verdict::Kind::invalid;
        verdict.culprit = rows_->failure()->event;
        verdict.reason = rows_->failure()->reason;
        return verdict;
    }
    if (!verdict.flush.empty()) {
        session_.savepoint(1);
        try {
            session_.flush(verdict.flush);
            pass(KillPoint::flush);
        } catch (const store::DataRefused &refused) {
            return roll_back(refused, std::move(verdict.flush));
        }
        session_.release(1);
    }
    for (const std::size_t index : rows_->stale()) {
        stale_[index] = true;
    }
    if (last - first < work_.size()) {
        rows_->written(std::move(verdict.flush));
    }
    return verdict;
}

} // namespace weir::engine
