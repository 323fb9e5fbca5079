// SPDX-License-Identifier: Apache-2.0
#include "engine/rebuild.hpp"
#include "engine/replay.hpp"
#include "engine_fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace weir;
using namespace weir::test;

namespace {

constexpr std::uint32_t kItems = 0; // routes change it too
constexpr std::uint32_t kSums = 1;  // events alone

plugin::Description two_tables() {
    plugin::Description description = items_plugin();
    store::Table sums;
    sums.name = "sums";
    sums.columns = {{"id", store::Type::text, false, 0, 0, store::Default::none, {}},
                    {"count", store::Type::int64, false, 0, 0, store::Default::literal, std::int64_t{0}}};
    sums.primary_key = {0};
    description.schema.tables.push_back(sums);
    return description;
}

void add(const weir_call_v1 *call, std::uint32_t table, std::string_view id, std::int64_t count) {
    weir_cell_v1 cells[2]{};
    cells[0].operation = WEIR_CELL_SET;
    cells[0].text = handlers::view(id);
    cells[1].column = 1;
    cells[1].operation = WEIR_CELL_ADD;
    cells[1].integer = count;
    weir_change_v1 change{};
    change.size = sizeof change;
    change.table = table;
    change.kind = WEIR_CHANGE_UPSERT;
    change.cells = cells;
    change.cell_count = 2;
    change.cell_stride = sizeof(weir_cell_v1);
    call->change(call, &change);
}

/// Each event has its own digit in the sums, so that it shows how often each took effect: /what says in which version it does not.
template <int version> weir_status count(void *, const weir_event_v1 *event, const weir_call_v1 *call) {
    const auto has = [&](const char *pointer) {
        std::int64_t value = 0;
        return event->integer(event, handlers::view(pointer), &value) == WEIR_FOUND && value == version;
    };
    if (has("/reject")) {
        call->error(call, handlers::view("rejected"), handlers::view("by this version"));
        return WEIR_REJECT;
    }
    if (has("/skip")) {
        return WEIR_SKIP;
    }
    std::int64_t amount = 0;
    std::int64_t items = 1;
    event->integer(event, handlers::view("/amount"), &amount);
    event->integer(event, handlers::view("/items"), &items);
    const std::string id(handlers::item_id(event));
    if (items == 1) {
        add(call, kItems, id, amount);
    }
    add(call, kSums, id, amount);
    return WEIR_OK;
}

std::shared_ptr<TestModule> module_of(weir_handler_v1 handler, std::uint32_t generation) {
    return std::make_shared<TestModule>(two_tables(), std::map<std::string, weir_handler_v1, std::less<>>{{"item.counted.v1", handler}},
                                        generation);
}

/// A domain that its first version has served.
struct Served {
    EngineFixture fixture;

    Served() {
        const auto event = [](int number, const std::string &payload) { return item_event(number, "item.counted.v1", payload); };
        fixture.publish({event(1, R"({"id":"a","amount":1})"), event(2, R"({"id":"a","amount":10,"reject":1})"),
                         event(3, R"({"id":"a","amount":100,"reject":1,"items":0})"), event(4, R"({"id":"a","amount":1000,"reject":2})"),
                         event(5, R"({"id":"a","amount":10000,"skip":1})")});
        engine::DomainWorker worker(EngineFixture::spec_for(two_tables()), module_of(count<1>, 1), fixture.environment());
        REQUIRE(EngineFixture::drain(worker));
        CHECK(counted(kItems) == 1001);
        CHECK(counted(kSums) == 1001);
    }

    std::int64_t counted(std::uint32_t table) {
        const store::Key key{store::Value(std::string("a"))};
        const auto row = fixture.session(two_tables())->fetch(table, std::span(&key, 1)).front();
        return row ? std::get<std::int64_t>((*row)[1]) : 0;
    }

    void change_by_route(std::uint32_t table) {
        const auto session = fixture.session(two_tables());
        session->begin({});
        session->note_route_change(table);
        session->commit();
    }

    engine::Rebuild rebuild(weir_handler_v1 handler) {
        return engine::Rebuild({EngineFixture::spec_for(two_tables()), module_of(handler, 2), fixture.broker.get(), fixture.store.get(),
                                &fixture.contracts, fixture.directory / "state", "rebuild"});
    }

    engine::RebuildResult run(weir_handler_v1 handler, bool interrupted = false) {
        engine::RebuildHooks hooks;
        hooks.wait = [&](std::chrono::milliseconds time) {
            eventually([] { return false; }, time);
            return interrupted;
        };
        hooks.tell = [](const engine::RebuildProgress &) {};
        return rebuild(handler).run(hooks, false);
    }

    /// By the amounts of their events.
    std::vector<std::string> pending() {
        store::DeadLetterFilter filter;
        filter.status = store::DeadLetterStatus::pending;
        std::vector<std::string> found;
        for (const store::DeadLetter &letter : fixture.session(two_tables())->dead_letters(filter)) {
            const auto at = letter.raw.find("\"amount\":") + 9;
            found.push_back(letter.raw.substr(at, letter.raw.find_first_not_of("0123456789", at) - at) + " " + letter.error_type);
        }
        std::sort(found.begin(), found.end());
        return found;
    }

