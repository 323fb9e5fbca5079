// SPDX-License-Identifier: Apache-2.0
#include "migration.hpp"

#include "counters.hpp"
#include "ddl.hpp"
#include "ledger_view.hpp"
#include "plan.hpp"
#include "roles.hpp"
#include "trial.hpp"

#include "store/standard_tables.hpp"

#include <algorithm>

namespace weir::store::postgresql {

namespace {

/// A transaction of the login's own, without the sessions' timeouts. Rolled back where it isn't committed.
class LoginTransaction {
public:
    LoginTransaction(Connection &connection, std::chrono::milliseconds usual) : connection_(connection), usual_(usual) {
        connection_.set_reply_timeout(usual * 60);
        run({"begin", "set local statement_timeout = 0", "set local lock_timeout = '60s'"});
    }
    ~LoginTransaction() {
        try {
            if (open_ && !connection_.is_broken()) {
                run({"rollback"});
            }
        } catch (const std::exception &) { // the connection is closed when it is given back
        }
        connection_.set_reply_timeout(usual_);
    }
    LoginTransaction(const LoginTransaction &) = delete;
    LoginTransaction &operator=(const LoginTransaction &) = delete;

    void commit() {
        run({"commit"});
        open_ = false;
    }

private:
    void run(std::initializer_list<const char *> statements) {
        std::vector<Command> commands;
        for (const char *sql : statements) {
            commands.push_back({sql, {}, false});
        }
        connection_.exchange(std::move(commands));
    }

