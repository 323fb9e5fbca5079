// SPDX-License-Identifier: Apache-2.0
#include "table_order.hpp"

#include <algorithm>

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

// Those that may refuse a row for others come as early as they can: what is written before them was written in vain.
std::vector<std::uint32_t> tables_by_reference(const Schema &schema) {
    std::vector<bool> visited(schema.tables.size());
    std::vector<std::uint32_t> order;
    const auto is_unique = [](const Index &index) { return index.unique; };
    for (const bool unique : {true, false}) {
        for (std::uint32_t i = 0; i < schema.tables.size(); ++i) {
            const std::vector<Index> &indexes = schema.tables[i].indexes;
            if (unique == std::any_of(indexes.begin(), indexes.end(), is_unique)) {
                visit(schema, i, visited, order);
            }
        }
    }
    return order;
}

} // namespace weir::store
