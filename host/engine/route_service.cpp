// SPDX-License-Identifier: Apache-2.0
#include "engine/route_service.hpp"

#include "engine/overdue_routes.hpp"
#include "engine/publish_queue.hpp"
#include "engine/relay_bell.hpp"
#include "engine/request_keys.hpp"
#include "engine/route_exchange.hpp"
#include "engine/route_failure.hpp"
#include "engine/route_transaction.hpp"
#include "log/log.hpp"

#include <algorithm>
#include <atomic>
#include <span>
#include <vector>

namespace weir::engine {

namespace {

constexpr int kContendedRuns = 20;
constexpr int kLooksAtDoubt = 3; // each may last as long as locks are waited for

/// The value of the request's Idempotency-Key; nothing where it has none.
std::optional<std::string_view> idempotency_key(const RouteRequest &request) {
    constexpr std::string_view wanted = "idempotency-key";
    for (const auto &[name, value] : request.headers) {
        if (name.size() == wanted.size() && std::equal(name.begin(), name.end(), wanted.begin(), [](char have, char want) {
                return have == want || (have >= 'A' && have <= 'Z' && have - 'A' + 'a' == want);
            })) {
            return value;
        }
    }
    return std::nullopt;
}

} // namespace

struct RouteService::State {
    explicit State(Setup given)
        : setup(std::move(given)), schema(schema_with_requests(setup.instance->module().description())),
          request_table(static_cast<std::uint32_t>(setup.instance->module().description().schema.tables.size())), noted(request_table),
          queue(setup.spec, sessions, request_table, *setup.broker), keyed_queue(setup.spec, sessions, request_table, *setup.broker) {}

    const plugin::Description &description() const { return setup.instance->module().description(); }

    using Transaction = RouteTransaction;
    struct Run;

    RouteAnswer answer_of(const plugin::Route &route, const HandlerResult &result, RouteExchange &exchange) const;
    RouteAnswer read(const plugin::Route &route, const RouteRequest &request, const std::shared_ptr<const event::Event> &event);
    void write(const plugin::Route &route, const RouteRequest &request, const std::shared_ptr<const event::Event> &event,
               const std::optional<event::Uuid> &fingerprint, std::function<void(RouteAnswer)> &done);
    std::optional<RouteAnswer> write_once(Run &run);
    void note_changes(store::Session &session, std::span<const store::TableFlush> flush);
    std::optional<RouteAnswer> publish(Run &run, std::vector<store::OutboxEntry> events, RouteAnswer answer);
    std::optional<RouteAnswer> commit(Run &run, Transaction &transaction, store::BatchRows &rows, HandlerResult result, RouteAnswer answer);
    std::optional<bool> is_decided(const event::Uuid &id);
    RouteAnswer failed(const plugin::Route &route, const std::exception_ptr &thrown);
    void ring() const {
        if (setup.relay_bell) {
            setup.relay_bell->ring();
        }
    }

