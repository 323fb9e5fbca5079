// SPDX-License-Identifier: Apache-2.0
// What a client is told where its change came too late, or where nobody can say whether it was made.
#include "desk.hpp"

#include "engine/route_service.hpp"
#include "engine_store.hpp"
#include "proxy.hpp"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

using namespace weir;
using namespace weir::test;

namespace {

/// What becomes of the next commits of a store's sessions.
enum class Fate {
    committed,  ///< as it should be
    reply_lost, ///< committed, and the connection ends before anybody hears of it
    late,       ///< the connection ends while the store has it, and is not done with it
    cut         ///< the connection ends before the store hears of it
};
struct Plan {
    std::deque<Fate> fates;    ///< when they are used up: committed
    bool is_away_after{false}; ///< once a connection has ended, none can be opened
    bool is_away{false};
    std::function<void()> meanwhile; ///< after each end of a connection
    std::unique_ptr<store::Session> late;
    std::function<void()> before_record;                                  ///< on any thread, as the next one
    std::function<void(std::span<const store::TableFlush>)> before_flush; ///< it may throw
};

/// A session of a store, whose connection ends when it is planned to.
class DoubtfulSession final : public store::Session {
public:
    DoubtfulSession(std::unique_ptr<store::Session> real, Plan &plan) : real_(std::move(real)), plan_(plan) {}

    void commit() override {
        const Fate fate = plan_.fates.empty() ? Fate::committed : plan_.fates.front();
        if (!plan_.fates.empty()) {
            plan_.fates.pop_front();
        }
        if (fate == Fate::late) {
            plan_.late = std::move(real_);
            throw store::InDoubt("the connection ended");
        }
        if (fate != Fate::cut) {
            real_->commit();
        }
        if (fate != Fate::committed) {
            plan_.is_away = plan_.is_away_after;
            real_->rollback();
            if (plan_.meanwhile) {
                plan_.meanwhile();
            }
            throw store::InDoubt("the connection ended");
        }
    }

    void begin(std::span<const store::Lease> leases) override { real_->begin(leases); }
    void begin_reading() override { real_->begin_reading(); }
    void rollback() noexcept override {
        if (real_) {
            real_->rollback();
        }
    }
    void savepoint(int depth) override { real_->savepoint(depth); }
    void rollback_to(int depth) override { real_->rollback_to(depth); }
    void release(int depth) override { real_->release(depth); }
    std::vector<event::Uuid> decided(std::span<const event::Uuid> ids) override { return real_->decided(ids); }
    void record(std::span<const store::LedgerEntry> entries) override {
        if (plan_.before_record) {
            plan_.before_record();
        }
        real_->record(entries);
    }
    std::vector<std::optional<store::Row>> fetch(std::uint32_t table, std::span<const store::Key> keys) override {
        return real_->fetch(table, keys);
    }
    void flush(std::span<const store::TableFlush> tables) override {
        if (plan_.before_flush) {
            plan_.before_flush(tables);
        }
        real_->flush(tables);
    }
    void add_outbox(std::span<const store::OutboxEntry> entries) override { real_->add_outbox(entries); }
    void note_route_change(std::uint32_t table) override { real_->note_route_change(table); }
    std::vector<store::Row> scan(const Scan &scan) override { return real_->scan(scan); }

