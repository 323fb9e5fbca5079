// SPDX-License-Identifier: Apache-2.0
#include "plugin/module.hpp"
#include "store/changes.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>
#include <weir/testkit.hpp>

#include <cmath>
#include <cstdlib>
#include <map>
#include <random>

namespace {

namespace kit = weir::testkit;
namespace store = weir::store;

/// Random changes to the tables of the fixture, right and wrong, as the ABI carries them and as the host's store takes them.
class Generator {
public:
    Generator(const store::Schema &schema, std::uint64_t seed) : schema_(schema), random_(seed) {}

    struct Cell {
        weir_cell_v1 raw{};
        store::Value value;
    };
    struct Change {
        std::uint32_t table = 0;
        std::uint32_t kind = 0;
        std::vector<Cell> key;
        std::vector<Cell> cells;
        std::optional<Cell> guard;
    };

    Change next() {
        Change change;
        change.table = below(static_cast<std::uint32_t>(schema_.tables.size()));
        change.kind = WEIR_CHANGE_UPSERT + below(4);
        const store::Table &table = schema_.tables[change.table];
        for (const std::uint32_t column : table.primary_key) {
            change.key.push_back(cell(table, column, WEIR_CELL_SET));
        }
        for (std::uint32_t column = 0; column < table.columns.size(); ++column) {
            const bool in_key = std::find(table.primary_key.begin(), table.primary_key.end(), column) != table.primary_key.end();
            if (!in_key && change.kind != WEIR_CHANGE_ERASE && below(10) < 6) {
                change.cells.push_back(cell(table, column, operation(table.columns[column])));
            }
        }
        if (change.kind != WEIR_CHANGE_INSERT && below(3) == 0) {
            change.guard = cell(table, below(static_cast<std::uint32_t>(table.columns.size())), WEIR_CELL_SET);
        }
        return change;
    }

private:
    std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }

    std::uint32_t operation(const store::Column &column) {
        const bool number = column.type == store::Type::int64 || column.type == store::Type::decimal;
        const bool ordered = number || column.type == store::Type::timestamp;
        if (below(40) == 0) {
            return WEIR_CELL_SET + below(5); // often one that doesn't fit
        }
        return number ? WEIR_CELL_SET + below(5) : ordered && below(2) ? WEIR_CELL_MAX + below(2) : WEIR_CELL_SET + below(2);
    }

    Cell cell(const store::Table &table, std::uint32_t column, std::uint32_t operation) {
        static const std::vector<std::string> texts{"Ada", "ada", "ADA", "B", "", "\xC3\xA9", "\xff", std::string("a\0b", 3)};
        static const std::vector<std::string> uuids{"90C192CF-d3ac-44af-8f21-ddb66cad4a26", "90c192cf-d3ac-44af-8f21-ddb66cad4a26",
                                                    "00000000-0000-4000-8000-000000000000", "no"};
        static const std::vector<std::string> jsons{"{}", R"({"a":[1,2]})", "{", R"("\u0000")", R"("\ud800")"};
        static const std::vector<std::int64_t> numbers{0, 1, -1, 7, 499999999999, 999999999999, 1000000000000, INT64_MAX, INT64_MIN};
        Cell out;
        out.raw.column = column;
        out.raw.operation = operation;
        const auto text = [&](const std::vector<std::string> &choices, std::uint32_t right) {
            const std::string &chosen = choices[below(20) ? below(right) : below(static_cast<std::uint32_t>(choices.size()))];
            out.raw.text = {chosen.data(), chosen.size()};
            out.value = chosen;
        };
        if (below(12) == 0) {
            out.raw.flags = WEIR_CELL_IS_NULL;
            return out;
        }
        switch (table.columns[column].type) {
        case store::Type::text:
        case store::Type::citext:
        case store::Type::bytes:
            text(texts, 6);
            break;
        case store::Type::uuid:
            text(uuids, 3);
            break;
        case store::Type::json:
            text(jsons, 2);
            break;
        case store::Type::float64:
            out.raw.number = below(10) ? below(100) / 4.0 : HUGE_VAL;
            out.value = out.raw.number;
            break;
        case store::Type::boolean:
            out.raw.integer = below(20) ? below(2) : 2;
            out.value = out.raw.integer;
            break;
        default:
            out.raw.integer = numbers[below(10) ? below(5) : below(static_cast<std::uint32_t>(numbers.size()))];
            out.value = out.raw.integer;
        }
        return out;
    }

