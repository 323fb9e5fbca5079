// SPDX-License-Identifier: Apache-2.0
#include "migration.hpp"

#include "ddl.hpp"
#include "existing.hpp"
#include "ledger_view.hpp"
#include "standard_rows.hpp"

#include "store/standard.hpp"
#include "store/standard_tables.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace weir::store::sqlite {

namespace {

bool contains(const std::string &text, std::initializer_list<const char *> parts) {
    return std::any_of(parts.begin(), parts.end(), [&](const char *part) { return text.find(part) != std::string::npos; });
}

/// By SQLite's rules of affinity. https://www.sqlite.org/datatype3.html#determination_of_column_affinity
bool type_fits(const Column &column, const std::string &declared) {
    const bool integer = contains(declared, {"INT"});
    const bool text = !integer && contains(declared, {"CHAR", "CLOB", "TEXT"});
    switch (column.type) {
    case Type::text:
    case Type::citext:
        return text;
    case Type::uuid:
        return text || declared == "UUID";
    case Type::json:
        return text || declared == "JSON";
    case Type::timestamp:
        return text || (!integer && contains(declared, {"DATE", "TIME"}));
    case Type::boolean:
        return integer || contains(declared, {"BOOL"});
    case Type::int64:
    case Type::decimal:
        return integer;
    case Type::float64:
        return !integer && contains(declared, {"REAL", "FLOA", "DOUB"});
    case Type::bytes:
        return declared.empty() || contains(declared, {"BLOB"});
    }
    return false;
}

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

struct Step {
    std::string text; ///< for the log
    std::string sql;  ///< empty: nothing to run, as where a table is adopted
    std::string table;
    std::vector<Column> columns; ///< whose declared types are to be kept
};

/// Finds what a schema needs beyond what is there, and what stands in its way.
class Plan {
public:
    Plan(Connection &connection, const Schema &schema) : connection_(connection), existing_(read_existing(connection)), now_(event::now()) {
        read_declared();
        for (const TableForm &form : standard_tables()) {
            add(form, {});
        }
        for (const Table &table : schema.tables) {
            add(own_table(table), schema.tables);
        }
    }

    const std::vector<Step> &steps() const { return steps_; }
    const std::vector<std::string> &misfits() const { return misfits_; }

private:
    void read_declared() {
        const auto found = existing_.find("schema_migrations");
        if (found == existing_.end() || !found->second.column("declared") || !found->second.column("table_name") ||
            !found->second.column("column_name")) {
            return;
        }
        connection_.guard([&] {
            connection_
                .query("select table_name, column_name, declared from " + connection_.qualified("schema_migrations") +
                           " where declared is not null order by id",
                       {}, {Storage::text, Storage::text, Storage::text})
                .each([&](Query &row) {
                    auto key = std::make_pair(row.take_text(0), row.take_text(1));
                    declared_[std::move(key)] = row.take_text(2);
                });
        });
    }

    void add(const TableForm &form, const std::vector<Table> &all) {
        const Table &table = form.table;
        const auto found = existing_.find(table.name);
        if (found == existing_.end()) {
            steps_.push_back(
                {"created table " + table.name, create_table_sql(connection_.place().schema, form, all), table.name, table.columns});
            for (const Index &index : table.indexes) {
                add_index(table, index);
            }
            return;
        }
        if (found->second.type != "table") {
            misfits_.push_back(table.name + " is a " + found->second.type + ", not a table");
            return;
        }
        const bool known = declared_.contains({table.name, table.columns.front().name});
        if (!known) {
            steps_.push_back({"adopted table " + table.name, "", table.name, {}});
        }
        const std::size_t adoption = steps_.size() - 1;
        for (const Column &column : table.columns) {
            check_column(table, column, found->second, known ? nullptr : &steps_[adoption].columns);
        }
        check_key(table, found->second, form.numbered);
        check_undeclared(table, found->second);
        check_indexes(table, found->second);
        check_references(table, found->second, all);
    }

    void add_index(const Table &table, const Index &index) {
        for (const auto &[name, other] : existing_) {
            if (std::any_of(other.indexes.begin(), other.indexes.end(), [&](const ExistingIndex &one) { return one.name == index.name; })) {
                misfits_.push_back("index " + index.name + " is there already, for other columns or another table (" + name +
                                   "): drop or rename it");
                return;
            }
        }
        steps_.push_back({"created index " + index.name + " on " + table.name,
                          create_index_sql(connection_.place().schema, table, index),
                          table.name,
                          {}});
    }