    // Routes use none of these.
    void add_dead_letters(std::span<const store::DeadLetter>) override {}
    void save_positions(std::span<const store::StoredPosition>) override {}
    void save_attempts(std::span<const store::Attempts>) override {}
    void forget_attempts(std::span<const event::Uuid>) override {}
    std::vector<store::Attempts> attempts() override { return {}; }
    std::vector<store::StoredPosition> positions() override { return {}; }
    store::Figures figures() override { return {}; }
    std::vector<store::OutboxEntry> outbox(std::size_t) override { return {}; }
    void remove_outbox(std::span<const std::int64_t>) override {}
    std::optional<store::Lease> acquire_lease(const std::string &, std::uint32_t, const std::string &, std::chrono::milliseconds) override {
        return std::nullopt;
    }
    void renew_leases(std::span<const store::Lease>, std::chrono::milliseconds) override {}
    void release_leases(std::span<const store::Lease>) override {}
    std::vector<store::DeadLetter> dead_letters(const store::DeadLetterFilter &) override { return {}; }
    std::optional<store::DeadLetter> dead_letter(const event::Uuid &) override { return std::nullopt; }
    std::optional<store::DeadLetter> lock_dead_letter(std::int64_t) override { return std::nullopt; }
    void settle_dead_letter(const store::DeadLetter &, store::DeadLetterStatus, store::Outcome) override {}
    void note_replay_failure(const store::DeadLetter &, const event::Refusal &) override {}
    store::LedgerCounts ledger_counts() override { return {}; }
    std::uint64_t count_rows(std::uint32_t) override { return 0; }

private:
    std::unique_ptr<store::Session> real_;
    Plan &plan_;
};

class DoubtfulStore final : public store::DomainStore {
public:
    DoubtfulStore(std::unique_ptr<store::DomainStore> real, Plan &plan) : real_(std::move(real)), plan_(plan) {}
    store::MigrationSteps migrate(const store::Schema &schema) override { return real_->migrate(schema); }
    store::MigrationSteps preview(const store::Schema &schema) override { return real_->preview(schema); }
    std::unique_ptr<store::Session> open() override {
        if (plan_.is_away) {
            throw store::Unavailable("the server is away");
        }
        return std::make_unique<DoubtfulSession>(real_->open(), plan_);
    }

private:
    std::unique_ptr<store::DomainStore> real_;
    Plan &plan_;
};

const plugin::Route &route_at(const engine::RouteService &service, const std::string &path, std::uint32_t method) {
    for (const plugin::Route &route : service.routes()) {
        if (route.path == path && route.method == method) {
            return route;
        }
    }
    throw std::runtime_error("the fixture has no " + path);
}

engine::RouteRequest request(std::string_view path, std::string_view body) {
    engine::RouteRequest made;
    made.path = path;
    made.body = body;
    made.content_type = "application/json";
    return made;
}

/// What is answered before `answer` returns; status 0: nothing is.
engine::RouteAnswer ask(engine::RouteService &service, const engine::RouteRequest &asked, const std::string &route = {},
                        std::uint32_t method = WEIR_HTTP_POST) {
    const auto answer = std::make_shared<engine::RouteAnswer>();
    answer->status = 0;
    service.answer(route_at(service, route.empty() ? std::string(asked.path) : route, method), asked,
                   [answer](engine::RouteAnswer given) { *answer = std::move(given); });
    return *answer;
}

} // namespace

TEST_CASE("what a handler comes to after its client's 504 is dropped, also under a key") {
    Desk desk;
    const std::shared_ptr<engine::RouteService> service = desk.board.services().at("desk");
    const bool keyed = GENERATE(false, true);
    engine::RouteRequest save = request("/desk/notes", R"({"id":"a","words":"b"})");
    engine::RouteRequest tell = request("/desk/tell", R"({"words":"b"})");
    save.deadline = tell.deadline = std::chrono::steady_clock::now() - std::chrono::milliseconds(1);
    if (keyed) {
        save.headers = tell.headers = {{"Idempotency-Key", "k"}};
    }
    CHECK(ask(*service, save).status == 504);
    CHECK(ask(*service, tell).status == 504);
    CHECK(desk.note("a").empty());
    CHECK(desk.published("desk.told") == 0);
    // The key is free.
    save.deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    CHECK(ask(*service, save).status == 201);
    CHECK(desk.note("a") == R"({"id":"a","words":"b","version":1})");
}

