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
            statements.create(table, flush.created);
            for (const BlindWrite &write : flush.blind) {
                statements.write_blind(table, write);
            }
        }
        if (layout_->has_references) {
            statements.add({"set constraints all immediate", {}, false});
        }
        if (statements.empty()) {
            return;
        }
        const std::vector<Reply> replies = exchange(statements.take());
        for (std::size_t i = 0; i < replies.size(); ++i) {
            if (const auto problem = statements.unexpected(i, replies[i].touched())) {
                throw RunAgain(*problem);
            }
        }
    });
}

} // namespace weir::store::postgresql
