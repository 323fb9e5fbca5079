// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

#include <algorithm>

namespace weir::store::sqlite {

Figures SqliteSession::figures() {
    Figures figures;
    connection_.guard([&] {
        const auto qualified = [&](const char *table) { return connection_.qualified(table); };
        // Known are the ids of all that was decided since the oldest generation that is kept was opened.
        connection_
            .query("select coalesce((select sum(events) from " + qualified("event_ledger_counts") +
                       "), 0) - coalesce((select min(events_before) from " + qualified("event_ledger_generations") +
                       "), 0), (select count(*) from " + qualified("dead_letter_queue") +
                       " where status = 'pending'), (select count(*) from " + qualified("outbox") + ")",
                   {}, {Storage::integer, Storage::integer, Storage::integer})
            .each([&](Query &row) {
                figures.ledger_events = static_cast<std::uint64_t>(std::max<std::int64_t>(0, row.take_integer(0)));
                figures.dead_letters_pending = static_cast<std::uint64_t>(row.take_integer(1));
                figures.outbox_pending = static_cast<std::uint64_t>(row.take_integer(2));
            });
    });
    return figures;
}

} // namespace weir::store::sqlite