namespace {

/// The desk's routes on sessions of another store than the desk's own threads use.
std::unique_ptr<engine::RouteService> routes_on(const Desk &desk, std::shared_ptr<store::DomainStore> store) {
    const std::shared_ptr<engine::RouteService> real = desk.board.services().at("desk");
    engine::RouteService::Setup setup;
    setup.spec = real->spec();
    setup.instance = real->instance();
    setup.broker = desk.broker.get();
    setup.contracts = &desk.contracts;
    setup.relay_bell = real->relay_bell();
    auto service = std::make_unique<engine::RouteService>(setup);
    service->begin(std::move(store));
    return service;
}

std::string save_body(const std::string &id) { return R"({"id":")" + id + R"(","words":"b"})"; }

/// Of views: what they are of outlives the request.
engine::RouteRequest save_request(std::string_view body, std::string_view key) {
    engine::RouteRequest made = request("/desk/notes", body);
    if (!key.empty()) {
        made.headers = {{"Idempotency-Key", key}};
    }
    return made;
}

/// Two requests, each with one effect on a note of its own; the first one's commit ends as `arm` brings about.
void check_one_effect(Desk &desk, engine::RouteService &service, const std::string &id, const std::function<void()> &arm) {
    const std::size_t published = desk.published("desk.saved");
    for (const std::string &key : {std::string(), "key-of-" + id}) {
        const std::string noted = id + (key.empty() ? "" : " keyed");
        INFO("note " << noted);
        const std::string text = save_body(noted);
        arm();
        const engine::RouteAnswer first = ask(service, save_request(text, key));
        CHECK(first.status == 201);
        CHECK(first.body == R"({"version":1})");
        CHECK(desk.note(noted == id ? id : id + "%20keyed") == R"({"id":")" + noted + R"(","words":"b","version":1})");
        if (!key.empty()) {
            CHECK(ask(service, save_request(text, key)).body == first.body);
        }
        CHECK(ask(service, save_request(text, "")).body == R"({"version":2})");
    }
    CHECK(eventually([&] { return desk.published("desk.saved") == published + 4; }, std::chrono::seconds(20)));
}

} // namespace

TEST_CASE("a commit whose answer is lost is decided by the ledger: one effect, and the answer of the run that made it") {
    Desk desk;
    Plan plan;
    const auto service = routes_on(desk, std::make_shared<DoubtfulStore>(desk.store->domain("desk"), plan));
    check_one_effect(desk, *service, "lost", [&] { plan.fates = {Fate::reply_lost}; });
    check_one_effect(desk, *service, "cut", [&] { plan.fates = {Fate::cut}; });
    check_one_effect(desk, *service, "both", [&] { plan.fates = {Fate::cut, Fate::cut, Fate::reply_lost}; });
    CHECK(plan.fates.empty());
}

TEST_CASE("a COMMIT that PostgreSQL's answer to is lost has one effect, and the right answer") {
    if (!on_postgresql()) {
        return;
    }
    Desk desk;
    TcpProxy proxy(test_store_port(), TcpProxy::Protocol::postgresql);
    const auto store = open_test_store_at(proxy.port());
    const auto service = routes_on(desk, store->domain("desk"));
    check_one_effect(desk, *service, "lost", [&] { proxy.arm(Fault::reply_lost); });
    CHECK(proxy.fired(Fault::reply_lost) == 2);
    check_one_effect(desk, *service, "cut", [&] { proxy.arm(Fault::cut_before); });
    CHECK(proxy.fired(Fault::cut_before) == 2);
}

TEST_CASE("a change whose commit nobody can decide now is said to be in doubt, and not to be tried again without a key") {
    Desk desk;
    Plan plan;
    plan.is_away_after = true;
    const auto service = routes_on(desk, std::make_shared<DoubtfulStore>(desk.store->domain("desk"), plan));
    for (const auto &[id, fate] : {std::pair("lost", Fate::reply_lost), std::pair("cut", Fate::cut)}) {
        INFO(id);
        const std::string body = save_body(id);
        plan.fates = {fate};
        const engine::RouteAnswer answer = ask(*service, save_request(body, id));
        CHECK(answer.status == 503);
        CHECK(answer.code == "in_doubt");
        CHECK(desk.note(id).empty() == (fate == Fate::cut));
        plan.is_away = false; // and under its key it is repeated without harm
        CHECK(ask(*service, save_request(body, id)).body == R"({"version":1})");
        CHECK(desk.note(id) == R"({"id":")" + std::string(id) + R"(","words":"b","version":1})");
    }
}

TEST_CASE("a request without a key is not published where a commit of it was in doubt before, though it seems not to be made") {
    Desk desk;
    const std::string body = save_body("a");
    REQUIRE(desk.ask("POST", "/desk/notes", body).status == 201);
    Plan plan;
    plan.fates = {Fate::cut};
    plan.meanwhile = [&] { CHECK(desk.ask("POST", "/desk/take", body).status == 201); }; // the last one
    const auto service = routes_on(desk, std::make_shared<DoubtfulStore>(desk.store->domain("desk"), plan));
    const engine::RouteAnswer answer = ask(*service, request("/desk/take", body));
    CHECK(answer.status == 503);
    CHECK(answer.code == "in_doubt");
    CHECK(desk.published("desk.told") == 0);
}

