// SPDX-License-Identifier: Apache-2.0
#include "counters.hpp"

#include "ddl.hpp"
#include "layout.hpp"

#include "store/store.hpp"

namespace weir::store::postgresql {

namespace {

bool has_function(Connection &connection, const Place &place, const std::string &name) {
    bool there = false;
    connection.guard([&] {
        connection
            .query("select exists (select from pg_proc where proname = :a and pronamespace = "
                   "(select oid from pg_namespace where nspname = :b))",
                   2, 1)
            .text(0, name)
            .text(1, place.schema)
            .each([&](Query &row) { there = row.take_boolean(0); });
    });
    return there;
}

bool lacks_zone(const Table &table, const Column &column, const std::map<std::string, ExistingTable> &existing) {
    const auto there = existing.find(table.name);
    const ExistingColumn *found = there == existing.end() ? nullptr : there->second.column(column.name);
    return found && found->type == "timestamp without time zone";
}

std::string function_sql(const Place &place, const Table &table, const Counter &counter,
                         const std::map<std::string, ExistingTable> &existing) {
    std::string parameters;
    std::string columns;
    std::string values;
    std::string key;
    int parameter = 0;
    for (const std::uint32_t number : table.primary_key) {
        const Column &column = table.columns[number];
        const std::string name = quote_name(column.name);
        const std::string comma = key.empty() ? "" : ", ";
        const std::string type = sql_type({table, "", false, {}, {}}, column);
        parameters += comma + name + " " + type.substr(0, type.find(" collate"));
        columns += comma + name;
        key += comma + name;
        values += comma + "$" + std::to_string(++parameter);
    }
    const std::string count = quote_name(table.columns[counter.count_column].name);
    columns += ", " + count;
    values += ", 1";
    std::string changes = count + " = coalesce(it." + count + ", 0) + 1";
    if (counter.time_column) {
        const Column &column = table.columns[*counter.time_column];
        const std::string time = quote_name(column.name);
        columns += ", " + time;
        values +=
            lacks_zone(table, column, existing) ? ", pg_catalog.clock_timestamp() at time zone 'UTC'" : ", pg_catalog.clock_timestamp()";
        changes += ", " + time + " = greatest(it." + time + ", excluded." + time + ")";
    }
    return "create function " + place.qualified(counter.name) + "(" + parameters + ") returns bigint language sql as " +
           quote_text("insert into " + place.qualified(table.name) + " as it (" + columns + ") values (" + values + ") on conflict (" +
                      key + ") do update set " + changes + " returning " + count);
}

} // namespace

std::vector<Step> counter_steps(Connection &connection, const Place &place, const Schema &schema,
                                const std::map<std::string, ExistingTable> &existing) {
    std::vector<Step> steps;
    if (is_shadow_schema(place.schema)) {
        return steps;
    }
    for (const Counter &counter : schema.counters) {
        if (!has_function(connection, place, counter.name)) {
            const Table &table = schema.tables[counter.table];
            steps.push_back({"created function " + counter.name, function_sql(place, table, counter, existing), table.name, {}});
        }
    }
    return steps;
}

} // namespace weir::store::postgresql
