// SPDX-License-Identifier: Apache-2.0
#include "statement.hpp"

#include "store/store.hpp"

#include <soci/sqlite3/soci-sqlite3.h>

namespace weir::store::sqlite {

namespace {

/// Reads a time as Weir writes it, or as other programs write times without a zone in SQLite ("2025-11-24 10:00:07.04"): those are taken as
/// UTC.
event::Micros read_time(const std::string &text) {
    if (const auto time = event::parse_time(text)) {
        return *time;
    }
    std::string mended = text;
    if (mended.size() >= 19 && mended[10] == ' ') {
        mended[10] = 'T';
    }
    if (const auto time = event::parse_time(mended + "Z")) {
        return *time;
    }
    if (const auto time = event::parse_time(mended)) {
        return *time;
    }
    throw SchemaWrong("a time column holds text that is no time: write times as 2025-11-24T10:00:07.040058Z");
}

} // namespace

Storage storage_of(Type type) noexcept {
    switch (type) {
    case Type::int64:
    case Type::decimal:
    case Type::boolean:
        return Storage::integer;
    case Type::float64:
        return Storage::real;
    case Type::timestamp:
        return Storage::time;
    case Type::bytes:
        return Storage::bytes;
    case Type::text:
    case Type::citext:
    case Type::uuid:
    case Type::json:
        break;
    }
    return Storage::text;
}

const char *placeholder(Storage storage) noexcept { return storage == Storage::bytes ? "cast(? as blob)" : "?"; }

Bulk::Bulk(soci::session &session, const std::string &sql, std::span<const Storage> parameters) : statement_(session) {
    for (const Storage storage : parameters) {
        Column &column = columns_.emplace_back(Column{storage, {}, {}, {}, {}});
        if (storage == Storage::integer) {
            statement_.exchange(soci::use(column.integers, column.indicators));
        } else if (storage == Storage::real) {
            statement_.exchange(soci::use(column.reals, column.indicators));
        } else {
            statement_.exchange(soci::use(column.texts, column.indicators));
        }
    }
    statement_.alloc();
    statement_.prepare(sql);
    statement_.define_and_bind();
}

void Bulk::null(std::size_t parameter) {
    Column &column = columns_[parameter];
    if (column.storage == Storage::integer) {
        column.integers.push_back(0);
    } else if (column.storage == Storage::real) {
        column.reals.push_back(0);
    } else {
        column.texts.emplace_back();
    }
    column.indicators.push_back(soci::i_null);
}

void Bulk::text(std::size_t parameter, std::string value) {
    columns_[parameter].texts.push_back(std::move(value));
    columns_[parameter].indicators.push_back(soci::i_ok);
}

void Bulk::integer(std::size_t parameter, std::int64_t value) {
    columns_[parameter].integers.push_back(value);
    columns_[parameter].indicators.push_back(soci::i_ok);
}

void Bulk::time(std::size_t parameter, event::Micros value) { text(parameter, event::format_time(value)); }

void Bulk::value(std::size_t parameter, const Value &value) {
    if (std::holds_alternative<std::monostate>(value)) {
        null(parameter);
        return;
    }
    Column &column = columns_[parameter];
    switch (column.storage) {
    case Storage::integer:
        integer(parameter, std::get<std::int64_t>(value));
        return;
    case Storage::real:
        column.reals.push_back(std::get<double>(value));
        column.indicators.push_back(soci::i_ok);
        return;
    case Storage::time:
        time(parameter, std::get<std::int64_t>(value));
        return;
    case Storage::text:
    case Storage::bytes:
        text(parameter, std::get<std::string>(value));
        return;
    }
}

std::size_t Bulk::rows() const noexcept { return columns_.empty() ? 0 : columns_.front().indicators.size(); }

std::uint64_t Bulk::run() {
    if (rows() == 0) { // SOCI refuses empty vectors
        return 0;
    }
    struct Clear {
        Bulk &bulk;
        ~Clear() { bulk.clear(); }
    } clear{*this};
    statement_.execute(true);
    return static_cast<std::uint64_t>(statement_.get_affected_rows());
}

void Bulk::clear() {
    for (Column &column : columns_) {
        column.texts.clear();
        column.integers.clear();
        column.reals.clear();
        column.indicators.clear();
    }
}

Query::Query(soci::session &session, const std::string &sql, std::span<const Storage> parameters, std::span<const Storage> results)
    : statement_(session) {
    const auto exchange = [&](Slot &slot, auto bind) {
        if (slot.storage == Storage::integer) {
            bind(slot.integer, slot.indicator);
        } else if (slot.storage == Storage::real) {
            bind(slot.real, slot.indicator);
        } else {
            bind(slot.text, slot.indicator);
        }
    };
    for (const Storage storage : results) {
        exchange(results_.emplace_back(Slot{storage, {}}),
                 [&](auto &value, soci::indicator &indicator) { statement_.exchange(soci::into(value, indicator)); });
    }
    for (const Storage storage : parameters) { // what `use` returns refers to a temporary name, so that it can't be handed on
        exchange(parameters_.emplace_back(Slot{storage, {}}),
                 [&](auto &value, soci::indicator &indicator) { statement_.exchange(soci::use(value, indicator)); });
    }
    statement_.alloc();
    statement_.prepare(sql);
    statement_.define_and_bind();
}

Query::Reset::~Reset() { // SOCI resets a statement only when it is run again
    sqlite_api::sqlite3_reset(static_cast<soci::sqlite3_statement_backend *>(query.statement_.get_backend())->stmt_);
}

Query &Query::null(std::size_t parameter) {
    parameters_[parameter].indicator = soci::i_null;
    return *this;
}

Query &Query::text(std::size_t parameter, std::string value) {
    parameters_[parameter].text = std::move(value);
    parameters_[parameter].indicator = soci::i_ok;
    return *this;
}

Query &Query::integer(std::size_t parameter, std::int64_t value) {
    parameters_[parameter].integer = value;
    parameters_[parameter].indicator = soci::i_ok;
    return *this;
}

Query &Query::time(std::size_t parameter, event::Micros value) { return text(parameter, event::format_time(value)); }

Query &Query::value(std::size_t parameter, const Value &value) {
    assign(parameters_[parameter], value);
    return *this;
}

void Query::assign(Slot &slot, const Value &value) {
    if (std::holds_alternative<std::monostate>(value)) {
        slot.indicator = soci::i_null;
        return;
    }
    slot.indicator = soci::i_ok;
    switch (slot.storage) {
    case Storage::integer:
        slot.integer = std::get<std::int64_t>(value);
        return;
    case Storage::real:
        slot.real = std::get<double>(value);
        return;
    case Storage::time:
        slot.text = event::format_time(std::get<std::int64_t>(value));
        return;
    case Storage::text:
    case Storage::bytes:
        slot.text = std::get<std::string>(value);
        return;
    }
}

std::uint64_t Query::run() {
    Reset reset{*this};
    statement_.execute(true);
    return static_cast<std::uint64_t>(statement_.get_affected_rows());
}

Value Query::take(std::size_t result) {
    Slot &slot = results_[result];
    if (slot.indicator == soci::i_null) {
        return std::monostate();
    }
    switch (slot.storage) {
    case Storage::integer:
        return static_cast<std::int64_t>(slot.integer);
    case Storage::real:
        return slot.real;
    case Storage::time:
        return read_time(slot.text);
    case Storage::text:
    case Storage::bytes:
        break;
    }
    return std::move(slot.text);
}

event::Micros Query::take_time(std::size_t result) { return read_time(results_[result].text); }

} // namespace weir::store::sqlite
