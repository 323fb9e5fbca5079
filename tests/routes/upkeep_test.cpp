// SPDX-License-Identifier: Apache-2.0
// Requests under an Idempotency-Key are forgotten when their time is over, however many they are.
#include "desk.hpp"

#include "engine/request_keys.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>

using namespace weir;
using namespace weir::test;

namespace {

constexpr event::Micros kHour = 3'600'000'000;

/// The table of requests of a domain "desk", and rows in it.
class Requests {
public:
    explicit Requests(Desk &desk) : service_(desk.board.services().at("desk")), domain_(desk.store->domain("desk")) {
        const store::Schema schema = engine::schema_with_requests(service_->module().description());
        domain_->migrate(schema);
        table_ = static_cast<std::uint32_t>(schema.tables.size() - 1);
        session_ = domain_->open();
    }

    void fill(std::size_t count, event::Micros received_at, std::size_t body_bytes = 10) {
        engine::RouteAnswer answer;
        answer.status = 201;
        answer.body = std::string(body_bytes, 'b');
        store::TableFlush flush;
        flush.table = table_;
        for (std::size_t i = 0; i < count; ++i) {
            flush.created.push_back(engine::request_row(event::Uuid::random(), event::Uuid::random(), answer, {}, received_at));
        }
        session_->begin({});
        session_->flush(std::span(&flush, 1));
        session_->commit();
    }
    std::uint64_t count() { return session_->count_rows(table_); }
    engine::RouteService &service() { return *service_; }

private:
    std::shared_ptr<engine::RouteService> service_;
    std::unique_ptr<store::DomainStore> domain_;
    std::unique_ptr<store::Session> session_;
    std::uint32_t table_ = 0;
};

} // namespace

TEST_CASE("thousands of requests are forgotten at a time, few where their answers are large, and those that are young stay") {
    Desk desk;
    Requests requests(desk);
    const event::Micros now = event::now();
    requests.fill(12'000, now - 2 * kHour);
    requests.fill(7, now);
    int steps = 0;
    const auto goes_on = [&] {
        ++steps;
        return true;
    };
    CHECK(requests.service().forget_requests(now - kHour, goes_on) == 12'000);
    CHECK(requests.count() == 7);
    CHECK(steps < 20);

    requests.fill(300, now - 2 * kHour, 200'000); // 60 MB
    steps = 0;
    CHECK(requests.service().forget_requests(now - kHour, goes_on) == 300);
    CHECK(requests.count() == 7);
    CHECK(steps > 10); // never much of it in memory

    requests.fill(500, now - 2 * kHour);
    CHECK(requests.service().forget_requests(now - kHour, [] { return false; }) < 500); // told to stop
}

TEST_CASE("a domain whose routes only commit forgets old requests as well, and their keys are free again") {
    ::setenv("WEIR_TEST_LEDGER", "1000000,desk:600000", 1); // looks several times a second; keeps ten minutes
    {
        Desk desk;
        Requests requests(desk);
        REQUIRE(desk.ask("POST", "/desk/notes", R"({"id":"a","words":"b"})", {{"Idempotency-Key", "k"}}).status == 201);
        requests.fill(3000, event::now() - kHour);
        CHECK(eventually([&] { return requests.count() == 1; }, std::chrono::seconds(60)));
    }
    ::unsetenv("WEIR_TEST_LEDGER");
}
