// SPDX-License-Identifier: Apache-2.0
#include "random_changes.hpp"

#include "event/time.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace weir::test {

using namespace store;

namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

const std::vector<std::string> &texts() {
    static const std::vector<std::string> pool = {
        "",         "a",        "A",      "abc", "ABC",  "aBc",
        " ",        "null",     "it's",   "\\x", "a\nb", "\xF0\x9F\x98\x80",
        "\xC3\xA9", "\xC3\x89", "x'; --", "0",   "{}",   "a text that is too long for the small buffer of a string"};
    return pool;
}

const std::vector<std::string> &documents() {
    static const std::vector<std::string> pool = {
        "null", "true", "0", "\"\"", "[]", "{}", "[1, 2, 3]", R"({"a": 1, "b": [null]})", "\"\xF0\x9F\x98\x80\""};
    return pool;
}

std::int64_t small(Random &random) { return static_cast<std::int64_t>(random.below(7)) - 3; }

std::int64_t random_integer(Random &random) {
    static const std::vector<std::int64_t> limits = {kMost, kLeast, kMost - 1, kLeast + 1, 1LL << 53, (1LL << 53) + 1, 1LL << 32};
    return random.chance(85) ? small(random) : random.pick(limits);
}

std::int64_t random_decimal(Random &random, std::uint32_t precision) {
    std::int64_t limit = 1;
    for (std::uint32_t i = 0; i < precision; ++i) {
        limit *= 10;
    }
    if (random.chance(15)) {
        return random.chance(50) ? limit - 1 : 1 - limit;
    }
    return std::clamp(small(random), 1 - limit, limit - 1);
}

std::int64_t random_time(Random &random) {
    static const std::vector<std::int64_t> limits = {event::kEarliest, event::kLatest, 0, -1};
    return random.chance(85) ? 1'700'000'000'000'000 + static_cast<std::int64_t>(random.below(5)) : random.pick(limits);
}

double random_number(Random &random) {
    static const std::vector<double> pool = {0.0, 0.1, -1.5, 1.0 / 3.0, 1e300, -1e300, 5e-324, 1.7976931348623157e308, 9007199254740993.0};
    return random.pick(pool);
}

std::string random_uuid(Random &random) {
    static const std::vector<std::string> pool = {"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
                                                  "018f3a5c-7d1e-7a90-b3c4-0123456789ab", "018f3a5c-7d1e-7a90-b3c4-0123456789ac"};
    return random.pick(pool);
}

std::string random_bytes(Random &random) {
    static const std::vector<std::string> pool = {"", std::string("\0", 1), std::string("a\0b", 3), "\xFF\xFE", "\x80", "abc"};
    return random.pick(pool);
}

Value present_value(Random &random, const Column &column) {
    switch (column.type) {
    case Type::text:
    case Type::citext:
        return random.pick(texts());
    case Type::int64:
        return random_integer(random);
    case Type::float64:
        return random_number(random);
    case Type::decimal:
        return random_decimal(random, column.precision);
    case Type::boolean:
        return static_cast<std::int64_t>(random.below(2));
    case Type::uuid:
        return random_uuid(random);
    case Type::timestamp:
        return random_time(random);
    case Type::json:
        return random.pick(documents());
    case Type::bytes:
        return random_bytes(random);
    }
    return {};
}

Column random_column(Random &random, const std::string &name) {
    Column column;
    column.name = name;
    // Numbers and times twice as often: only they have operations to get wrong.
    static const std::vector<Type> types = {Type::text,    Type::citext,  Type::int64,     Type::float64, Type::decimal,
                                            Type::boolean, Type::uuid,    Type::timestamp, Type::json,    Type::bytes,
                                            Type::int64,   Type::decimal, Type::timestamp};
    column.type = random.pick(types);
    column.nullable = random.chance(60);
    if (column.type == Type::decimal) {
        column.precision = static_cast<std::uint32_t>(random.chance(50) ? 18 : random.between(1, 18));
        column.scale = static_cast<std::uint32_t>(random.below(column.precision + 1));
    }
    if (random.chance(45)) {
        column.default_kind = Default::literal;
        if (column.type == Type::timestamp && random.chance(60)) {
            column.default_kind = Default::now;
        } else if (column.type == Type::uuid && random.chance(60)) {
            column.default_kind = Default::new_id;
        } else {
            const bool zero = random.chance(30) && (column.type == Type::int64 || column.type == Type::decimal);
            column.default_value = zero ? Value(std::int64_t{0}) : present_value(random, column);
        }
    }
    return column;
}

