// SPDX-License-Identifier: Apache-2.0
#include "flush_statements.hpp"
#include "session.hpp"

#include <ranges>

namespace weir::store::postgresql {

void PostgresqlSession::flush(std::span<const TableFlush> tables) {
    within_transaction([&] {
        FlushStatements statements;
        if (layout_->has_references) { // rows that refer to each other come in any order: looked at when all are there
            statements.add({"set constraints all deferred", {}, false});
        }
        for (const TableFlush &flush : std::ranges::reverse_view(tables)) {
            statements.erase(table_of(flush.table), flush);
        }
        for (const TableFlush &flush : tables) {
            const TableLayout &table = table_of(flush.table);
            statements.change(table, flush);
            statements.create(table, flush);
            for (const BlindWrite &write : flush.blind) {
                statements.write_blind(table, flush, write);
            }
        }
        if (layout_->has_references) {
            statements.add({"set constraints all immediate", {}, false});
        }
        if (statements.empty()) {
            return;
        }
        std::vector<Reply> replies;
        try {
            replies = exchange(statements.take());
        } catch (const RefusedByServer &refused) {
            if (std::optional<RefusedRow> row = statements.refused(refused)) {
                throw RowRefused(refused.what(), std::move(*row));
            }
            throw DataRefused(refused.what()); // without the values
        }
        for (std::size_t i = 0; i < replies.size(); ++i) {
            if (const auto problem = statements.unexpected(i, replies[i].touched())) {
                throw RunAgain(*problem);
            }
        }
    });
}

} // namespace weir::store::postgresql
