// SPDX-License-Identifier: Apache-2.0
#include "plan.hpp"

#include "ddl.hpp"
#include "fitting.hpp"

#include <algorithm>
#include <set>

namespace weir::store::postgresql {

namespace {

std::vector<std::string> column_names(const Table &table, const std::vector<std::uint32_t> &columns) {
    std::vector<std::string> names;
    names.reserve(columns.size());
    for (const std::uint32_t column : columns) {
        names.push_back(table.columns[column].name);
    }
    return names;
}

std::string joined(const std::vector<std::string> &names) {
    std::string out;
    for (const std::string &name : names) {
        out += (out.empty() ? "" : ", ") + name;
    }
    return out;
}

const char *kind_name(char kind) {
    return kind == 'v' ? "a view" : kind == 'm' ? "a materialized view" : kind == 'f' ? "a foreign table" : "a partitioned table";
}

std::string alter(const Table &table, const Column &column) { return "ALTER TABLE " + table.name + " ALTER COLUMN " + column.name; }

} // namespace

Plan::Plan(const Place &place, const Schema &schema, std::map<std::string, ExistingTable> existing, Declared declared)
    : schema_(place.schema), existing_(std::move(existing)), declared_(std::move(declared)), now_(event::now()) {
    for (const TableForm &form : standard_tables()) {
        add(form, true);
    }
    for (const Table &table : schema.tables) {
        add({table, "", false, {}, {}}, false);
    }
    for (const Table &table : schema.tables) { // when all tables are there
        add_references(table, schema.tables);
    }
    for (std::string &misfit : misfits_) { // what people run in a session whose search path is another
        constexpr std::string_view kAlter = "ALTER TABLE ";
        for (std::size_t at = misfit.find(kAlter); at != std::string::npos; at = misfit.find(kAlter, at + kAlter.size())) {
            misfit.insert(at + kAlter.size(), quote_name(schema_) + ".");
        }
    }
}

void Plan::add(const TableForm &form, bool is_standard) {
    const Table &table = form.table;
    const auto found = existing_.find(table.name);
    if (found == existing_.end()) {
        steps_.push_back({"created table " + table.name, create_table_sql(schema_, form), table.name, table.columns});
        for (const Index &index : table.indexes) {
            add_index(table, index);
        }
        if (has_folded_key(table)) {
            add_index(table, folded_key(table));
        }
        return;
    }
    if (found->second.kind != 'r') {
        misfits_.push_back(table.name + " is " + kind_name(found->second.kind) + ", not a table");
        return;
    }
    const bool known = declared_.contains({table.name, table.columns.front().name});
    if (!known) {
        steps_.push_back({"adopted table " + table.name, "", table.name, {}});
    }
    const std::size_t adoption = steps_.size() - 1;
    for (const Column &column : table.columns) {
        check_column(form, column, found->second, is_standard, known ? nullptr : &steps_[adoption].columns);
    }
    check_key(form, found->second);
    check_undeclared(table, found->second);
    check_indexes(table, found->second);
}

void Plan::add_index(const Table &table, const Index &index) {
    for (const auto &[name, other] : existing_) {
        if (std::any_of(other.indexes.begin(), other.indexes.end(), [&](const ExistingIndex &one) { return one.name == index.name; })) {
            misfits_.push_back("index " + index.name + " is there already, for other columns or another table (" + name +
                               "): drop or rename it");
            return;
        }
    }
    std::set<std::string> enumerations;
    if (const auto there = existing_.find(table.name); there != existing_.end()) {
        for (const ExistingColumn &column : there->second.columns) {
            if (column.is_enumeration) {
                enumerations.insert(column.name);
            }
        }
    }
    steps_.push_back(
        {"created index " + index.name + " on " + table.name, create_index_sql(schema_, table, index, enumerations), table.name, {}});
}

void Plan::check_column(const TableForm &form, const Column &column, const ExistingTable &there, bool is_standard,
                        std::vector<Column> *adopted) {
    const Table &table = form.table;
    const std::string name = table.name + "." + column.name;
    const ExistingColumn *existing = there.column(column.name);
    if (!existing) {
        add_column(form, column);
        return;
    }
    if (const auto reason = misfit(form, column, *existing)) {
        misfits_.push_back(name + " " + *reason);
    } else if (const auto refused = is_standard ? refused_text(form, column, *existing) : std::nullopt) {
        misfits_.push_back(name + " " + *refused);
    }
    const auto declared = declared_.find({table.name, column.name});
    if (declared != declared_.end() && declared->second != declared_type(column)) {
        misfits_.push_back(name + " is declared as " + declared_type(column) + ", but was made as " + declared->second +
                           "; once what stands there is right as what is declared: UPDATE " + quote_name(schema_) +
                           ".schema_migrations SET declared = " + quote_text(declared_type(column)) +
                           " WHERE table_name = " + quote_text(table.name) + " AND column_name = " + quote_text(column.name));
    }
    if (column.nullable && existing->not_null) {
        misfits_.push_back(name + " is declared as nullable, but is NOT NULL: " + alter(table, column) + " DROP NOT NULL");
    }
    if (!column.nullable && !existing->not_null && !is_standard) {
        misfits_.push_back(name + " is declared as not nullable, but takes nulls: " + alter(table, column) + " SET NOT NULL");
    }
    if (adopted) {
        adopted->push_back(column);
    }
}

void Plan::add_column(const TableForm &form, const Column &column) {
    const Table &table = form.table;
    const std::string name = table.name + "." + column.name;
    const auto is_it = [&](std::uint32_t key) { return table.columns[key].name == column.name; };
    if (std::any_of(table.primary_key.begin(), table.primary_key.end(), is_it)) {
        misfits_.push_back(name + " belongs to the primary key, but isn't there");
    } else if (!column.nullable && column.default_kind == Default::new_id) {
        misfits_.push_back(name + " is new and would need an id of its own in every row that is there: declare it nullable");
    } else if (!column.nullable && column.default_kind == Default::none) {
        misfits_.push_back(name + " is new: declare it nullable, or with a default");
    } else {
        steps_.push_back({"added column " + name, add_column_sql(schema_, form, column, now_), table.name, {column}});
    }
}

void Plan::check_key(const TableForm &form, const ExistingTable &there) {
    const Table &table = form.table;
    const std::vector<std::string> declared = column_names(table, table.primary_key);
    const std::vector<std::string> &existing = there.primary_key;
    const bool same = std::set(existing.begin(), existing.end()) == std::set(declared.begin(), declared.end());
    if (has_folded_key(table)) {
        check_indexes({table.name, table.columns, table.primary_key, {folded_key(table)}, {}}, there);
        if (!existing.empty() && !same) {
            misfits_.push_back(table.name + " has the primary key (" + joined(existing) + "), but (" + joined(declared) + ") is declared");
        }
        return;
    }
    if (!same) {
        misfits_.push_back(table.name + " has " + (existing.empty() ? "no primary key" : "the primary key (" + joined(existing) + ")") +
                           ", but (" + joined(declared) + ") is declared");
    } else if (const ExistingColumn *column = there.column(declared.front()); form.numbered && column && !column->has_default) {
        misfits_.push_back(table.name + "." + declared.front() + " doesn't number its rows: ALTER TABLE " + table.name + " ALTER COLUMN " +
                           declared.front() + " ADD GENERATED BY DEFAULT AS IDENTITY");
    }
}

void Plan::check_undeclared(const Table &table, const ExistingTable &there) {
    for (const ExistingColumn &column : there.columns) {
        const bool declared =
            std::any_of(table.columns.begin(), table.columns.end(), [&](const Column &one) { return one.name == column.name; });
        if (!declared && column.not_null && !column.has_default && !column.generated) {
            misfits_.push_back(table.name + "." + column.name + " isn't declared, but has to be filled in: ALTER TABLE " + table.name +
                               " ALTER COLUMN " + column.name + " SET DEFAULT ..., or DROP NOT NULL");
        }
    }
}

void Plan::check_indexes(const Table &table, const ExistingTable &there) {
    for (const Index &index : table.indexes) {
        const auto plain = index_expressions(table, index, false);
        const auto extended = index_expressions(table, index, true);
        const bool found = std::any_of(there.indexes.begin(), there.indexes.end(), [&](const ExistingIndex &one) {
            const auto stripped = [&] { // the order of bytes, and nulls in front, stand behind the names
                std::vector<std::string> columns = one.columns;
                for (std::string &column : columns) {
                    if (!column.starts_with("lower")) {
                        column = column.substr(0, column.rfind("collate"));
                    }
                }
                return columns;
            }();
            return !one.partial && (!index.unique || one.unique) && (stripped == plain || (!index.unique && stripped == extended));
        });
        if (!found) {
            add_index(table, index);
        }
    }
}

void Plan::add_references(const Table &table, const std::vector<Table> &all) {
    const auto there = existing_.find(table.name);
    for (const Reference &reference : table.references) {
        const Table &target = all[reference.target_table];
        const auto columns = column_names(table, reference.columns);
        const auto targets = column_names(target, reference.target_columns);
        if (std::any_of(reference.target_columns.begin(), reference.target_columns.end(),
                        [&](std::uint32_t column) { return target.columns[column].type == Type::citext; })) {
            misfits_.push_back(table.name + " refers to " + target.name + " (" + joined(targets) +
                               "), which is case-insensitive: PostgreSQL can't keep such a reference; declare the column as text");
            continue;
        }
        const ExistingReference *found = nullptr;
        if (there != existing_.end()) {
            for (const ExistingReference &one : there->second.references) {
                found = one.target_table == target.name && one.columns == columns && one.target_columns == targets ? &one : found;
            }
        }
        if (!found) {
            steps_.push_back({"made " + table.name + " (" + joined(columns) + ") refer to " + target.name,
                              add_reference_sql(schema_, table, reference, all),
                              table.name,
                              {}});
        } else if (!found->deferrable && !found->acts) {
            steps_.push_back({"put the check of " + found->name + " off to the end of a batch",
                              "alter table " + quote_name(schema_) + "." + quote_name(table.name) + " alter constraint " +
                                  quote_name(found->name) + " deferrable initially immediate",
                              table.name,
                              {}});
        }
    }
    for (const auto &[name, other] : existing_) {
        for (const ExistingReference &reference : other.references) {
            if (reference.acts && reference.target_table == table.name) {
                misfits_.push_back(name + " refers to " + table.name +
                                   " with ON DELETE or ON UPDATE: only NO ACTION fits, because Weir decides what changes");
            }
        }
    }
}

} // namespace weir::store::postgresql