Table random_table(Random &random, const std::string &name) {
    Table table;
    table.name = name;
    const std::size_t columns = random.between(2, 9);
    for (std::size_t i = 0; i < columns; ++i) {
        table.columns.push_back(random_column(random, "c" + std::to_string(i)));
    }
    static const std::vector<Type> key_types = {Type::text,    Type::citext, Type::citext,    Type::int64, Type::decimal,
                                                Type::boolean, Type::uuid,   Type::timestamp, Type::bytes};
    const std::size_t keys = std::min(random.between(1, 3), columns - 1);
    while (table.primary_key.size() < keys) {
        const auto index = static_cast<std::uint32_t>(random.below(columns));
        if (std::find(table.primary_key.begin(), table.primary_key.end(), index) != table.primary_key.end()) {
            continue;
        }
        Column &column = table.columns[index];
        column = Column{column.name, random.pick(key_types), false, 0, 0, Default::none, {}};
        if (column.type == Type::decimal) {
            column.precision = 6;
            column.scale = 2;
        }
        table.primary_key.push_back(index);
    }
    return table;
}

CellOperation random_operation(Random &random, const Column &column, ChangeMix mix) {
    const bool adds = column.type == Type::int64 || column.type == Type::decimal;
    const bool compares = adds || column.type == Type::timestamp;
    if (mix == ChangeMix::blind && compares && random.chance(90)) {
        // The name's last digit settles it, so that a column's changes fit each other.
        static const CellOperation settled[] = {CellOperation::add, CellOperation::max, CellOperation::add, CellOperation::min};
        const CellOperation operation = settled[static_cast<std::size_t>(column.name.back() - '0') % 4];
        return operation == CellOperation::add && !adds ? CellOperation::max : operation;
    }
    const std::size_t choice = random.below(10);
    if (adds && choice < 3) {
        return CellOperation::add;
    }
    if (compares && choice < 6) {
        return random.chance(50) ? CellOperation::max : CellOperation::min;
    }
    return choice == 9 || choice == 0 ? CellOperation::keep : CellOperation::set;
}

bool is_key(const Table &table, std::uint32_t column) {
    return std::find(table.primary_key.begin(), table.primary_key.end(), column) != table.primary_key.end();
}

void add_cells(Random &random, const Table &table, ChangeMix mix, Change &change) {
    const bool creates = change.kind == ChangeKind::upsert || change.kind == ChangeKind::insert;
    const unsigned stated = random.chance(50) ? 90 : 40;
    for (std::uint32_t i = 0; i < table.columns.size(); ++i) {
        const Column &column = table.columns[i];
        const bool required = creates && !column.nullable && column.default_kind == Default::none;
        if (is_key(table, i) || (!required && !random.chance(stated))) {
            continue;
        }
        change.cells.push_back(Cell{i, random_operation(random, column, mix), random_value(random, column)});
    }
    for (std::size_t i = change.cells.size(); i > 1; --i) {
        std::swap(change.cells[i - 1], change.cells[random.below(i)]);
    }
}

void add_guard(Random &random, const Table &table, Change &change) {
    std::vector<std::uint32_t> columns;
    for (std::uint32_t i = 0; i < table.columns.size(); ++i) {
        const Type type = table.columns[i].type;
        if (type == Type::int64 || type == Type::decimal || type == Type::timestamp) {
            columns.push_back(i);
        }
    }
    if (!columns.empty()) {
        const std::uint32_t column = random.pick(columns);
        change.guard = Guard{column, present_value(random, table.columns[column])};
    }
}

} // namespace

