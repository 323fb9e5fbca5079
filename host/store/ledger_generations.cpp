// SPDX-License-Identifier: Apache-2.0
#include "ledger_generations.hpp"

#include "store/refused_row.hpp"

#include <algorithm>

namespace weir::store {

namespace {

constexpr std::int64_t kSharesOfHorizon = 4; // a generation covers so much of it at most, so that not much more than the horizon is kept
constexpr std::int64_t kShareOfLedger = 16;  // and holds so much of a large ledger at least, so that generations stay few

} // namespace

std::string generation_table(std::int64_t number) { return std::string(kYoungLedger) + "_" + std::to_string(number); }

void add_count(LedgerCounts &counts, std::string_view outcome, std::int64_t events, std::int64_t requests, std::int64_t undivided) {
    const auto number = static_cast<std::uint64_t>(events - requests);
    counts.requests += static_cast<std::uint64_t>(requests);
    if (outcome == outcome_name(Outcome::ignored)) {
        counts.ignored += number;
        return;
    }
    if (outcome == outcome_name(Outcome::dead)) {
        counts.dead += number;
        return;
    }
    counts.stale += outcome == outcome_name(Outcome::stale) ? number : 0;
    counts.applied += number;
    counts.undivided += static_cast<std::uint64_t>(undivided);
}

void balance(LedgerCounts &counts) {
    if (const auto dead = static_cast<std::int64_t>(counts.dead); dead < 0) {
        counts.applied -= static_cast<std::uint64_t>(-dead);
        counts.dead = 0;
    }
}

bool ready_to_seal(const std::vector<LedgerGeneration> &generations, std::int64_t events_decided, const LedgerPolicy &policy,
                   std::uint64_t usual_events) {
    const LedgerGeneration &young = generations.back();
    const std::int64_t events = events_decided - young.events_before;
    if (events <= 0) {
        return false;
    }
    std::int64_t full = static_cast<std::int64_t>(policy.generation_events);
    if (full == 0) {
        std::int64_t kept = 0;
        for (const LedgerGeneration &generation : generations) {
            kept += generation.events;
        }
        full = std::max(static_cast<std::int64_t>(usual_events), kept / kShareOfLedger);
    }
    return events >= full || (policy.horizon.count() > 0 && policy.now - young.opened_at >= policy.horizon.count() / kSharesOfHorizon);
}

bool ready_to_prune(const std::vector<LedgerGeneration> &generations, const LedgerPolicy &policy) {
    if (policy.horizon.count() <= 0 || generations.size() < 2) {
        return false;
    }
    const LedgerGeneration &oldest = generations.front();
    if (!oldest.indexed || oldest.received_through >= policy.keep_from) {
        return false;
    }
    event::Micros newest = oldest.received_through;
    for (const LedgerGeneration &generation : generations) {
        newest = std::max(newest, generation.received_through);
    }
    newest = std::min(newest, policy.now);
    return policy.now - oldest.sealed_at >= policy.horizon.count() && newest - oldest.received_through >= policy.horizon.count();
}

std::shared_ptr<const IdFilter> LedgerFilters::find(std::int64_t generation) const {
    const std::lock_guard lock(mutex_);
    const auto found = filters_.find(generation);
    return found == filters_.end() ? nullptr : found->second;
}

void LedgerFilters::put(std::int64_t generation, std::shared_ptr<const IdFilter> filter) {
    const std::lock_guard lock(mutex_);
    filters_[generation] = std::move(filter);
}

void LedgerFilters::forget_before(std::int64_t oldest) {
    const std::lock_guard lock(mutex_);
    filters_.erase(filters_.begin(), filters_.lower_bound(oldest));
}

const std::vector<PrunedRange> &Session::pruned() {
    static const std::vector<PrunedRange> nothing;
    return nothing;
}

LedgerUpkeep Session::maintain_ledger(const LedgerPolicy &) { return {}; }

std::vector<UnappliedEvent> Session::unapplied(std::span<const event::Uuid>) { return {}; }

std::optional<DataRefused> Session::flush_both(std::span<const TableFlush> first, std::span<const TableFlush> second, int depth) {
    flush(first);
    std::optional<DataRefused> refusal;
    savepoint(depth);
    try {
        flush(second);
    } catch (const DataRefused &refused) {
        refusal.emplace(refused.what()); // whatever else it says of the row goes no further
        rollback_to(depth);
    }
    release(depth);
    return refusal;
}

FlushedAround Session::flush_around(std::span<const TableFlush> first, std::span<const TableFlush> doubtful,
                                    std::span<const TableFlush> last, int depth) {
    FlushedAround result;
    flush(first);
    savepoint(depth);
    try {
        flush(doubtful);
        release(depth);
        return result;
    } catch (const DataRefused &refused) {
        result.doubtful.emplace(refused.what());
        rollback_to(depth);
    }
    try {
        flush(last);
    } catch (const DataRefused &refused) {
        result.last.emplace(refused.what());
        if (const auto *of_row = dynamic_cast<const RowRefused *>(&refused)) {
            result.last_row = of_row->row();
        }
        rollback_to(depth);
    }
    release(depth);
    return result;
}

std::vector<Attempts> Session::attempts_of(std::span<const event::Uuid> ids) {
    std::vector<Attempts> found = attempts();
    std::erase_if(found, [&](const Attempts &one) { return std::find(ids.begin(), ids.end(), one.event_id) == ids.end(); });
    return found;
}

} // namespace weir::store
