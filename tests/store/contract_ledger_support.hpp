// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "contract_schema.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace weir::test {

// What the contract of a ledger that is kept small needs again and again.
namespace upkeep {

using namespace store;

inline constexpr event::Micros kStart = 1'700'000'000'000'000;
inline constexpr event::Micros kHour = 3'600'000'000;

inline LedgerPolicy policy_of(std::uint64_t generation_events, event::Micros horizon = 0, event::Micros now = kStart) {
    LedgerPolicy policy;
    policy.generation_events = generation_events;
    policy.horizon = std::chrono::microseconds(horizon);
    policy.now = now;
    return policy;
}

/// Calls until nothing is left to be done; the sum of what was done.
inline LedgerUpkeep maintain(Session &session, const LedgerPolicy &policy) {
    LedgerUpkeep all;
    for (int step = 0; step < 10'000; ++step) {
        const LedgerUpkeep done = session.maintain_ledger(policy);
        all.sealed = std::max(all.sealed, done.sealed);
        all.indexed += done.indexed;
        all.pruned_events += done.pruned_events;
        all.pruned_through = std::max(all.pruned_through, done.pruned_through);
        all.generations = done.generations;
        all.refused = done.refused;
        if (!done.more) {
            return all;
        }
    }
    FAIL("the ledger's upkeep never comes to an end");
    return all;
}

inline std::vector<LedgerEntry> entries(std::uint64_t from, std::uint64_t to, event::Micros received_at = kStart,
                                        Outcome outcome = Outcome::applied) {
    std::vector<LedgerEntry> made;
    for (std::uint64_t i = from; i < to; ++i) {
        made.push_back({id_of(i), received_at, outcome});
    }
    return made;
}

inline std::vector<event::Uuid> ids(std::uint64_t from, std::uint64_t to) {
    std::vector<event::Uuid> made;
    for (std::uint64_t i = from; i < to; ++i) {
        made.push_back(id_of(i));
    }
    return made;
}

inline void record(Session &session, const std::vector<LedgerEntry> &written) {
    transact(session, [&] { session.record(written); });
}

inline DeadLetter letter_of(std::uint64_t number) {
    DeadLetter letter;
    letter.event_id = id_of(number);
    letter.topic = "t";
    letter.context = R"({"appended_at":1})";
    return letter;
}

} // namespace upkeep

void model_of_the_horizon(StorePlace &place);
void killed_in_upkeep(StorePlace &place);

} // namespace weir::test
