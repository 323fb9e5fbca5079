// SPDX-License-Identifier: Apache-2.0
#include "standard_tables.hpp"

#include "store/standard_tables.hpp"

#include <algorithm>

namespace weir::store::sqlite {

namespace {

TableForm form_of(StandardTable standard) {
    TableForm form = own_table(standard.table);
    form.checks = std::move(standard.checks);
    form.numbered = standard.numbered;
    form.without_rowid = form.without_rowid && !standard.numbered;
    return form;
}

} // namespace

std::vector<TableForm> standard_tables() {
    std::vector<TableForm> forms;
    for (StandardTable &one : store::standard_tables(false)) {
        forms.push_back(form_of(std::move(one)));
    }
    return forms;
}

TableForm event_ledger() { return form_of(young_ledger()); }

TableForm own_table(const Table &table) {
    TableForm form;
    form.table = table;
    // Rows with documents in them are long; a tree of long rows is deep, and a look-up reads more of them than one through an index.
    form.without_rowid = std::none_of(table.columns.begin(), table.columns.end(),
                                      [](const Column &column) { return column.type == Type::json || column.type == Type::bytes; });
    return form;
}

} // namespace weir::store::sqlite
