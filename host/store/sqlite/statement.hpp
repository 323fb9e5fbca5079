// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/time.hpp"
#include "store/schema.hpp"

#include <soci/soci.h>

#include <deque>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace weir::store::sqlite {

/// How a value lies in a file: TEXT, INTEGER, REAL, TEXT in RFC 3339 for a time, BLOB.
enum class Storage : std::uint8_t { text, integer, real, time, bytes };

Storage storage_of(Type type) noexcept;

/// The placeholder of a parameter. SOCI binds strings as TEXT only, so that bytes are cast; a cast keeps them, NULs included.
const char *placeholder(Storage storage) noexcept;

/// A statement that is run once a row, for many rows at once. Kept prepared.
class Bulk {
public:
    Bulk(soci::session &session, const std::string &sql, std::span<const Storage> parameters);
    Bulk(const Bulk &) = delete;
    Bulk &operator=(const Bulk &) = delete;

    void null(std::size_t parameter);
    void text(std::size_t parameter, std::string value);
    void integer(std::size_t parameter, std::int64_t value);
    void time(std::size_t parameter, event::Micros value);
    void value(std::size_t parameter, const Value &value);

    std::size_t rows() const noexcept;
    /// Runs the statement for all rows and forgets them. Throws soci::soci_error; the rows before the failing one are written then.
    /// @return how many rows were touched
    std::uint64_t run();

private:
    struct Column {
        Storage storage;
        std::vector<std::string> texts;
        std::vector<long long> integers;
        std::vector<double> reals;
        std::vector<soci::indicator> indicators;
    };
    void clear();

    std::deque<Column> columns_; // SOCI keeps the addresses
    soci::statement statement_;
};

/// A statement that is run with one set of parameters, with results or without. Kept prepared; never left open.
class Query {
public:
    Query(soci::session &session, const std::string &sql, std::span<const Storage> parameters, std::span<const Storage> results);
    Query(const Query &) = delete;
    Query &operator=(const Query &) = delete;

    Query &null(std::size_t parameter);
    Query &text(std::size_t parameter, std::string value);
    Query &integer(std::size_t parameter, std::int64_t value);
    Query &time(std::size_t parameter, event::Micros value);
    Query &value(std::size_t parameter, const Value &value);

    /// Runs it; calls `on_row` for each row, which takes the results. Throws soci::soci_error.
    template <class OnRow> void each(OnRow on_row) {
        Reset reset{*this};
        for (bool more = statement_.execute(true); more; more = statement_.fetch()) {
            on_row(*this);
        }
    }
    /// Runs a statement without results.
    /// @return how many rows were touched
    std::uint64_t run();

    bool is_null(std::size_t result) const { return results_[result].indicator == soci::i_null; }
    /// The result as a canonical value; throws SchemaWrong where a time can't be read as one.
    Value take(std::size_t result);
    std::string take_text(std::size_t result) { return std::move(results_[result].text); }
    std::int64_t take_integer(std::size_t result) const { return results_[result].integer; }
    event::Micros take_time(std::size_t result);

private:
    struct Slot {
        Storage storage;
        std::string text;
        long long integer = 0;
        double real = 0;
        soci::indicator indicator = soci::i_null;
    };
    struct Reset {
        Query &query;
        ~Reset();
    };
    static void assign(Slot &slot, const Value &value);

    std::deque<Slot> parameters_;
    std::deque<Slot> results_;
    soci::statement statement_;
};

} // namespace weir::store::sqlite
