// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * The test kit: runs a plugin's handlers in memory, without a host, a broker or a store. Works with any test framework: what is
 * not as expected is thrown, with a message that says what was there instead.
 *
 *     weir::testkit::Host host(WEIR_PLUGIN_FILE);
 *     host.handle("user.created.v1", R"({"user_id": "90c192cf-d3ac-44af-8f21-ddb66cad4a26", "email": "ada@example.com"})").expect_ok();
 *     host.expect_row("users", {"90c192cf-d3ac-44af-8f21-ddb66cad4a26"}, {{"email", "ada@example.com"}});
 *
 * It also watches how the plugin uses the ABI. What the contract forbids (calls after the handler returned or on another thread,
 * views that were kept, statuses that don't exist, failures without a reason) is thrown as `Misuse`.
 */
#pragma once

#include "testkit/lifecycle.hpp"
#include "testkit/result.hpp"
#include "testkit/routes.hpp"

#include <iostream>

namespace weir::testkit {

/**
 * A host for one plugin and one domain, in memory. Events take effect one by one, in the order in which they are given; an event that
 * is rejected, retried or skipped leaves no trace. Used by one thread.
 */
class Host {
public:
    /// Loads the file, checks the descriptor, makes an instance and starts it. Throws Misuse, or Refused where the plugin declines.
    explicit Host(const std::string &file, const Options &options = {})
        : module_(file), tables_(module_.tables()), lifecycle_(module_.descriptor(), violations_) {
        check_settings(options.settings);
        weir_setup_v1 setup{};
        setup.size = sizeof(setup);
        setup.generation = options.generation;
        setup.domain = weir::detail::view(options.domain);
        setup.schema = weir::detail::view(options.schema);
        setup.settings = weir::detail::view(options.settings);
        lifecycle_.create(setup);
        lifecycle_.start();
        throw_violations();
    }
    Host(const Host &) = delete;
    Host &operator=(const Host &) = delete;
    /// Closes it. Misuse that comes to light only now ends the test program with its message, because a destructor can't throw: call
    /// `close` to have it thrown.
    ~Host() {
        try {
            close();
        } catch (const std::exception &error) {
            std::cerr << "weir::testkit: " << error.what() << std::endl;
            std::abort();
        }
    }

    /// Runs the handler of an event type on a payload. Throws Misuse, and JsonError where the payload isn't JSON.
    Result handle(const std::string &event_type, const std::string &payload, const Given &given = {}) {
        return run(event_type, JsonParser::parse(payload), payload, given);
    }

    /// Runs the handler for a whole message in its envelope, as the host does: what is broken about it is a rejection.
    Result deliver(const std::string &message, const std::string &topic = "test") {
        Given given;
        given.topic = topic;
        JsonValue envelope;
        try {
            envelope = JsonParser::parse(message);
        } catch (const JsonError &error) {
            return rejected("malformed_json", error.what());
        }
        const auto text = [&envelope](const char *pointer) {
            const JsonValue *value = envelope.at(pointer);
            return value && value->kind == WEIR_JSON_TEXT ? value->text : std::string();
        };
        for (const char *required : {"/event_id", "/event_type", "/occurred_at"}) {
            if (text(required).empty()) {
                return rejected("invalid_envelope", std::string(required) + ": is missing or no text");
            }
        }
        const JsonValue *payload = envelope.at("/payload");
        if (!payload || !is_event_type(text("/event_type")) || !parse_time(text("/occurred_at"))) {
            return rejected("invalid_envelope", "/payload is missing, /event_type is no event type, or /occurred_at no RFC 3339 time");
        }
        const auto id = Uuid::parse(text("/event_id"));
        given.event_id = id ? std::string(id->text()) : std::string(uuid_v5(uuid_v5(Uuid(), topic), text("/event_id")).text());
        given.tenant_id = text("/tenant_id");
        given.correlation_id = text("/correlation_id");
        given.occurred_at = text("/occurred_at");
        const JsonValue *version = envelope.at("/schema_version");
        given.schema_version = version && version->kind == WEIR_JSON_INTEGER ? static_cast<std::uint32_t>(version->integer) : 0;
        return run(text("/event_type"), *payload, message, given);
    }

    /// Runs the route for a request: `host.request("POST", "/api/vote", {.body = R"({"vote": "cats"})"})`. A body that is no JSON although
    /// its type says so is answered with 400, a path without a route with 404, as the host does. Throws Misuse.
    Answer request(const std::string &method, const std::string &path, const Asked &asked = {}) {
        lifecycle_.expect_running();
        detail::Routed routed(module_.descriptor(), tables_.schema(), method, path, asked);
        if (!routed.route) {
            return routed.answer;
        }
        clock_ += 1000000;
        const Uuid id = routed.id(++events_);
        auto &run =
            *past_.emplace_back(std::make_unique<detail::Run>(detail::Shared{&tables_, &violations_, &past_}, routed.body, asked.body));
        Given given;
        given.tenant_id.clear();
        fill(run, "http.request.v1", given, id);
        routed.run(run, tables_, lifecycle_.instance(), now_.value_or(clock_), id, violations_);
        throw_violations();
        return routed.answer;
    }

    /// Sets the clock that handlers see (RFC 3339). Without it, it is each event's time of occurrence.
    void set_now(const std::string &time) { now_ = need_time(time); }

    /// Puts a row in place before a test: texts as in a column's default (see abi/schema.h). Columns that aren't named get their default.
    void put(const std::string &table, const Row &row) {
        const std::uint32_t index = table_index(table);
        const TableInfo &info = tables_.schema()[index];
        StatedChange change{index, WEIR_CHANGE_UPSERT, std::vector<Value>(info.primary_key.size()), {}, std::nullopt};
        for (const auto &[name, text] : row) {
            const std::uint32_t column = column_index(info, name);
            std::optional<Value> value = text ? parse_literal(info.columns[column], *text) : std::optional<Value>(Value());
            if (!value) {
                throw Misuse("\"" + *text + "\" is no value of column " + table + "." + name);
            }
            const auto place = std::find(info.primary_key.begin(), info.primary_key.end(), column);
            if (place != info.primary_key.end()) {
                change.key[static_cast<std::size_t>(place - info.primary_key.begin())] = *value;
            } else {
                change.cells.push_back({column, WEIR_CELL_SET, *value});
            }
        }
        bool stale = false;
        if (auto reason = tables_.apply(change, {clock_, Uuid()}, stale)) {
            throw Misuse(*reason);
        }
    }

    /// The rows of a table, sorted by key.
    std::vector<Row> rows(const std::string &table) const {
        const std::uint32_t index = table_index(table);
        std::vector<Row> out;
        for (const auto &[key, cells] : tables_.rows(index)) {
            out.push_back(detail::show_row(tables_.schema()[index], cells));
        }
        return out;
    }
    /// The row with this primary key (texts as in `put`); nothing where there is none.
    std::optional<Row> row(const std::string &table, const std::vector<std::string> &key) const {
        const std::uint32_t index = table_index(table);
        const TableInfo &info = tables_.schema()[index];
        if (key.size() != info.primary_key.size()) {
            throw Misuse("the primary key of " + table + " has " + std::to_string(info.primary_key.size()) + " columns");
        }
        std::vector<Value> values;
        for (std::size_t i = 0; i < key.size(); ++i) {
            const auto value = parse_literal(info.columns[info.primary_key[i]], key[i]);
            if (!value) {
                throw Misuse("\"" + key[i] + "\" is no value of column " + table + "." + info.columns[info.primary_key[i]].name);
            }
            values.push_back(*value);
        }
        const Cells *found = tables_.find(index, values);
        return found ? std::optional(detail::show_row(info, *found)) : std::nullopt;
    }
    /// Throws Failed unless the row is there and its cells named here are so.
    void expect_row(const std::string &table, const std::vector<std::string> &key, const Row &expected) const {
        const auto found = row(table, key);
        if (!found) {
            throw Failed("table " + table + " has no such row");
        }
        for (const auto &[name, value] : expected) {
            column_index(tables_.schema()[table_index(table)], name);
            if (found->at(name) != value) {
                throw Failed("expected " + table + "." + name + " to be " + value.value_or("null") + ", but it is " +
                             found->at(name).value_or("null"));
            }
        }
    }
    /// Throws Failed if the row is there.
    void expect_no_row(const std::string &table, const std::vector<std::string> &key) const {
        if (row(table, key)) {
            throw Failed("table " + table + " has the row that was expected to be absent");
        }
    }

    /// Where the instance is in its life.
    State state() const noexcept { return lifecycle_.state(); }
    /// What the instance logged outside of handlers.
    const std::vector<std::string> &log() const noexcept { return lifecycle_.log(); }
    /// The plugin.
    const Module &module() const noexcept { return module_; }
    /// No handler begins any more.
    void drain() {
        lifecycle_.drain();
        throw_violations();
    }
    /// Drains where that is still to be done, and destroys the instance. Throws Misuse. Repeating does nothing.
    void close() {
        if (state() == State::running) {
            lifecycle_.drain();
        }
        if (state() == State::draining) {
            lifecycle_.destroy();
        }
        throw_violations();
    }

private:
    static std::int64_t need_time(const std::string &text) {
        const auto time = parse_time(text);
        if (!time) {
            throw Misuse("\"" + text + "\" is no RFC 3339 time with a zone");
        }
        return *time;
    }
    static Result rejected(const std::string &code, const std::string &message) {
        Result result;
        result.status = WEIR_REJECT;
        result.error_code = code;
        result.error_message = message;
        return result;
    }

    void check_settings(const std::string &settings) const {
        const JsonValue given = JsonParser::parse(settings);
        const auto declared = weir::detail::text(module_.descriptor().settings);
        if (given.kind != WEIR_JSON_OBJECT) {
            throw Misuse("the settings of a domain are a JSON object");
        }
        if (declared.empty()) {
            return;
        }
        const JsonValue known = JsonParser::parse(declared);
        for (const auto &[name, value] : given.members) {
            if (!known.member(name)) {
                throw Refused("settings." + name + " is unknown: the plugin takes " + std::string(declared));
            }
        }
    }

    Result run(const std::string &event_type, const JsonValue &payload, const std::string &message, const Given &given) {
        lifecycle_.expect_running();
        if (!is_event_type(event_type)) {
            throw Misuse("\"" + event_type + "\" is no event type: it must look like user.created.v1");
        }
        clock_ = given.occurred_at.empty() ? clock_ + 1000000 : need_time(given.occurred_at);
        const auto id = Uuid::parse(given.event_id.empty() ? uuid_v5(Uuid(), std::to_string(++events_)).text() : given.event_id);
        if (!id) {
            throw Misuse("an event's id is a UUID");
        }
        Result result;
        const weir_handler_v1 handler = module_.handler(event_type);
        result.ignored = handler == nullptr;
        if (!handler) {
            return result;
        }
        auto &run = *past_.emplace_back(std::make_unique<detail::Run>(detail::Shared{&tables_, &violations_, &past_}, payload, message));
        fill(run, event_type, given, *id);
        finish(run, run.run(handler, lifecycle_.instance(), now_.value_or(clock_), *id), result);
        throw_violations();
        return result;
    }

    void fill(detail::Run &run, const std::string &event_type, const Given &given, const Uuid &id) const {
        run.headers = given.headers;
        run.event.schema_version = given.schema_version;
        run.event.event_id = run.lent.lend(id.text());
        run.event.event_type = run.lent.lend(event_type);
        const auto tenant = Uuid::parse(given.tenant_id);
        run.event.tenant_id = run.lent.lend(tenant ? tenant->text() : given.tenant_id);
        run.event.correlation_id = run.lent.lend(given.correlation_id);
        run.event.topic = run.lent.lend(given.topic);
        run.event.key = run.lent.lend(given.key);
        run.event.occurred_at_us = clock_;
        run.event.appended_at_us = now_.value_or(clock_);
        run.event.attempt = given.attempt;
    }

    void finish(detail::Run &run, weir_status status, Result &result) {
        const bool undefined = status < WEIR_OK || status > WEIR_FATAL;
        if (undefined) {
            violations_.push_back("the handler returned " + std::to_string(status) + ", which is no status");
            status = WEIR_REJECT;
        }
        result.error_code = run.error_code;
        result.error_message = run.error_message;
        if (!run.refusal.empty()) {
            status = WEIR_REJECT;
            result.error_code = "refused_by_host";
            result.error_message = run.refusal;
        } else if (status != WEIR_OK && status != WEIR_SKIP && !undefined && run.error_code.empty()) {
            violations_.push_back("the handler failed without saying why: call->error must come first");
        }
        for (const StatedChange &change : run.changes) {
            result.changes.push_back(detail::show_change(tables_.schema(), change));
        }
        if (status == WEIR_OK) {
            if (auto broken = tables_.broken_constraint()) {
                status = WEIR_REJECT;
                result.error_code = "constraint_violation";
                result.error_message = *broken;
            }
        } else if (status == WEIR_SKIP) {
            result.error_code.clear();
            result.error_message.clear();
        }
        if (status != WEIR_OK) {
            run.undo();
        }
        result.status = status;
        result.stale = run.stale && status == WEIR_OK;
        result.emitted = run.emitted;
        result.log = run.log;
    }

    std::uint32_t table_index(const std::string &name) const {
        const auto &schema = tables_.schema();
        for (std::uint32_t i = 0; i < schema.size(); ++i) {
            if (schema[i].name == name) {
                return i;
            }
        }
        throw Misuse("the plugin declares no table " + name);
    }
    static std::uint32_t column_index(const TableInfo &table, const std::string &name) {
        for (std::uint32_t i = 0; i < table.columns.size(); ++i) {
            if (table.columns[i].name == name) {
                return i;
            }
        }
        throw Misuse("table " + table.name + " has no column " + name);
    }
    void throw_violations() {
        if (!violations_.empty()) {
            std::string all;
            for (const std::string &each : violations_) {
                all += (all.empty() ? "" : "; ") + each;
            }
            violations_.clear();
            throw Misuse(all);
        }
    }

    std::vector<std::string> violations_;
    Module module_;
    Tables tables_;
    std::deque<std::unique_ptr<detail::Run>> past_;
    Lifecycle lifecycle_;
    std::int64_t clock_ = 1735689600000000; // 2025-01-01T00:00:00Z
    std::optional<std::int64_t> now_;
    std::uint64_t events_ = 0;
};

} // namespace weir::testkit
