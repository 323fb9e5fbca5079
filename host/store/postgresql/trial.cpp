// SPDX-License-Identifier: Apache-2.0
#include "trial.hpp"

#include "store/standard.hpp"

#include <algorithm>

namespace weir::store::postgresql {

void try_adopted(Connection &connection, const Place &place, const std::vector<Step> &steps, const LetterLimits &limits) {
    const auto adopts = [&](const char *table) {
        return std::any_of(steps.begin(), steps.end(),
                           [&](const Step &step) { return step.text == std::string("adopted table ") + table; });
    };
    std::vector<Command> commands;
    commands.push_back({"savepoint trial", {}, false});
    if (adopts("dead_letter_queue")) {
        for (const DeadLetter &letter : trial_letters()) {
            commands.push_back(insert_letter(place, limits, letter));
        }
    }
    if (adopts("event_ledger")) {
        for (const LedgerEntry &entry : trial_entries()) {
            commands.push_back(
                {"insert into " + place.qualified("event_ledger") + " (event_id, received_at, outcome) values ($1, $2, $3)",
                 {{0, entry.event_id.text()}, {0, event::format_time(entry.received_at)}, {0, std::string(outcome_name(entry.outcome))}},
                 false,
                 Meaning::standard});
        }
    }
    commands.push_back({"rollback to savepoint trial", {}, false});
    connection.exchange(std::move(commands));
}

} // namespace weir::store::postgresql
