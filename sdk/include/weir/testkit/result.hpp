// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a test gives to a handler, and what it gets back.
#pragma once

#include "call.hpp"

namespace weir::testkit {

/// Something is not as a test expected it.
class Failed : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A cell as text (see `show`); nothing is null.
using CellText = std::optional<std::string>;
/// Some cells of a row, by the names of their columns.
using Row = std::map<std::string, CellText>;

/// A change as a handler stated it.
struct Change {
    std::string kind;                                                ///< "upsert", "insert", "update" or "erase"
    std::string table;                                               ///< the table's name
    Row cells;                                                       ///< what it states, the key among it
    std::map<std::string, std::string> operations;                   ///< "set", "keep", "add", "max" or "min" for each cell but the key's
    std::optional<std::pair<std::string, std::string>> unless_later; ///< the guard: column and value
};

/// What one event came to.
struct Result {
    weir_status status = WEIR_OK; ///< as the host sees it: a call that was refused makes it WEIR_REJECT
    bool ignored = false;         ///< there is no handler for its type
    bool stale = false;           ///< a guard turned a change away
    std::string error_code;       ///< of reject, retry and fatal
    std::string error_message;    ///< of reject, retry and fatal
    std::vector<Change> changes;  ///< what was stated; of no effect unless `status` is WEIR_OK
    std::vector<Emitted> emitted; ///< what was emitted; of no effect unless `status` is WEIR_OK
    std::vector<std::string> log; ///< lines for the host's log

    /// Throws Failed unless the event was handled.
    const Result &expect_ok() const { return expect(WEIR_OK, ""); }
    /// Throws Failed unless it is to be a dead letter with this code.
    const Result &expect_rejected(std::string_view code) const { return expect(WEIR_REJECT, code); }
    /// Throws Failed unless it is to run again later, with this code.
    const Result &expect_retry(std::string_view code) const { return expect(WEIR_RETRY, code); }
    /// Throws Failed unless the handler stopped the domain, with this code.
    const Result &expect_fatal(std::string_view code) const { return expect(WEIR_FATAL, code); }
    /// Throws Failed unless the handler skipped it.
    const Result &expect_skipped() const { return expect(WEIR_SKIP, ""); }

    /// One line that says what it came to.
    std::string describe() const {
        constexpr const char *names[] = {"ok", "skip", "reject", "retry", "fatal"};
        std::string out = ignored ? "ignored" : names[status];
        out += error_code.empty() ? "" : " (" + error_code + ": " + error_message + ")";
        return out + (stale ? ", stale" : "") + ", " + std::to_string(changes.size()) + " changes";
    }

private:
    const Result &expect(weir_status expected, std::string_view code) const {
        if (ignored || status != expected || (!code.empty() && error_code != code)) {
            constexpr const char *names[] = {"ok", "skip", "reject", "retry", "fatal"};
            throw Failed("expected " + std::string(names[expected]) + (code.empty() ? "" : " (" + std::string(code) + ")") +
                         ", but it came to " + describe());
        }
        return *this;
    }
};

/// What surrounds a payload; everything has a default that makes a plain new event of each call.
struct Given {
    std::string event_id = {};                                      ///< empty: a new one each time
    std::string tenant_id = "7e57ab1e-0000-4000-8000-000000000001"; ///< as the envelope would carry it
    std::string correlation_id = {};                                ///< as the envelope would carry it
    std::string occurred_at = {};                                   ///< RFC 3339; empty: a second after the last one
    std::string topic = "test";                                     ///< where it came from
    std::string key = {};                                           ///< what orders it
    std::uint32_t schema_version = 1;                               ///< as the envelope would carry it
    std::uint32_t attempt = 1;                                      ///< 1 on the first run
    std::vector<std::pair<std::string, std::string>> headers = {};  ///< of the broker
};

/// How an instance is set up.
struct Options {
    std::string settings = "{}";  ///< the domain's settings, a JSON object
    std::string domain = "test";  ///< the domain's name
    std::string schema = "test";  ///< the domain's schema
    std::uint32_t generation = 1; ///< counts files under the plugin's name
};

/// @cond internal
namespace detail {

inline Change show_change(const std::vector<TableInfo> &schema, const StatedChange &stated) {
    constexpr const char *kinds[] = {"", "upsert", "insert", "update", "erase"};
    constexpr const char *operations[] = {"", "set", "keep", "add", "max", "min"};
    const TableInfo &table = schema[stated.table];
    Change out;
    out.kind = kinds[stated.kind];
    out.table = table.name;
    for (std::size_t i = 0; i < stated.key.size(); ++i) {
        const ColumnInfo &column = table.columns[table.primary_key[i]];
        out.cells[column.name] = show(column, stated.key[i]);
    }
    for (const CellChange &cell : stated.cells) {
        const ColumnInfo &column = table.columns[cell.column];
        out.cells[column.name] = show(column, cell.value);
        out.operations[column.name] = operations[cell.operation];
    }
    if (stated.guard) {
        const ColumnInfo &column = table.columns[stated.guard->column];
        out.unless_later = {column.name, show(column, stated.guard->value).value_or("")};
    }
    return out;
}

inline Row show_row(const TableInfo &table, const Cells &cells) {
    Row row;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        row[table.columns[i].name] = show(table.columns[i], cells[i]);
    }
    return row;
}

} // namespace detail
/// @endcond

} // namespace weir::testkit