    void check_column(const Table &table, const Column &column, const ExistingTable &there, std::vector<Column> *adopted) {
        const std::string name = table.name + "." + column.name;
        const ExistingColumn *existing = there.column(column.name);
        if (!existing) {
            add_column(table, column);
            return;
        }
        if (!type_fits(column, existing->declared_type)) {
            misfits_.push_back(name + " is declared as " + declared_type(column) + ", but is " +
                               (existing->declared_type.empty() ? "without a type" : existing->declared_type));
        }
        const auto declared = declared_.find({table.name, column.name});
        if (declared != declared_.end() && declared->second != declared_type(column)) {
            misfits_.push_back(name + " is declared as " + declared_type(column) + ", but was made as " + declared->second);
        }
        if (column.type == Type::citext && existing->collation != "NOCASE") {
            misfits_.push_back(name + " is declared as case-insensitive, but isn't COLLATE NOCASE");
        }
        if (existing->generated) {
            misfits_.push_back(name + " is a generated column");
        }
        if (column.nullable && existing->not_null) {
            misfits_.push_back(name + " is declared as nullable, but is NOT NULL");
        }
        if (!column.nullable && !existing->not_null && existing->key_position == 0) {
            misfits_.push_back(name + " is declared as not nullable, but takes nulls");
        }
        if (adopted) {
            adopted->push_back(column);
        }
    }

    void add_column(const Table &table, const Column &column) {
        const std::string name = table.name + "." + column.name;
        if (std::find_if(table.primary_key.begin(), table.primary_key.end(),
                         [&](std::uint32_t key) { return table.columns[key].name == column.name; }) != table.primary_key.end()) {
            misfits_.push_back(name + " belongs to the primary key, but isn't there");
            return;
        }
        if (!column.nullable && column.default_kind == Default::new_id) {
            misfits_.push_back(name + " is new and would need an id of its own in every row that is there: declare it nullable");
            return;
        }
        if (!column.nullable && column.default_kind == Default::none) {
            misfits_.push_back(name + " is new: declare it nullable, or with a default");
            return;
        }
        steps_.push_back({"added column " + name, add_column_sql(connection_.place().schema, table, column, now_), table.name, {column}});
    }

    void check_key(const Table &table, const ExistingTable &there, bool numbered) {
        std::vector<std::pair<int, const ExistingColumn *>> key;
        for (const ExistingColumn &column : there.columns) {
            if (column.key_position > 0) {
                key.emplace_back(column.key_position, &column);
            }
        }
        std::sort(key.begin(), key.end());
        std::vector<std::string> existing;
        for (const auto &[position, column] : key) {
            existing.push_back(column->name);
        }
        std::vector<std::string> declared = column_names(table, table.primary_key);
        if (std::set(existing.begin(), existing.end()) != std::set(declared.begin(), declared.end())) {
            misfits_.push_back(table.name + " has the primary key (" + joined(existing) + "), but (" + joined(declared) + ") is declared");
        } else if (numbered && key.front().second->declared_type != "INTEGER") {
            misfits_.push_back(table.name + "." + declared.front() + " has to be INTEGER PRIMARY KEY");
        }
    }

    void check_undeclared(const Table &table, const ExistingTable &there) {
        for (const ExistingColumn &column : there.columns) {
            const bool declared =
                std::any_of(table.columns.begin(), table.columns.end(), [&](const Column &one) { return one.name == column.name; });
            if (!declared && column.not_null && !column.has_default && !column.generated && column.key_position == 0) {
                misfits_.push_back(table.name + "." + column.name +
                                   " isn't declared, but has to be filled in: give it a default, or drop it");
            }
        }
    }

    void check_indexes(const Table &table, const ExistingTable &there) {
        for (const Index &index : table.indexes) {
            const auto plain = column_names(table, index.columns);
            const auto extended = column_names(table, index_columns(table, index));
            const bool found = std::any_of(there.indexes.begin(), there.indexes.end(), [&](const ExistingIndex &one) {
                return !one.partial && (!index.unique || one.unique) && (one.columns == plain || one.columns == extended);
            });
            if (!found) {
                add_index(table, index);
            }
        }
    }

