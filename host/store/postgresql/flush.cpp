// SPDX-License-Identifier: Apache-2.0
#include "flush_statements.hpp"
#include "session.hpp"

#include <ranges>

namespace weir::store::postgresql {

namespace {

[[noreturn]] void refuse(const FlushStatements &statements, const RefusedByServer &refused) {
    if (std::optional<RefusedRow> row = statements.refused(refused)) {
        throw RowRefused(refused.what(), std::move(*row));
    }
    throw DataRefused(refused.what()); // without the values
}

/// @param touched by each statement from the first one on
void require_touched(const FlushStatements &statements, std::span<const std::uint64_t> touched) {
    for (std::size_t i = 0; i < touched.size(); ++i) {
        if (const auto problem = statements.unexpected(i, touched[i])) {
            throw RunAgain(*problem);
        }
    }
}

/// That the first statements were not refused, but one behind them, and touched what they should have.
void require_first(const FlushStatements &statements, std::size_t of_first, const RefusedByServer &refused) {
    const std::size_t at = statements.size() - 1 - refused.said().from_last;
    if (at < of_first) {
        refuse(statements, refused);
    }
    const std::vector<std::uint64_t> &touched = refused.said().touched; // whatever waited for this exchange in front
    require_touched(statements, std::span(touched).subspan(touched.size() - at, of_first));
}

std::vector<std::uint64_t> touched_by(std::span<const Reply> replies) {
    std::vector<std::uint64_t> touched;
    for (const Reply &reply : replies) {
        touched.push_back(reply.touched());
    }
    return touched;
}

} // namespace

void PostgresqlSession::write(std::span<const TableFlush> tables, FlushStatements &statements) {
    const std::size_t before = statements.size();
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
    // Whatever others have declared deferrable, on these tables or on theirs that refer to them, is looked at here, where it is still
    // known which rows are refused; a commit that is refused can only be tried again.
    if (statements.size() > before) {
        statements.add({"set constraints all immediate", {}});
        is_immediate_ = true;
    }
}

void PostgresqlSession::flush(std::span<const TableFlush> tables) {
    within_transaction([&] {
        FlushStatements statements;
        write(tables, statements);
        if (statements.empty()) {
            return;
        }
        std::vector<Reply> replies;
        try {
            replies = exchange(statements.take());
        } catch (const RefusedByServer &refused) {
            refuse(statements, refused);
        }
        require_touched(statements, touched_by(replies));
    });
}

// In one trip. Where the second part is refused, the server has told how many rows the first one touched.
std::optional<DataRefused> PostgresqlSession::flush_both(std::span<const TableFlush> first, std::span<const TableFlush> second, int depth) {
    if (!connection_ || first.empty() || second.empty()) {
        return Session::flush_both(first, second, depth);
    }
    FlushStatements statements;
    write(first, statements);
    const std::size_t of_first = statements.size();
    statements.add_unprepared("savepoint s" + std::to_string(depth));
    write(second, statements);
    std::optional<DataRefused> refusal;
    try {
        const std::vector<Reply> replies = exchange(statements.take());
        require_touched(statements, touched_by(replies));
    } catch (const RefusedByServer &refused) {
        require_first(statements, of_first, refused);
        refusal.emplace(refused.what());
        rollback_to(depth);
    }
    release(depth);
    return refusal;
}

// In one trip, too: whatever becomes of the doubtful part, the server goes back to where it was before that and writes the last one.
FlushedAround PostgresqlSession::flush_around(std::span<const TableFlush> first, std::span<const TableFlush> doubtful,
                                              std::span<const TableFlush> last, int depth) {
    if (!connection_ || !has_begun_ || first.empty() || doubtful.empty() || last.empty()) {
        return Session::flush_around(first, doubtful, last, depth);
    }
    const std::string savepoint = "s" + std::to_string(depth);
    FlushStatements one;
    write(first, one);
    const std::size_t of_first = one.size();
    one.add_unprepared("savepoint " + savepoint);
    write(doubtful, one);
    FlushStatements other;
    other.add_unprepared("rollback to savepoint " + savepoint);
    write(last, other);
    const Connection::Both both = exchange_both(one.take(), other.take());
    FlushedAround result;
    if (!both.first_failure) {
        return result;
    }
    try {
        std::rethrow_exception(both.first_failure);
    } catch (const RefusedByServer &refused) {
        require_first(one, of_first, refused);
        result.doubtful.emplace(refused.what());
    }
    try {
        if (both.second_failure) {
            std::rethrow_exception(both.second_failure);
        }
        require_touched(other, touched_by(both.second));
    } catch (const RefusedByServer &refused) {
        result.last.emplace(refused.what());
        result.last_row = other.refused(refused);
        rollback_to(depth);
    }
    release(depth);
    return result;
}

} // namespace weir::store::postgresql