    const Setup setup;
    const store::Schema schema; ///< with the requests' table
    const std::uint32_t request_table;
    std::vector<std::atomic<bool>> noted; ///< by table: a rebuild knows that routes change it
    RouteSessions sessions;
    OverdueRoutes overdue{setup.spec, setup.instance->module()};
    // Last: their threads use the others. What has a key waits for the store, and nothing else has to.
    PublishQueue queue;
    PublishQueue keyed_queue;
};

/// One request on its way through `write`.
struct RouteService::State::Run {
    const plugin::Route &route;
    const RouteRequest &request;
    std::shared_ptr<const event::Event> event;
    std::optional<event::Uuid> fingerprint;
    std::function<void(RouteAnswer)> &done;
    std::optional<RouteAnswer> in_doubt{}; ///< the answer of the last run whose commit was
};

/// What an event handler's result means for a request.
RouteAnswer RouteService::State::answer_of(const plugin::Route &route, const HandlerResult &result, RouteExchange &exchange) const {
    const auto note = [&](const char *what) {
        log::error("route.failed", what,
                   {{"domain", setup.spec.name},
                    {"route", plugin::route_name(route)},
                    {"code", result.error.type},
                    {"reason", result.error.message}});
    };
    switch (result.status) {
    case WEIR_OK:
    case WEIR_SKIP:
        return exchange.take_answer();
    case WEIR_REJECT:
        if (result.plugin_fault || result.error.type == "undefined_status") {
            note("A route did what it may not do");
            return RouteAnswer::problem(500, "plugin_error", "the plugin that answers this has a fault; the operator's log says which");
        }
        return RouteAnswer::problem(422, result.error.type, result.error.message);
    case WEIR_RETRY:
        return try_again(result.error.type, result.error.message);
    default:
        note("A route failed");
        return RouteAnswer::problem(500, "handler_failed", "the request could not be answered; the operator's log says why");
    }
}

RouteAnswer RouteService::State::read(const plugin::Route &route, const RouteRequest &request,
                                      const std::shared_ptr<const event::Event> &event) {
    Transaction transaction(sessions);
    HandlerCall call(description(), setup.spec.name, setup.contracts);
    RouteExchange exchange(setup.spec, route, request, call);
    const ScanFunction scan = [&](const store::Session::Scan &stated) { return transaction.reading().scan(stated); };
    // By a walk, because that takes no locks. All of it from one snapshot: rows that were committed together are seen together.
    const ReadRowFunction read_row = [&](std::uint32_t table, const store::Key &key) -> std::optional<store::Row> {
        store::Session::Scan one;
        one.table = table;
        one.from = one.to = key;
        one.limit = 1;
        std::vector<store::Row> rows = transaction.reading().scan(one);
        return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
    };
    try {
        HandlerResult result =
            call.run([&](const weir_event_v1 *seen, const weir_call_v1 *may) { return exchange.run(setup.instance->handle(), seen, may); },
                     *event, 1, read_row, scan);
        if (!result.changes.empty() || !result.emitted.empty() || !result.published.empty()) {
            result.status = WEIR_REJECT;
            result.plugin_fault = true;
            result.error = {"change_in_get", "a route of GET may not change, emit or publish"};
        }
        return answer_of(route, result, exchange);
    } catch (...) {
        transaction.give_up();
        throw;
    }
}

/// Nothing: it was handed to the queue.
std::optional<RouteAnswer> RouteService::State::write_once(Run &run) {
    Transaction transaction(sessions);
    store::BatchRows rows(schema,
                          [&](std::uint32_t table, std::span<const store::Key> keys) { return transaction.begun().fetch(table, keys); });
    HandlerCall call(description(), setup.spec.name, setup.contracts);
    RouteExchange exchange(setup.spec, run.route, run.request, call);
    const ScanFunction scan = [&](const store::Session::Scan &stated) { return transaction.begun().scan(stated); };
    const ReadRowFunction read_row = [&](std::uint32_t table, const store::Key &key) { return rows.read(table, key); };
    try {
        HandlerResult result =
            call.run([&](const weir_event_v1 *seen, const weir_call_v1 *may) { return exchange.run(setup.instance->handle(), seen, may); },
                     *run.event, 1, read_row, scan);
        const bool writes = !result.changes.empty() || !result.emitted.empty();
        if (writes && !result.published.empty()) {
            result = {};
            result.status = WEIR_REJECT;
            result.plugin_fault = true;
            result.error = {"publish_and_change", "a route may publish, or change and emit, but not both: one could be without the other"};
        }
        RouteAnswer answer = answer_of(run.route, result, exchange);
        const bool keeps = result.status == WEIR_OK && answer.status < 400;
        if (keeps && !result.published.empty()) {
            transaction.rollback();
            return publish(run, std::move(result.published), std::move(answer));
        }
        // A request that was decided before is answered as then, whatever the handler makes of it now.
        if (!run.fingerprint && (!keeps || !writes)) {
            return answer;
        }
        if (!keeps) {
            result = {};
        }
        return commit(run, transaction, rows, std::move(result), std::move(answer));
    } catch (const store::RunAgain &) {
        throw; // rolled back, and good for another time
    } catch (const store::DataRefused &) {
        throw;
    } catch (...) {
        transaction.give_up();
        throw;
    }
}

/// Hands a request to the queue, which publishes these events and gives this answer, or what is kept under the request's key.
std::optional<RouteAnswer> RouteService::State::publish(Run &run, std::vector<store::OutboxEntry> events, RouteAnswer answer) {
    if (is_late(run.request)) {
        return too_late();
    }
    if (run.in_doubt && !run.fingerprint) { // else that there is one effect is seen to where the key is noted
        throw store::InDoubt("a run before this one may have been committed, and this one would publish");
    }
    (run.fingerprint ? keyed_queue : queue)
        .push({run.event->id, run.fingerprint, std::move(events), std::move(answer), run.request.deadline, std::move(run.done)});
    return std::nullopt;
}

/// Nothing: it was handed to the queue.
std::optional<RouteAnswer> RouteService::State::commit(Run &run, Transaction &transaction, store::BatchRows &rows, HandlerResult result,
                                                       RouteAnswer answer) {
    store::Session &session = transaction.begun();
    const event::Uuid &id = run.event->id;
    if (run.fingerprint) {
        if (auto kept = fetch_requests(session, request_table, std::span(&id, 1)).front()) {
            if (kept->fingerprint != *run.fingerprint) {
                return key_reused();
            }
            if (kept->published.empty()) {
                return std::move(kept->answer);
            }
            transaction.rollback(); // the broker may not have it
            return publish(run, std::move(kept->published), std::move(kept->answer));
        }
    }
    if (result.changes.empty() && result.emitted.empty()) {
        return answer;
    }
    if (!session.decided(std::span(&id, 1)).empty()) {
        return run.in_doubt.value_or(std::move(answer)); // an earlier run was committed after all
    }
    const event::Micros now = run.event->occurred_at;
    rows.add(0, {now, id}, std::move(result.changes));
    std::vector<store::TableFlush> flush = rows.finish();
    if (const auto &failure = rows.failure()) {
        return RouteAnswer::problem(422, "invalid_change", failure->reason);
    }
    if (run.fingerprint) {
        store::TableFlush &kept = flush.emplace_back();
        kept.table = request_table;
        kept.created.push_back(request_row(id, *run.fingerprint, answer, {}, now));
    }
    if (is_late(run.request)) {
        return too_late();
    }
    note_changes(session, flush);
    session.flush(flush);
    if (!result.emitted.empty()) {
        session.add_outbox(result.emitted);
    }
    const store::LedgerEntry entry{id, now, rows.stale().empty() ? store::Outcome::applied : store::Outcome::stale, true};
    session.record(std::span(&entry, 1));
    try {
        transaction.commit();
    } catch (const store::InDoubt &) {
        run.in_doubt = answer;
        throw;
    }
    for (const store::TableFlush &table : flush) {
        if (table.table != request_table) {
            noted[table.table] = true;
        }
    }
    if (!result.emitted.empty()) {
        ring();
    }
    return answer;
}

/// A rebuild leaves the rows of such tables alone. Noted once a process, and in the transaction of the first change.
void RouteService::State::note_changes(store::Session &session, std::span<const store::TableFlush> flush) {
    for (const store::TableFlush &table : flush) {
        if (table.table != request_table && !noted[table.table]) {
            session.note_route_change(table.table);
        }
    }
}

/// For good: a commit that is still on its way is waited for, by writing what it writes. Nothing: the store can't say now.
std::optional<bool> RouteService::State::is_decided(const event::Uuid &id) {
    for (int look = 0; look < kLooksAtDoubt; ++look) {
        try {
            const auto session = sessions.open();
            session->begin({});
            if (!session->decided(std::span(&id, 1)).empty()) {
                session->rollback();
                return true;
            }
            const store::LedgerEntry entry{id, event::now(), store::Outcome::applied, true};
            session->record(std::span(&entry, 1));
            session->rollback();
            return false;
        } catch (const store::Unavailable &) {
            return std::nullopt;
        } catch (const store::RunAgain &) { // it is there by now, or whoever has it keeps it for too long
        }
    }
    return std::nullopt;
}

void RouteService::State::write(const plugin::Route &route, const RouteRequest &request, const std::shared_ptr<const event::Event> &event,
                                const std::optional<event::Uuid> &fingerprint, std::function<void(RouteAnswer)> &done) {
    Run run{route, request, event, fingerprint, done};
    for (int count = 1;; ++count) {
        try {
            if (auto answer = write_once(run)) {
                done(std::move(*answer));
            }
            return;
        } catch (const store::RunAgain &) {
            if (count == kContendedRuns) {
                throw;
            }
        } catch (const store::InDoubt &) {
            sessions.forget();
            const std::optional<bool> decided = is_decided(event->id);
            if (!decided) {
                throw; // it stays in doubt: "try again" alone would invite a second effect
            }
            if (*decided) {
                ring();
                done(std::move(run.in_doubt.value()));
                return;
            }
            if (count == kContendedRuns) {
                throw;
            }
        }
    }
}

RouteAnswer RouteService::State::failed(const plugin::Route &route, const std::exception_ptr &thrown) {
    RouteFailure failure = failure_of(thrown);
    if (!failure.reason.empty()) {
        const bool is_news = sessions.forget();
        if (is_news || !failure.is_away) { // an outage is told once
            log::warn("route.failed", "A request could not be answered",
                      {{"domain", setup.spec.name},
                       {"route", plugin::route_name(route)},
                       {"code", failure.answer.code},
                       {"reason", failure.reason}});
        }
    }
    return std::move(failure.answer);
}

RouteService::RouteService(Setup setup) : state_(std::make_unique<State>(std::move(setup))) {}
RouteService::~RouteService() = default;

void RouteService::begin(std::shared_ptr<store::DomainStore> store) {
    store->migrate(state_->schema);
    state_->sessions.begin(std::move(store));
}

void RouteService::end_by(std::chrono::steady_clock::time_point when) {
    state_->queue.end_by(when);
    state_->keyed_queue.end_by(when);
}

std::uint64_t RouteService::forget_requests(event::Micros until, const std::function<bool()> &goes_on) {
    if (!keeps_requests(state_->description())) {
        return 0;
    }
    const auto session = state_->sessions.open();
    return engine::forget_requests(*session, state_->request_table, until, goes_on);
}

const DomainSpec &RouteService::spec() const { return state_->setup.spec; }
const std::shared_ptr<plugin::Instance> &RouteService::instance() const { return state_->setup.instance; }
const std::shared_ptr<RelayBell> &RouteService::relay_bell() const { return state_->setup.relay_bell; }
OverdueRoutes &RouteService::overdue() const { return state_->overdue; }
const plugin::Module &RouteService::module() const { return state_->setup.instance->module(); }
const std::vector<plugin::Route> &RouteService::routes() const { return state_->description().routes; }

void RouteService::answer(const plugin::Route &route, const RouteRequest &request, std::function<void(RouteAnswer)> done) noexcept {
    try {
        event::Uuid id = event::Uuid::random();
        std::optional<event::Uuid> fingerprint;
        if (const auto key = idempotency_key(request); key && route.method == WEIR_HTTP_POST) {
            if (!is_idempotency_key(*key)) {
                return done(
                    RouteAnswer::problem(400, "invalid_idempotency_key", "Idempotency-Key: must be 1 to 255 visible ASCII characters"));
            }
            id = request_id(state_->setup.spec, route, *key);
            fingerprint = request_fingerprint(request);
        }
        std::string reason;
        const auto event = event_of(request, id, event::now(), reason);
        if (!event) {
            return done(RouteAnswer::problem(400, "malformed_json", "the body is no JSON: " + reason));
        }
        if (route.method == WEIR_HTTP_GET) {
            return done(state_->read(route, request, event));
        }
        state_->write(route, request, event, fingerprint, done);
    } catch (...) {
        if (done) {
            done(state_->failed(route, std::current_exception()));
        }
    }
}

} // namespace weir::engine
