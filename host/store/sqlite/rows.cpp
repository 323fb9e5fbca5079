// SPDX-License-Identifier: Apache-2.0
#include "columns.hpp"
#include "session.hpp"

namespace weir::store::sqlite {

std::vector<std::optional<Row>> SqliteSession::fetch(std::uint32_t number, std::span<const Key> keys) {
    const Table &table = table_of(number);
    std::vector<std::optional<Row>> rows;
    rows.reserve(keys.size());
    connection_.guard([&] {
        // The whole file is locked for writing since `begin`, so that reading is locking. One prepared look-up a key:
        // there is no round trip that a set-based form would save.
        Query &query = connection_.query("select " + all_columns(table) + " from " + name_of(number) + " where " + key_condition(table),
                                         key_storages(table), all_storages(table));
        for (const Key &key : keys) {
            for (std::size_t i = 0; i < key.size(); ++i) {
                query.value(i, key[i]);
            }
            std::optional<Row> &row = rows.emplace_back();
            query.each([&](Query &result) { row = take_row(result, table.columns.size()); });
        }
    });
    return rows;
}

std::uint64_t SqliteSession::count_rows(std::uint32_t table) {
    std::uint64_t count = 0;
    connection_.guard([&] {
        connection_.query("select count(*) from " + name_of(table), {}, {Storage::integer}).each([&](Query &row) {
            count = static_cast<std::uint64_t>(row.take_integer(0));
        });
    });
    return count;
}

} // namespace weir::store::sqlite
