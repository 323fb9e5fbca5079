// SPDX-License-Identifier: Apache-2.0
#include "contract_schema.hpp"

namespace weir::test {

using namespace store;

namespace {

Column column(const std::string &name, Type type, bool nullable = false) {
    Column made;
    made.name = name;
    made.type = type;
    made.nullable = nullable;
    return made;
}

} // namespace

Schema contract_schema() {
    Table every;
    every.name = "every_type";
    every.columns = {column("id", Type::text),
                     column("part", Type::int64),
                     column("folded", Type::citext, true),
                     column("integer", Type::int64, true),
                     column("number", Type::float64, true),
                     column("amount", Type::decimal, true),
                     column("flag", Type::boolean, true),
                     column("uid", Type::uuid, true),
                     column("at", Type::timestamp, true),
                     column("document", Type::json, true),
                     column("raw", Type::bytes, true)};
    every.columns[all_types::kDecimal].precision = 18;
    every.columns[all_types::kDecimal].scale = 4;
    every.primary_key = {0, 1};

    Table folk;
    folk.name = "people";
    folk.columns = {column("name", Type::text), column("email", Type::citext, true), column("age", Type::int64),
                    column("boss", Type::text, true)};
    folk.primary_key = {people::kName};
    folk.indexes = {{"people_email", {people::kEmail}, true}, {"people_age", {people::kAge}, false}};
    folk.references = {{{people::kBoss}, people::kTable, {people::kName}}};

    Table animals;
    animals.name = "pets";
    animals.columns = {column("name", Type::text), column("owner", Type::text)};
    animals.primary_key = {pets::kName};
    animals.references = {{{pets::kOwner}, people::kTable, {people::kName}}};
    return Schema{{every, folk, animals}};
}

std::unique_ptr<DomainStore> contract_domain(Store &store) {
    auto domain = store.domain("contract");
    domain->migrate(contract_schema());
    return domain;
}

Row full_row(const std::string &id) {
    Row row(all_types::kColumns);
    row[all_types::kId] = id;
    row[all_types::kPart] = std::int64_t{0};
    row[all_types::kInteger] = std::int64_t{1};
    return row;
}

Row person(const std::string &name, const Value &email, std::int64_t age, const Value &boss) { return {name, email, age, boss}; }

event::Uuid id_of(std::uint64_t number) {
    event::Uuid id;
    for (std::size_t i = 0; i < 8; ++i) {
        id.bytes[15 - i] = static_cast<std::uint8_t>(number >> (8 * i));
    }
    return id;
}

TableFlush created(std::uint32_t table, std::vector<Row> rows) {
    TableFlush flush;
    flush.table = table;
    flush.created = std::move(rows);
    return flush;
}

} // namespace weir::test
