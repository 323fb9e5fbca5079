// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/id_filter.hpp"
#include "store/store.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace weir::store {

/*
 * A ledger is a row of generations. Events are recorded in the young one, the table `event_ledger`, which stays small enough to be kept in
 * memory by whatever caches there are. When it is full, or a share of the horizon old, it is sealed: renamed to `event_ledger_<number>`,
 * and never changed again but for outcomes. A sealed generation gets a filter of its ids, so that it is asked only for ids that it may
 * hold. One that is beyond the horizon is pruned as a whole.
 */

inline constexpr std::string_view kYoungLedger = "event_ledger";
inline constexpr std::string_view kLedgerGenerations = "event_ledger_generations"; ///< one row a generation, the young one's is the last
inline constexpr std::string_view kLedgerPruned = "event_ledger_pruned";           ///< one row a partition incarnation
inline constexpr std::string_view kLedgerRemains = "event_ledger_remains"; ///< one row a pruned generation whose table is still there
inline constexpr std::string_view kWholeLedger = "event_ledger_all";       ///< a view for people and reports: every generation

/// Halves of the furthest position that a row of `positions` knows to be decided: so far ids may be among what is pruned.
inline constexpr std::string_view kFurthestHigh = "case when (reached_high, reached_low) > (high, low) then reached_high else high end";
inline constexpr std::string_view kFurthestLow = "case when (reached_high, reached_low) > (high, low) then reached_low else low end";

/// The table of a sealed generation.
std::string generation_table(std::int64_t number);

/// Adds a row of `event_ledger_counts` to what is told of them all.
void add_count(LedgerCounts &counts, std::string_view outcome, std::int64_t events, std::int64_t requests, std::int64_t undivided);
/// After the last row: a letter that a rebuild made of an event which the ledger had pruned, and that was replayed since, was taken from
/// the dead without having been counted as one, and counted as applied twice.
void balance(LedgerCounts &counts);

/// A row of `event_ledger_generations`.
struct LedgerGeneration {
    std::int64_t number = 0;
    event::Micros opened_at = 0;
    std::int64_t events_before = 0; ///< decided in all when it was opened
    event::Micros sealed_at = 0;    ///< 0: young
    bool indexed = false;           ///< the following are known, and there is a filter
    event::Micros received_through = 0;
    std::int64_t events = 0;
};

/// Whether the young generation, the last of `generations`, is to be sealed. @param events_decided in all, so far
bool ready_to_seal(const std::vector<LedgerGeneration> &generations, std::int64_t events_decided, const LedgerPolicy &policy,
                   std::uint64_t usual_events);

/// Whether the oldest, the first of `generations`, is to be pruned: it was sealed a horizon ago, and its last event was appended a horizon
/// before the newest that the ledger has. Both, so that neither an outage nor a wrong clock makes a domain forget what it has just done.
bool ready_to_prune(const std::vector<LedgerGeneration> &generations, const LedgerPolicy &policy);

/// The filters of one domain's sealed generations, in memory, shared by the sessions of a process. Thread-safe.
class LedgerFilters {
public:
    /// Nothing where it isn't there yet.
    std::shared_ptr<const IdFilter> find(std::int64_t generation) const;
    void put(std::int64_t generation, std::shared_ptr<const IdFilter> filter);
    /// Those of generations before `oldest` are of no use any more.
    void forget_before(std::int64_t oldest);

private:
    mutable std::mutex mutex_;
    std::map<std::int64_t, std::shared_ptr<const IdFilter>> filters_;
};

} // namespace weir::store