    const store::Schema &schema_;
    std::mt19937_64 random_;
};

/// Hands a change to the kit; false where it is refused.
bool to_kit(kit::Tables &tables, const Generator::Change &change, const kit::Tables::Origin &origin, bool &stale, std::string &reason) {
    std::vector<weir_cell_v1> cells;
    for (const auto *part : {&change.key, &change.cells}) {
        for (const auto &cell : *part) {
            cells.push_back(cell.raw);
        }
    }
    weir_change_v1 raw{};
    raw.size = sizeof(raw);
    raw.table = change.table;
    raw.kind = change.kind;
    raw.cell_count = static_cast<std::uint32_t>(cells.size());
    raw.cells = cells.data();
    raw.cell_stride = sizeof(weir_cell_v1);
    raw.guard = change.guard ? &change.guard->raw : nullptr;
    kit::StatedChange stated;
    auto refused = tables.check(raw, stated);
    if (!refused) {
        refused = tables.apply(stated, origin, stale);
    }
    reason = refused.value_or("");
    return !refused;
}

/// Hands a change to the host's model of what a change means; false where it is refused.
bool to_host(const store::Schema &schema, std::vector<std::map<store::Key, store::Row>> &rows, const Generator::Change &change,
             const store::Origin &origin, bool &stale, std::string &reason) {
    store::Change out;
    out.table = change.table;
    out.kind = static_cast<store::ChangeKind>(change.kind);
    for (const auto &cell : change.key) {
        out.key.push_back(cell.value);
    }
    for (const auto &cell : change.cells) {
        out.cells.push_back({cell.raw.column, static_cast<store::CellOperation>(cell.raw.operation), cell.value});
    }
    if (change.guard) {
        out.guard = store::Guard{change.guard->raw.column, change.guard->value};
    }
    if (auto refused = store::check_change(schema, out)) {
        reason = *refused;
        return false;
    }
    const store::Table &table = schema.tables[change.table];
    const store::Key key = store::comparable_key(table, out.key);
    const auto found = rows[change.table].find(key);
    std::optional<store::Row> row = found == rows[change.table].end() ? std::nullopt : std::optional(found->second);
    if (auto refused = store::apply_change(table, out, origin, row, stale)) {
        reason = *refused;
        return false;
    }
    if (row) {
        rows[change.table].insert_or_assign(key, *row);
    } else {
        rows[change.table].erase(key);
    }
    return true;
}

} // namespace

TEST_CASE("the test kit applies random changes exactly as the host's store does, and refuses the same ones") {
    const kit::Module module(std::string(WEIR_TEST_FIXTURES) + "/shop-floor.so");
    weir::plugin::Description description;
    REQUIRE_FALSE(weir::plugin::describe(module.descriptor(), description));
    const char *given = std::getenv("WEIR_TEST_PARITY_CHANGES");
    const long changes = given ? std::strtol(given, nullptr, 10) : 20000;
    std::mt19937_64 seeds(weir::test::seed());
    long applied = 0;
    for (long done = 0; done < changes;) {
        kit::Tables tables(module.tables());
        std::vector<std::map<store::Key, store::Row>> rows(description.schema.tables.size());
        Generator generator(description.schema, seeds());
        for (int i = 0; i < 50; ++i, ++done) {
            const auto change = generator.next();
            const std::int64_t now = 1735689600000000 + i;
            const std::string id = std::string(kit::uuid_v5(weir::Uuid(), std::to_string(i)).text());
            bool kit_stale = false;
            bool host_stale = false;
            std::string kit_reason;
            std::string host_reason;
            const bool kit_took = to_kit(tables, change, {now, *weir::Uuid::parse(id)}, kit_stale, kit_reason);
            const bool host_took = to_host(description.schema, rows, change, {now, *weir::event::Uuid::parse(id)}, host_stale, host_reason);
            INFO("kit: " << kit_reason << "; host: " << host_reason);
            REQUIRE(kit_took == host_took);
            REQUIRE(kit_stale == host_stale);
            applied += kit_took ? 1 : 0;
            for (std::uint32_t t = 0; t < rows.size(); ++t) {
                REQUIRE(tables.rows(t) == rows[t]);
            }
        }
    }
    CHECK(applied > changes / 10);
}
