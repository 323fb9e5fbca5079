// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "existing.hpp"
#include "standard_tables.hpp"

#include "event/time.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace weir::store::postgresql {

/// One thing that a migration does.
struct Step {
    std::string text; ///< for the log
    std::string sql;  ///< empty: nothing to run, as where a table is adopted
    std::string table;
    std::vector<Column> columns; ///< whose declared types are to be kept
};

/// Finds what a schema needs beyond what is there, and what stands in its way.
class Plan {
public:
    /// The types that columns were declared with, by table and column.
    using Declared = std::map<std::pair<std::string, std::string>, std::string>;

    Plan(const Place &place, const Schema &schema, std::map<std::string, ExistingTable> existing, Declared declared);

    const std::vector<Step> &steps() const { return steps_; }
    const std::vector<std::string> &misfits() const { return misfits_; }

private:
    void add(const TableForm &form, bool is_standard);
    void add_index(const Table &table, const Index &index);
    void add_references(const Table &table, const std::vector<Table> &all);
    void check_column(const TableForm &form, const Column &column, const ExistingTable &there, bool is_standard,
                      std::vector<Column> *adopted);
    void add_column(const TableForm &form, const Column &column);
    void check_key(const TableForm &form, const ExistingTable &there);
    void check_undeclared(const Table &table, const ExistingTable &there);
    void check_indexes(const Table &table, const ExistingTable &there);

    std::string schema_;
    std::map<std::string, ExistingTable> existing_;
    Declared declared_;
    event::Micros now_;
    std::vector<Step> steps_;
    std::vector<std::string> misfits_;
};

} // namespace weir::store::postgresql
