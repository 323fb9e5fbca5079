// SPDX-License-Identifier: Apache-2.0
#include "table_order.hpp"

namespace weir::store {

namespace {

void visit(const Schema &schema, std::uint32_t table, std::vector<bool> &visited, std::vector<std::uint32_t> &order) {
    if (visited[table]) {
        return;
    }
    visited[table] = true;
    for (const Reference &reference : schema.tables[table].references) {
        visit(schema, reference.target_table, visited, order);
    }
    order.push_back(table);
}

} // namespace

std::vector<std::uint32_t> tables_by_reference(const Schema &schema) {
    std::vector<bool> visited(schema.tables.size());
    std::vector<std::uint32_t> order;
    for (std::uint32_t i = 0; i < schema.tables.size(); ++i) {
        visit(schema, i, visited, order);
    }
    return order;
}

} // namespace weir::store
