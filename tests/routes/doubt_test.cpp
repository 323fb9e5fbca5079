// SPDX-License-Identifier: Apache-2.0
// What a client is told where its change came too late, or where nobody can say whether it was made.
#include "desk.hpp"

#include "engine/route_service.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using namespace weir::test;

namespace {

/// A session whose connection ends while it commits.
class CutSession final : public store::Session {
public:
    void begin(std::span<const store::Lease>) override {}
    void begin_reading() override {}
    void commit() override { throw store::InDoubt("the connection ended"); }
    void rollback() noexcept override {}
    void savepoint(int) override {}
    void rollback_to(int) override {}
    void release(int) override {}
    std::vector<event::Uuid> decided(std::span<const event::Uuid>) override { return {}; }
    void record(std::span<const store::LedgerEntry>) override {}
    std::vector<std::optional<store::Row>> fetch(std::uint32_t, std::span<const store::Key> keys) override {
        return std::vector<std::optional<store::Row>>(keys.size());
    }
    void flush(std::span<const store::TableFlush>) override {}
    void add_dead_letters(std::span<const store::DeadLetter>) override {}
    void add_outbox(std::span<const store::OutboxEntry>) override {}
    void save_positions(std::span<const store::StoredPosition>) override {}
    void save_attempts(std::span<const store::Attempts>) override {}
    void note_route_change(std::uint32_t) override {}
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
    std::vector<store::Row> scan(const Scan &) override { return {}; }
};

/// A store that is away once the first session met its end.
class CutStore final : public store::DomainStore {
public:
    store::MigrationSteps migrate(const store::Schema &) override { return {}; }
    store::MigrationSteps preview(const store::Schema &) override { return {}; }
    std::unique_ptr<store::Session> open() override {
        if (std::exchange(opened_, true)) {
            throw store::Unavailable("the server is away");
        }
        return std::make_unique<CutSession>();
    }

private:
    bool opened_ = false;
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
engine::RouteAnswer ask(engine::RouteService &service, const engine::RouteRequest &asked) {
    const auto answer = std::make_shared<engine::RouteAnswer>();
    answer->status = 0;
    service.answer(route_at(service, std::string(asked.path), WEIR_HTTP_POST), asked,
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

TEST_CASE("a change whose commit nobody can decide now is said to be in doubt, and not to be tried again without a key") {
    Desk desk;
    const std::shared_ptr<engine::RouteService> real = desk.board.services().at("desk");
    std::string reason;
    engine::RouteService::Setup setup;
    setup.spec = real->spec();
    setup.instance = plugin::Instance::create({real, &real->module()}, setup.spec.name, setup.spec.schema, "{}", reason);
    REQUIRE(setup.instance);
    setup.broker = desk.broker.get();
    setup.contracts = &desk.contracts;
    engine::RouteService service(setup);
    service.begin(std::make_shared<CutStore>());
    const engine::RouteAnswer answer = ask(service, request("/desk/notes", R"({"id":"a","words":"b"})"));
    CHECK(answer.status == 503);
    CHECK(answer.code == "in_doubt");
}
