// SPDX-License-Identifier: Apache-2.0
#include "desk.hpp"
#include "engine_store.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <thread>

using namespace weir::test;

namespace {

std::string save(const std::string &id, const std::string &words) { return R"({"id":")" + id + R"(","words":")" + words + "\"}"; }
const std::string kTake = R"({"id":"a"})";
const std::string kTaken = R"({"taken":true})";
const std::string kNoneLeft = R"({"taken":false})";
Headers key(const std::string &text) { return {{"Idempotency-Key", text}}; }
std::string code_of(const HttpAnswer &answer) { return nlohmann::json::parse(answer.body).value("code", ""); }

} // namespace

TEST_CASE("a POST that changes takes effect once under its key, and every repetition gets the first answer") {
    Desk desk;
    const HttpAnswer first = desk.ask("POST", "/desk/notes", save("a", "once"), key("k1"));
    REQUIRE(first.status == 201);
    for (int i = 0; i < 3; ++i) {
        const HttpAnswer again = desk.ask("POST", "/desk/notes", save("a", "once"), key("k1"));
        CHECK(again.status == 201);
        CHECK(again.body == first.body);
        CHECK(again.header("Location") == first.header("Location"));
    }
    CHECK(desk.note("a") == R"({"id":"a","words":"once","version":1})");
    CHECK(desk.ask("POST", "/desk/notes", save("a", "once"), key("k2")).body == R"({"version":2})");
    CHECK(eventually([&] { return desk.published("desk.saved") == 2; }, std::chrono::seconds(20)));
}

TEST_CASE("another request under the same key is refused with 422, for changes and for what is published") {
    Desk desk;
    REQUIRE(desk.ask("POST", "/desk/notes", save("a", "b"), key("k")).status == 201);
    const HttpAnswer other = desk.ask("POST", "/desk/notes", save("a", "c"), key("k"));
    CHECK(other.status == 422);
    CHECK(code_of(other) == "idempotency_key_reused");
    CHECK(desk.ask("POST", "/desk/notes?x=1", save("a", "b"), key("k")).status == 422);
    CHECK(desk.note("a") == R"({"id":"a","words":"b","version":1})");

    REQUIRE(desk.ask("POST", "/desk/tell", R"({"words":"x"})", key("k")).status == 202);
    CHECK(code_of(desk.ask("POST", "/desk/tell", R"({"words":"y"})", key("k"))) == "idempotency_key_reused");
    CHECK(desk.ask("POST", "/desk/tell", R"({"words":"x"})", key("k")).status == 202);
}

TEST_CASE("what has no key is published while the store keeps those waiting that have one") {
    if (on_postgresql()) {
        return; // no transaction there keeps all others waiting
    }
    Desk desk;
    REQUIRE(desk.ask("POST", "/desk/tell", R"({"words":"x"})", key("first")).status == 202);
    const auto domain = desk.store->domain("desk");
    const auto other = domain->open();
    other->begin({}); // the file is locked
    std::atomic<int> keyed{0};
    std::thread waits([&] { keyed = desk.ask("POST", "/desk/tell", R"({"words":"y"})", key("second")).status; });
    const bool came = eventually([&] { return desk.server->statistics().requests == 2; }, std::chrono::seconds(20));
    const int keyless = desk.ask("POST", "/desk/tell", R"({"words":"z"})").status;
    const int meanwhile = keyed;
    other->rollback();
    waits.join();
    CHECK(came);
    CHECK(keyless == 202);
    CHECK(meanwhile == 0);
    CHECK(keyed == 202);
}

TEST_CASE("keys are of one route: the same text elsewhere is another key") {
    Desk desk;
    REQUIRE(desk.ask("POST", "/desk/tell", R"({"words":"x"})", key("k")).status == 202);
    REQUIRE(desk.ask("POST", "/desk/tell-again", R"({"words":"y"})", key("k")).status == 202);
    CHECK(eventually([&] { return desk.ask("GET", "/desk/notes").body.size() == 79; }, std::chrono::seconds(20))); // two ids
}

TEST_CASE("what is no key is refused, and where nothing was done the key is free again") {
    Desk desk;
    CHECK(code_of(desk.ask("POST", "/desk/notes", save("a", "b"), key(std::string(256, 'k')))) == "invalid_idempotency_key");
    CHECK(code_of(desk.ask("POST", "/desk/notes", save("a", "b"), key("a b"))) == "invalid_idempotency_key");
    CHECK(desk.ask("POST", "/desk/notes", R"({"id":"a"})", key("free")).status == 422);
    CHECK(desk.ask("POST", "/desk/notes", save("a", "b"), key("free")).status == 201);
}

TEST_CASE("what is published under one key has one id, so that its consumer counts it once") {
    Desk desk;
    for (int i = 0; i < 5; ++i) {
        REQUIRE(desk.ask("POST", "/desk/tell", R"({"words":"once"})", key("k")).status == 202);
    }
    REQUIRE(desk.ask("POST", "/desk/tell", R"({"words":"last"})").status == 202);
    CHECK(desk.published("desk.told") == 6);
    REQUIRE(eventually([&] { return desk.supervisor->drained(); }, std::chrono::seconds(20)));
    CHECK(desk.ask("GET", "/desk/notes").body.size() == 79); // two ids
}

