// SPDX-License-Identifier: Apache-2.0
#include "flush_statements.hpp"
#include "session.hpp"

#include <ranges>

namespace weir::store::postgresql {

void PostgresqlSession::flush(std::span<const TableFlush> tables) {
    within_transaction([&] {
        FlushStatements statements;
        // Rows that refer to each other come in any order: looked at when all are there. Constraints that wait for the commit by themselves
        // do so again after a flush of the same transaction.
        if (layout_->has_references || is_immediate_) {
            statements.add({"set constraints all deferred", {}});
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
        if (statements.empty()) {
            return;
        }
        // Whatever others have declared deferrable, on these tables or on theirs that refer to them, is looked at here, where it is still
        // known which rows are refused; a commit that is refused can only be tried again.
        statements.add({"set constraints all immediate", {}});
        is_immediate_ = true;
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