    std::vector<std::string> replay_all(weir_handler_v1 handler) {
        engine::Replayer replayer(EngineFixture::spec_for(two_tables()), module_of(handler, 3), *fixture.store, fixture.contracts,
                                  fixture.directory / "state");
        store::DeadLetterFilter filter;
        filter.status = store::DeadLetterStatus::pending;
        for (const store::DeadLetter &letter : fixture.session(two_tables())->dead_letters(filter)) {
            replayer.replay(letter, false);
        }
        return pending();
    }
};

} // namespace

TEST_CASE("where routes change one of two tables, every event has its effect once in both after a rebuild and the replay of its letters") {
    Served served;
    served.change_by_route(kItems);
    const engine::RebuildResult result = served.run(count<2>);
    REQUIRE(result.outcome == engine::RebuildOutcome::swapped);
    CHECK(served.counted(kItems) == 1001); // as it was
    CHECK(served.counted(kSums) == 101);
    CHECK(served.pending() == std::vector<std::string>{"10 table_was_kept", "1000 rejected", "10000 table_was_kept"});
    CHECK(result.replaced.letters_resolved == 1);

    SECTION("replayed at once") { CHECK(served.replay_all(count<3>).empty()); }
    SECTION("replayed after another rebuild, which applies what has its effect in the table that stays") {
        REQUIRE(served.run(count<3>).outcome == engine::RebuildOutcome::swapped);
        CHECK(served.counted(kItems) == 1001);
        CHECK(served.counted(kSums) == 1101);
        CHECK(served.pending() == std::vector<std::string>{"10 table_was_kept", "10000 table_was_kept"});
        CHECK(served.replay_all(count<3>).empty());
    }
    SECTION("replayed, and then rebuilt again by a version that refuses one of them") {
        CHECK(served.replay_all(count<3>).empty());
        REQUIRE(served.run(count<2>).outcome == engine::RebuildOutcome::swapped);
        CHECK(served.counted(kItems) == 11011);
        CHECK(served.counted(kSums) == 10111);
        CHECK(served.pending() == std::vector<std::string>{"1000 rejected"});
        CHECK(served.replay_all(count<3>).empty());
    }
    CHECK(served.counted(kItems) == 11011);
    CHECK(served.counted(kSums) == 11111);
}

TEST_CASE("where no route changes a table, a rebuild applies all that its plugin takes") {
    Served served;
    REQUIRE(served.run(count<2>).outcome == engine::RebuildOutcome::swapped);
    CHECK(served.counted(kItems) == 10011);
    CHECK(served.counted(kSums) == 10111);
    CHECK(served.pending() == std::vector<std::string>{"1000 rejected"});
    CHECK(served.replay_all(count<3>).empty());
    CHECK(served.counted(kItems) == 11011);
    CHECK(served.counted(kSums) == 11111);
}

TEST_CASE("a letter of an event whose effect a kept row may have is not replayed, and says what to look at") {
    Served served;
    served.change_by_route(kItems);
    REQUIRE(served.run(count<2>).outcome == engine::RebuildOutcome::swapped);
    const auto session = served.fixture.session(two_tables());
    store::DeadLetter letter = session->dead_letters({}).front();
    letter.event_id = event::Uuid::v5(event::weir_namespace(), "another");
    letter.context = R"({"kept_tables":["items"],"kept_rows_of":["sums"],)" + letter.context.substr(1);
    session->begin({});
    session->add_dead_letters(std::span(&letter, 1));
    session->commit();
    CHECK(served.replay_all(count<3>) == std::vector<std::string>{"10 row_was_kept"});
    CHECK(served.counted(kItems) == 11011);
    CHECK(served.counted(kSums) == 11111);
}

TEST_CASE("a shadow that was begun before a route first changed a table is refused, and the domain is as it was") {
    Served served;
    CHECK(served.run(count<2>, true).outcome == engine::RebuildOutcome::interrupted);
    served.change_by_route(kItems);
    CHECK_THROWS_WITH(served.run(count<2>), Catch::Contains("table items") && Catch::Contains("--cancel"));
    CHECK(served.counted(kSums) == 1001);
    CHECK(served.rebuild(count<2>).cancel());
    CHECK(served.run(count<2>).outcome == engine::RebuildOutcome::swapped);
    CHECK(served.counted(kItems) == 1001);
    CHECK(served.counted(kSums) == 101);
}

TEST_CASE("a rebuild says before what becomes of tables that routes change, and of letters") {
    Served served;
    CHECK(served.rebuild(count<2>).survey().notes.empty());
    served.change_by_route(kItems);
    const std::vector<std::string> notes = served.rebuild(count<2>).survey().notes;
    REQUIRE(notes.size() == 2);
    CHECK_THAT(notes[0], Catch::Contains("table items"));
    CHECK_THAT(notes[1], Catch::Contains("2 dead letters and 1 ignored event") && Catch::Contains("replayed"));
}