TEST_CASE("what was changed under a key is answered as then, also where the route would publish by now") {
    Desk desk;
    REQUIRE(desk.ask("POST", "/desk/notes", save("a", "b")).status == 201);
    REQUIRE(desk.ask("POST", "/desk/take", kTake, key("k")).body == kTaken); // the last one
    for (int i = 0; i < 3; ++i) {
        const HttpAnswer again = desk.ask("POST", "/desk/take", kTake, key("k"));
        CHECK(again.status == 201);
        CHECK(again.body == kTaken);
    }
    CHECK(desk.published("desk.told") == 0);
    CHECK(desk.ask("POST", "/desk/take", kTake, key("l")).body == kNoneLeft);
    CHECK(code_of(desk.ask("POST", "/desk/take", R"({"id":"a","x":1})", key("k"))) == "idempotency_key_reused");
    CHECK(desk.published("desk.told") == 1);
}

TEST_CASE("what was published under a key is published again as it was, also where the route would change or refuse by now") {
    Desk desk;
    for (const std::string by_now : {"there", "closed"}) {
        INFO(by_now);
        const std::string asked = R"({"id":")" + by_now + "\"}";
        const std::size_t before = desk.published("desk.told");
        REQUIRE(desk.ask("POST", "/desk/take", asked, key(by_now)).body == kNoneLeft);
        REQUIRE(desk.ask("POST", "/desk/notes", save(by_now, by_now)).status == 201);
        const std::string note = desk.note(by_now);
        for (int i = 0; i < 3; ++i) {
            const HttpAnswer again = desk.ask("POST", "/desk/take", asked, key(by_now));
            CHECK(again.status == 202);
            CHECK(again.body == kNoneLeft);
        }
        CHECK(code_of(desk.ask("POST", "/desk/take", R"({"id":"another"})", key(by_now))) == "idempotency_key_reused");
        CHECK(desk.note(by_now) == note);
        const auto published = desk.real_broker->browse({"desk.told", 0}, std::nullopt, 100);
        REQUIRE(published.size() == before + 4);
        CHECK(std::all_of(published.begin() + static_cast<std::ptrdiff_t>(before), published.end(),
                          [&](const auto &one) { return one.body == published[before].body; }));
    }
}

TEST_CASE("what was noted under a key and is not with the broker is published by a repetition, whatever the route makes of it by then") {
    Desk desk;
    desk.broker->be_away(true);
    CHECK(code_of(desk.ask("POST", "/desk/take", kTake, key("k"))) == "broker_unavailable");
    REQUIRE(desk.ask("POST", "/desk/notes", save("a", "b")).status == 201);
    CHECK(code_of(desk.ask("POST", "/desk/take", kTake, key("k"))) == "broker_unavailable");
    desk.broker->be_away(false);
    CHECK(desk.ask("POST", "/desk/take", kTake, key("k")).body == kNoneLeft);
    CHECK(desk.published("desk.told") == 1);
    CHECK(desk.note("a").find(R"("version":1})") != std::string::npos);
    CHECK(desk.ask("POST", "/desk/take", kTake).body == kTaken); // without a key it is another request
}

TEST_CASE("a key that was noted without its answer, by a build before this one, is refused for good") {
    Desk desk;
    REQUIRE(desk.ask("POST", "/desk/tell", R"({"words":"x"})", key("k")).status == 202);
    run_in_test_store(desk.directory / "store", "desk", "update http_requests set status = null, headers = null, published = null");
    CHECK(code_of(desk.ask("POST", "/desk/tell", R"({"words":"x"})", key("k"))) == "idempotency_key_undecided");
    CHECK(desk.published("desk.told") == 1);
}

TEST_CASE("many requests at once, each repeated under its key, come to one effect each") {
    Desk desk;
    std::atomic<int> wrong{0};
    std::vector<std::thread> clients;
    for (int client = 0; client < 6; ++client) {
        clients.emplace_back([&, client] {
            for (int i = 0; i < 30; ++i) {
                const std::string name = std::to_string(i); // the same of all clients
                const HttpAnswer saved = desk.ask("POST", "/desk/notes", save("n" + name, "w"), key("save" + name));
                const HttpAnswer told = desk.ask("POST", "/desk/tell", R"({"words":"t)" + name + "\"}", key("tell" + name));
                wrong += saved.status != 201 || told.status != 202 ? 1 : 0;
                (void)client;
            }
        });
    }
    for (std::thread &client : clients) {
        client.join();
    }
    CHECK(wrong == 0);
    REQUIRE(eventually([&] { return desk.supervisor->drained(); }, std::chrono::seconds(30)));
    for (int i = 0; i < 30; ++i) {
        CHECK(desk.note("n" + std::to_string(i)).find(R"("version":1})") != std::string::npos);
    }
    CHECK(nlohmann::json::parse(desk.ask("GET", "/desk/notes").body).size() == 60);
}
