// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"
#include "layout.hpp"

#include "store/changes.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::store::postgresql {

/// The statements of one flush: one a table and shape, each column an array. Their order is that of the calls.
class FlushStatements {
public:
    void add(Command command) { put(std::move(command), {}, 0); }
    void erase(const TableLayout &table, const TableFlush &flush);
    void change(const TableLayout &table, const TableFlush &flush);
    void create(const TableLayout &table, std::span<const Row> rows);
    void write_blind(const TableLayout &table, const BlindWrite &write);

    bool empty() const noexcept { return commands_.empty(); }
    std::vector<Command> take() { return std::move(commands_); }

    /// What it means that a statement touched another number of rows than it should have: the batch is to be run again. Also after `take`.
    std::optional<std::string> unexpected(std::size_t statement, std::uint64_t touched) const;

private:
    void change_anew(const TableLayout &table, std::span<const Row> rows);
    void put(Command command, std::string otherwise, std::size_t rows);

    struct Expected {
        std::size_t rows = 0;
        std::string otherwise; ///< empty: any number will do
    };
    std::vector<Command> commands_;
    std::vector<Expected> expected_;
};

} // namespace weir::store::postgresql
