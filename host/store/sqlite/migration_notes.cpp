// SPDX-License-Identifier: Apache-2.0
// What schema_migrations says of a domain's tables beyond their columns.
#include "migration.hpp"

#include "store/standard_tables.hpp"

namespace weir::store::sqlite {

namespace {

/// The tables of which a step is noted, and none after it that takes it back.
std::vector<std::string> tables_of_step(Connection &connection, const Schema &schema, std::string (*step)(const std::string &)) {
    std::vector<std::string> found;
    const std::string steps = connection.qualified("schema_migrations");
    for (const Table &table : schema.tables) {
        connection.guard([&] {
            connection
                .query("select count(*) from " + steps + " as a where a.step = ? and not exists (select 1 from " + steps +
                           " as r where r.step = ? and r.id > a.id)",
                       {Storage::text, Storage::text}, {Storage::integer})
                .text(0, step(table.name))
                .text(1, "rebuilt table " + table.name)
                .each([&](Query &row) {
                    if (row.take_integer(0) > 0) {
                        found.push_back(table.name);
                    }
                });
        });
    }
    return found;
}

} // namespace

std::vector<std::string> adopted_tables(Connection &connection, const Schema &schema) {
    return tables_of_step(connection, schema, [](const std::string &table) { return "adopted table " + table; });
}

std::vector<std::string> route_tables(Connection &connection, const Schema &schema) {
    return tables_of_step(connection, schema, route_change_step);
}

void note_rebuilt(Connection &connection, const std::string &table) {
    connection.guard([&] {
        connection
            .query("insert into " + connection.qualified("schema_migrations") + " (step, table_name, applied_at) values (?, ?, ?)",
                   {Storage::text, Storage::text, Storage::time}, {})
            .text(0, "rebuilt table " + table)
            .text(1, table)
            .time(2, event::now())
            .run();
    });
}

} // namespace weir::store::sqlite
