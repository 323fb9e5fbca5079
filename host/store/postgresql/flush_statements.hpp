// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"
#include "layout.hpp"
#include "row_guess.hpp"

#include "store/changes.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::store::postgresql {

/// The statements of one flush: one a table and shape, each column an array. Their order is that of the calls. What is to be written lives
/// as long.
class FlushStatements {
public:
    void add(Command command) { put(std::move(command), {}, {}); }
    void add_unprepared(std::string sql) { put({std::move(sql), {}, false}, {}, {}); }
    void erase(const TableLayout &table, const TableFlush &flush);
    void change(const TableLayout &table, const TableFlush &flush);
    void create(const TableLayout &table, const TableFlush &flush);
    void write_blind(const TableLayout &table, const TableFlush &flush, const BlindWrite &write);

    bool empty() const noexcept { return commands_.empty(); }
    std::size_t size() const noexcept { return written_.size(); } ///< also after `take`
    std::vector<Command> take() { return std::move(commands_); }

    /// What it means that a statement touched another number of rows than it should have: the batch is to be run again. Also after `take`.
    std::optional<std::string> unexpected(std::size_t statement, std::uint64_t touched) const;

    /// Which row it seems to be that the server refused. Also after `take`.
    std::optional<RefusedRow> refused(const RefusedByServer &refusal) const { return guess_refused_row(refusal.said(), written_); }

private:
    void change_anew(const TableLayout &table, const TableFlush &flush);
    /// @param otherwise what it means where it doesn't touch as many rows as were given; empty: any number will do
    void put(Command command, WrittenRows rows, std::string otherwise);

    std::vector<Command> commands_;
    std::vector<WrittenRows> written_;   ///< by each
    std::vector<std::string> otherwise_; ///< for each
};

} // namespace weir::store::postgresql
