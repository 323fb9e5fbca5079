// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

namespace weir::store::postgresql {

std::vector<std::optional<Row>> PostgresqlSession::fetch(std::uint32_t number, std::span<const Key> keys) {
    const TableLayout &table = table_of(number);
    std::vector<std::optional<Row>> rows(keys.size());
    if (keys.empty()) {
        return rows;
    }
    within_transaction([&] {
        std::vector<Form> forms;
        std::vector<Parameter> parameters;
        for (std::size_t part = 0; part < table.table->primary_key.size(); ++part) {
            const ColumnLayout &column = table.key(part);
            forms.push_back(column.form);
            Array array(column.form, column.scale);
            array.reserve(keys.size());
            for (const Key &key : keys) {
                column.folded ? array.text(fold_case(std::get<std::string>(key[part]))) : array.value(key[part]);
            }
            parameters.push_back(array.take());
        }
        std::vector<Command> commands;
        commands.push_back({"select given.n, " + table.all_columns("target") + " from " + given(forms, true) + " join " + table.name +
                                " target on " + table.key_matches("target") + " order by given.n for update of target",
                            std::move(parameters)});
        const std::vector<Reply> replies = exchange(std::move(commands));
        const Reply &reply = replies[0];
        for (int i = 0; i < reply.rows(); ++i) {
            Row &row = rows[static_cast<std::size_t>(decode_integer(reply.bytes(i, 0))) - 1].emplace();
            row.reserve(table.columns.size());
            for (std::size_t column = 0; column < table.columns.size(); ++column) {
                row.push_back(reply.value(i, static_cast<int>(column) + 1, table.columns[column].form, table.columns[column].scale));
            }
        }
    });
    return rows;
}

std::uint64_t PostgresqlSession::count_rows(std::uint32_t table) {
    std::uint64_t count = 0;
    const std::string &name = table_of(table).name;
    within_transaction([&] {
        Connection &connection = live();
        connection.guard([&] {
            connection.query("select count(*) from " + name, 0, 1).each([&](Query &row) {
                count = static_cast<std::uint64_t>(row.take_integer(0));
            });
        });
    });
    return count;
}

} // namespace weir::store::postgresql
