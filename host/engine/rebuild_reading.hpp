// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/rebuild.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace weir::engine {

/// What a look through all that a domain's topics keep has found.
struct KeptEvents {
    std::uint64_t decided = 0;    ///< different events that the domain has decided, without those that an operator gave up
    std::uint64_t duplicates = 0; ///< messages that hold one of these again
    std::uint64_t dropped = 0;    ///< messages of dead letters that an operator gave up
    std::uint64_t undecided = 0;  ///< messages that the domain has not decided yet
    std::map<std::string, std::uint64_t> without_handler; ///< of these, by type, those that the setup's plugin would ignore
};

/// Reads the topics without a group up to where they end when it begins, and asks the domain's ledger about every message: eight bytes of
/// memory for each. Changes nothing.
KeptEvents look_through_kept(const RebuildSetup &setup, store::Session &session, const std::vector<broker::Partition> &partitions);

/// Decided events that the ledger counts and no topic need hold: a rebuild before this one gave them up, or they were counted twice,
/// because their ids had been forgotten in between.
std::uint64_t events_given_up(store::Session &session);

/// Keeps for later rebuilds how many decided events this one could not make again. A transaction of its own.
void save_events_given_up(store::Session &session, std::uint64_t events);

/// Whether an entry among stored positions is of a topic, and not one that only shares their table.
bool is_of_topic(const store::StoredPosition &entry);

} // namespace weir::engine