Schema random_schema(Random &random, std::size_t tables) {
    Schema schema;
    for (std::size_t i = 0; i < tables; ++i) {
        schema.tables.push_back(random_table(random, "t" + std::to_string(i)));
    }
    if (const auto reason = check_schema(schema)) {
        throw std::logic_error("the generator made a wrong schema: " + *reason);
    }
    return schema;
}

Value random_value(Random &random, const Column &column) {
    return column.nullable && random.chance(20) ? Value() : present_value(random, column);
}

Key random_key(Random &random, const Table &table) {
    Key key;
    for (const std::uint32_t index : table.primary_key) {
        const Column &column = table.columns[index];
        if (column.type == Type::text || column.type == Type::citext) {
            key.emplace_back(texts()[random.below(6)]);
        } else if (column.type == Type::int64 && random.chance(80)) {
            key.emplace_back(static_cast<std::int64_t>(random.below(3)));
        } else {
            key.push_back(present_value(random, column));
        }
    }
    return key;
}

Change random_change(Random &random, const Schema &schema, ChangeMix mix) {
    Change change;
    change.table = static_cast<std::uint32_t>(random.below(schema.tables.size()));
    const Table &table = schema.tables[change.table];
    static const std::vector<ChangeKind> kinds = {ChangeKind::upsert, ChangeKind::upsert, ChangeKind::upsert, ChangeKind::upsert,
                                                  ChangeKind::upsert, ChangeKind::upsert, ChangeKind::insert, ChangeKind::insert,
                                                  ChangeKind::update, ChangeKind::erase};
    change.kind = mix == ChangeMix::all ? random.pick(kinds) : kinds[random.below(8)];
    change.key = random_key(random, table);
    if (change.kind != ChangeKind::erase) {
        add_cells(random, table, mix, change);
    }
    if (mix == ChangeMix::all && change.kind != ChangeKind::insert && random.chance(20)) {
        add_guard(random, table, change);
    }
    if (const auto reason = check_change(schema, change)) {
        throw std::logic_error("the generator made a wrong change: " + *reason + " in " + describe(schema, change));
    }
    return change;
}

Origin random_origin(Random &random) {
    Origin origin;
    origin.now = 1'700'000'000'000'000 + static_cast<std::int64_t>(random.below(5));
    for (std::uint8_t &byte : origin.event_id.bytes) {
        byte = static_cast<std::uint8_t>(random.bits());
    }
    return origin;
}

std::string describe(const Value &value) {
    if (const auto *integer = std::get_if<std::int64_t>(&value)) {
        return std::to_string(*integer);
    }
    if (const auto *number = std::get_if<double>(&value)) {
        return std::to_string(*number);
    }
    const auto *text = std::get_if<std::string>(&value);
    return text ? "'" + *text + "'" : "null";
}

std::string describe(const std::vector<Value> &values) {
    std::string text = "(";
    for (const Value &value : values) {
        text += (text.size() > 1 ? ", " : "") + describe(value);
    }
    return text + ")";
}

std::string describe(const Schema &schema, const Change &change) {
    static const char *const kinds[] = {"?", "upsert", "insert", "update", "erase"};
    static const char *const operations[] = {"?", "set", "keep", "add", "max", "min"};
    const Table &table = schema.tables[change.table];
    std::string text = kinds[static_cast<int>(change.kind)];
    text += " " + table.name + describe(change.key);
    for (const Cell &cell : change.cells) {
        text +=
            " " + table.columns[cell.column].name + " " + operations[static_cast<int>(cell.operation)] + " " + describe(cell.value) + ";";
    }
    if (change.guard) {
        text += " if " + table.columns[change.guard->column].name + " <= " + describe(change.guard->value);
    }
    return text;
}

} // namespace weir::test