    void check_references(const Table &table, const ExistingTable &there, const std::vector<Table> &all) {
        for (const Reference &reference : table.references) {
            const Table &target = all[reference.target_table];
            const auto columns = column_names(table, reference.columns);
            const auto targets = column_names(target, reference.target_columns);
            const bool found = std::any_of(there.references.begin(), there.references.end(), [&](const ExistingReference &one) {
                return one.target_table == target.name && one.columns == columns &&
                       (one.target_columns == targets || (one.target_columns.empty() && reference.target_columns == target.primary_key));
            });
            if (!found) {
                misfits_.push_back(table.name + " is declared to refer from (" + joined(columns) + ") to " + target.name + " (" +
                                   joined(targets) + "), but doesn't; SQLite can't add a reference to a table that is there");
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

    Connection &connection_;
    std::map<std::string, ExistingTable> existing_;
    std::map<std::pair<std::string, std::string>, std::string> declared_;
    event::Micros now_;
    std::vector<Step> steps_;
    std::vector<std::string> misfits_;
};

/// Writes to the standard tables that these steps have adopted what Weir will write, and takes it back.
void try_adopted(Connection &connection, const std::vector<Step> &steps) {
    const auto adopts = [&](const char *table) {
        return std::any_of(steps.begin(), steps.end(),
                           [&](const Step &step) { return step.text == std::string("adopted table ") + table; });
    };
    connection.execute("savepoint trial");
    if (adopts("dead_letter_queue")) {
        insert_letters(connection, trial_letters());
    }
    if (adopts("event_ledger")) {
        insert_entries(connection, trial_entries());
    }
    connection.execute("rollback to trial");
    connection.execute("release trial");
}

void apply(Connection &connection, const std::vector<Step> &steps) {
    for (const Step &step : steps) {
        if (step.sql.empty()) {
            continue;
        }
        try {
            connection.guard([&] { connection.session() << step.sql; });
        } catch (const DataRefused &error) {
            throw SchemaWrong("could not have " + step.text + " in " + connection.place().name() +
                              ", because of the rows that are there: " + error.what());
        }
    }
    if (std::any_of(steps.begin(), steps.end(), [](const Step &step) { return step.text == "created table event_ledger_counts"; })) {
        connection.execute("insert into " + connection.qualified("event_ledger_counts") +
                           " (outcome, events) select outcome, count(*) from " + connection.qualified("event_ledger") +
                           " group by outcome"); // of a ledger that another program kept
    }
    if (std::any_of(steps.begin(), steps.end(), [](const Step &step) { return step.text == kCountsDivided; })) {
        connection.execute("update " + connection.qualified("event_ledger_counts") + " set undivided = events");
    }
    if (std::any_of(steps.begin(), steps.end(), [](const Step &step) { return step.text == "created table event_ledger_generations"; })) {
        connection.guard([&] { make_ledger_view(connection); });
    }
    connection.guard([&] {
        Bulk &bulk = connection.bulk("insert into " + connection.qualified("schema_migrations") +
                                         " (step, table_name, column_name, declared, applied_at) values (?, ?, ?, ?, ?)",
                                     {Storage::text, Storage::text, Storage::text, Storage::text, Storage::time});
        const event::Micros now = event::now();
        const auto note = [&](const Step &step, const Column *column) {
            bulk.text(0, step.text);
            bulk.text(1, step.table);
            bulk.value(2, column ? Value(column->name) : Value());
            bulk.value(3, column ? Value(declared_type(*column)) : Value());
            bulk.time(4, now);
        };
        for (const Step &step : steps) {
            for (const Column &column : step.columns) {
                note(step, &column);
            }
            if (step.columns.empty()) {
                note(step, nullptr);
            }
        }
        bulk.run();
    });
}

} // namespace

MigrationSteps migrate(Connection &connection, const Schema &schema, bool preview) {
    if (const auto problem = check_schema(schema)) {
        throw SchemaWrong("the plugin's tables can't be made: " + *problem);
    }
    return connection.within_transaction([&] {
        const Plan plan(connection, schema);
        if (!plan.misfits().empty()) {
            std::string message =
                "the tables in " + connection.place().name() +
                " don't fit what the plugin declares, and nothing was changed. Mend them or choose another service.schema for the domain:";
            for (const std::string &misfit : plan.misfits()) {
                message += "\n  " + misfit;
            }
            throw SchemaWrong(message);
        }
        if (!preview) {
            apply(connection, plan.steps());
            try_adopted(connection, plan.steps());
        }
        MigrationSteps done;
        for (const Step &step : plan.steps()) {
            done.push_back(step.text);
        }
        return done;
    });
}

} // namespace weir::store::sqlite