    Connection &connection_;
    std::chrono::milliseconds usual_;
    bool open_ = true;
};

Plan::Declared read_declared(Connection &connection, const Place &place, const std::map<std::string, ExistingTable> &existing) {
    Plan::Declared declared;
    const auto found = existing.find("schema_migrations");
    if (found == existing.end() || !found->second.column("declared") || !found->second.column("table_name") ||
        !found->second.column("column_name")) {
        return declared;
    }
    connection.guard([&] {
        connection
            .query("select table_name, column_name, declared from " + place.qualified("schema_migrations") +
                       " where declared is not null order by id",
                   0, 3)
            .each([&](Query &row) {
                auto key = std::make_pair(row.take_text(0), row.take_text(1));
                declared[std::move(key)] = row.take_text(2);
            });
    });
    return declared;
}

void note(Connection &connection, const Place &place, const Step &step, const Column *column) {
    connection.guard([&] {
        Query &query =
            connection.query("insert into " + place.qualified("schema_migrations") +
                                 " (step, table_name, column_name, declared, applied_at) values (:a, :b, :c, :d, clock_timestamp())",
                             4, 0);
        query.text(0, step.text).text(1, step.table);
        column ? query.text(2, column->name).text(3, declared_type(*column)) : query.null(2).null(3);
        query.run();
    });
}

void apply(Connection &connection, const Place &place, const std::vector<Step> &steps) {
    for (const Step &step : steps) {
        if (step.sql.empty()) {
            continue;
        }
        try {
            connection.execute(step.sql);
        } catch (const DataRefused &error) {
            throw SchemaWrong("could not have " + step.text + " in " + place.name() +
                              ", because of the rows that are there: " + error.what());
        } catch (const SchemaWrong &error) {
            throw SchemaWrong("could not have " + step.text + " in " + place.name() + ": " + error.what());
        }
    }
    if (std::any_of(steps.begin(), steps.end(), [](const Step &step) { return step.text == "created table event_ledger_counts"; })) {
        connection.execute("insert into " + place.qualified("event_ledger_counts") + " (outcome, events) select outcome, count(*) from " +
                           place.qualified("event_ledger") + " group by outcome"); // of a ledger that another program kept
    }
    if (std::any_of(steps.begin(), steps.end(), [](const Step &step) { return step.text == kCountsDivided; })) {
        connection.execute("update " + place.qualified("event_ledger_counts") + " set undivided = events");
    }
    if (std::any_of(steps.begin(), steps.end(), [](const Step &step) { return step.text == "created table event_ledger_generations"; })) {
        make_ledger_view(connection, place);
    }
    for (const Step &step : steps) {
        for (const Column &column : step.columns) {
            note(connection, place, step, &column);
        }
        if (step.columns.empty()) {
            note(connection, place, step, nullptr);
        }
    }
}

std::string refusal(const Place &place, const std::vector<std::string> &misfits) {
    std::string message =
        "the tables in " + place.name() +
        " don't fit what the plugin declares, and nothing was changed. Mend them or choose another service.schema for the domain:";
    for (const std::string &misfit : misfits) {
        message += "\n  " + misfit;
    }
    return message;
}

std::vector<std::string> table_names(const Schema &schema) {
    std::vector<std::string> names;
    for (const TableForm &form : standard_tables()) {
        names.push_back(form.table.name);
    }
    for (const Table &table : schema.tables) {
        names.push_back(table.name);
    }
    return names;
}

ColumnLayout column_layout(const Column &column, const ExistingColumn &existing) {
    ColumnLayout layout;
    layout.name = quote_name(column.name);
    layout.form = existing.type == "json" ? Form::json : form_of(column.type);
    layout.scale = column.scale;
    layout.folded = column.type == Type::citext;
    layout.nullable = column.nullable;
    const std::string own = layout.form == Form::timestamptz ? "timestamp with time zone" : type_of(layout.form);
    layout.is_plain = existing.type == own;
    if (existing.is_enumeration) {
        layout.cast_to = existing.type;
    }
    layout.is_sorted = layout.form != Form::text || existing.collation == "C";
    return layout;
}

/// Fills in a layout in its place: tables point into its schema.
void read_into(Layout &layout, const Place &place, const Schema &schema, const std::map<std::string, ExistingTable> &existing) {
    layout.schema = schema;
    layout.letter_limits = letter_limits(existing.at("dead_letter_queue"));
    for (const Table &table : layout.schema.tables) {
        const auto there = existing.find(table.name);
        if (there == existing.end()) {
            throw SchemaWrong("table " + table.name + " isn't there in " + place.name() + ": let `weir run` migrate it");
        }
        TableLayout &made = layout.tables.emplace_back();
        made.name = place.qualified(table.name);
        made.plain = table.name;
        made.table = &table;
        for (const Column &column : table.columns) {
            const ExistingColumn *found = there->second.column(column.name);
            if (!found) {
                throw SchemaWrong("column " + table.name + "." + column.name + " isn't there in " + place.name() +
                                  ": let `weir run` migrate it");
            }
            made.columns.push_back(column_layout(column, *found));
        }
        for (const ExistingColumn &column : there->second.columns) {
            if (!column.generated &&
                std::none_of(table.columns.begin(), table.columns.end(), [&](const Column &one) { return one.name == column.name; })) {
                made.undeclared.push_back(quote_name(column.name));
            }
        }
        layout.has_references = layout.has_references || !table.references.empty();
    }
}

} // namespace

MigrationSteps migrate(Connection &connection, const Place &place, const Schema &schema, std::shared_ptr<const Layout> &layout) {
    if (const auto problem = check_schema(schema)) {
        throw SchemaWrong("the plugin's tables can't be made: " + *problem);
    }
    LoginTransaction transaction(connection, place.pool->options().reply_timeout);
    connection.guard([&] {
        connection.query("select cast(pg_advisory_xact_lock(cast(:a as bigint)) as text)", 1, 1)
            .integer(0, place.lock_key("migration"))
            .run();
    });
    const Surroundings found = look_around(connection, place);
    if (const std::string missing = missing_rights(found, place); !missing.empty()) {
        throw SchemaWrong(missing);
    }
    auto existing = read_existing(connection, place);
    const Plan plan(place, schema, existing, read_declared(connection, place, existing));
    if (!plan.misfits().empty()) {
        throw SchemaWrong(refusal(place, plan.misfits()));
    }
    MigrationSteps done = make_surroundings(connection, found, place);
    if (!plan.steps().empty()) {
        apply(connection, place, plan.steps());
        existing = read_existing(connection, place);
    }
    const std::vector<Step> counters = counter_steps(connection, place, schema, existing);
    apply(connection, place, counters);
    grant_tables(connection, place, table_names(schema));
    auto made = std::make_shared<Layout>();
    read_into(*made, place, schema, existing);
    try_adopted(connection, place, plan.steps(), made->letter_limits);
    transaction.commit();
    layout = std::move(made);
    for (const auto *steps : {&plan.steps(), &counters}) {
        for (const Step &step : *steps) {
            done.push_back(step.text);
        }
    }
    return done;
}

namespace {

/// The tables of which a step is noted, and none after it that takes it back.
std::vector<std::string> tables_of_step(Connection &connection, const Place &place, const Schema &schema,
                                        std::string (*step)(const std::string &)) {
    std::vector<std::string> found;
    const std::string steps = place.qualified("schema_migrations");
    for (const Table &table : schema.tables) {
        connection.guard([&] {
            connection
                .query("select exists (select from " + steps + " a where a.step = :a and not exists (select from " + steps +
                           " r where r.step = :b and r.id > a.id))",
                       2, 1)
                .text(0, step(table.name))
                .text(1, "rebuilt table " + table.name)
                .each([&](Query &row) {
                    if (row.take_boolean(0)) {
                        found.push_back(table.name);
                    }
                });
        });
    }
    return found;
}

} // namespace

std::vector<std::string> adopted_tables(Connection &connection, const Place &place, const Schema &schema) {
    return tables_of_step(connection, place, schema, [](const std::string &table) { return "adopted table " + table; });
}

std::vector<std::string> route_tables(Connection &connection, const Place &place, const Schema &schema) {
    return tables_of_step(connection, place, schema, route_change_step);
}

MigrationSteps preview(Connection &connection, const Place &place, const Schema &schema) {
    if (const auto problem = check_schema(schema)) {
        throw SchemaWrong("the plugin's tables can't be made: " + *problem);
    }
    if (const std::string missing = missing_rights(look_around(connection, place), place); !missing.empty()) {
        throw SchemaWrong(missing);
    }
    const auto existing = read_existing(connection, place);
    const Plan plan(place, schema, existing, read_declared(connection, place, existing));
    if (!plan.misfits().empty()) {
        throw SchemaWrong(refusal(place, plan.misfits()));
    }
    const std::vector<Step> counters = counter_steps(connection, place, schema, existing);
    MigrationSteps steps;
    for (const auto *planned : {&plan.steps(), &counters}) {
        for (const Step &step : *planned) {
            steps.push_back(step.text);
        }
    }
    return steps;
}

} // namespace weir::store::postgresql