TEST_CASE("what came too late to be seen is no reason to refuse the request that it is the effect of") {
    if (!on_postgresql()) {
        return; // nobody else begins a change there while a commit is under way
    }
    const bool waits = GENERATE(false, true);
    Desk desk;
    REQUIRE(desk.ask("POST", "/desk/notes", save_body("a")).status == 201); // version 1
    Plan plan;
    const auto service = routes_on(desk, std::make_shared<DoubtfulStore>(desk.store->domain("desk"), plan));
    std::thread store_works;
    int looks = 0;
    plan.before_record = [&] {
        if (++looks == 1) { // of the run whose commit is late
            plan.fates = {Fate::late};
        } else if (plan.late) { // when the ledger has been looked at
            store_works = std::thread([late = std::shared_ptr<store::Session>(std::move(plan.late)), waits] {
                if (waits) {
                    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
                    eventually([&] { return std::chrono::steady_clock::now() > end; });
                }
                late->commit();
            });
            if (!waits) {
                store_works.join();
            }
        }
    };
    engine::RouteRequest replace = request("/desk/notes/a", R"({"words":"changed"})");
    replace.variables = {{"id", "a"}};
    replace.headers = {{"If-Match", "\"1\""}};
    const engine::RouteAnswer answer = ask(*service, replace, "/desk/notes/{id}", WEIR_HTTP_PUT);
    if (store_works.joinable()) {
        store_works.join();
    }
    CHECK(looks >= 2);
    CHECK(answer.status == 200);
    CHECK(answer.body == R"({"version":2})");
    CHECK(desk.note("a") == R"({"id":"a","words":"changed","version":2})");
}

TEST_CASE("a request that the store doesn't take under its key is alone with it, and those that are noted with it are answered as ever") {
    Desk desk;
    Plan plan;
    const auto service = routes_on(desk, std::make_shared<DoubtfulStore>(desk.store->domain("desk"), plan));
    std::mutex mutex;
    std::condition_variable changed;
    bool is_held = false;
    bool is_released = false;
    std::size_t most_at_once = 0;
    plan.before_flush = [&](std::span<const store::TableFlush> tables) {
        std::unique_lock lock(mutex);
        is_held = true;
        changed.notify_all();
        changed.wait(lock, [&] { return is_released; });
        most_at_once = std::max(most_at_once, tables[0].created.size());
        for (const store::Row &row : tables[0].created) {
            for (const store::Value &cell : row) {
                if (const auto *text = std::get_if<std::string>(&cell); text && text->find("not to be kept") != std::string::npos) {
                    throw store::DataRefused("a value that the store doesn't take");
                }
            }
        }
    };
    constexpr std::size_t kRequests = 8;
    std::vector<std::string> bodies;
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < kRequests; ++i) {
        bodies.push_back(i == 3 || i == 6 ? R"({"words":"not to be kept"})" : R"({"words":"x"})");
        keys.push_back("key " + std::to_string(i));
        keys.back()[3] = '-';
    }
    std::vector<engine::RouteAnswer> answers(kRequests);
    std::size_t answered = 0;
    for (std::size_t i = 0; i < kRequests; ++i) {
        engine::RouteRequest tell = request("/desk/tell", bodies[i]);
        tell.headers = {{"Idempotency-Key", keys[i]}};
        service->answer(route_at(*service, "/desk/tell", WEIR_HTTP_POST), tell, [&, i](engine::RouteAnswer answer) {
            const std::lock_guard lock(mutex);
            answers[i] = std::move(answer);
            ++answered;
            changed.notify_all();
        });
        std::unique_lock lock(mutex);
        REQUIRE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return is_held; })); // the first goes alone
    }
    {
        std::unique_lock lock(mutex);
        is_released = true;
        changed.notify_all();
        REQUIRE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return answered == kRequests; }));
    }
    CHECK(most_at_once == kRequests - 1);
    for (std::size_t i = 0; i < kRequests; ++i) {
        INFO(i);
        CHECK(answers[i].status == (i == 3 || i == 6 ? 500 : 202));
        CHECK(answers[i].code == (i == 3 || i == 6 ? "plugin_error" : ""));
    }
    CHECK(desk.published("desk.told") == kRequests - 2);
}
