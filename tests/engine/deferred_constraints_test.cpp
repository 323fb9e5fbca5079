// SPDX-License-Identifier: Apache-2.0
// What other programs have the database look at when a transaction ends: constraints and triggers that are deferred.
#include "engine_fixture.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using namespace weir::test;

namespace {

weir_status erase(void *, const weir_event_v1 *event, const weir_call_v1 *call) {
    weir_cell_v1 key{};
    key.operation = WEIR_CELL_SET;
    const std::string id(handlers::item_id(event));
    key.text = handlers::view(id);
    weir_change_v1 change{};
    change.size = sizeof change;
    change.kind = WEIR_CHANGE_ERASE;
    change.cells = &key;
    change.cell_count = 1;
    change.cell_stride = sizeof key;
    call->change(call, &change);
    return WEIR_OK;
}

std::string event_of(int number, const std::string &type, const std::string &id, const std::string &mark = "x") {
    return item_event(number, type, R"({"id":")" + id + R"(","mark":")" + mark + R"("})");
}

/// A domain whose tables are there, and what another program has done to them since.
struct Field {
    EngineFixture fixture;
    std::shared_ptr<TestModule> module = std::make_shared<TestModule>(
        items_plugin(),
        std::map<std::string, weir_handler_v1, std::less<>>{{"item.marked.v1", handlers::append}, {"item.erased.v1", erase}});

    Field() { fixture.session(items_plugin()); }
    void another_program(const std::string &sql) const { run_in_test_store(fixture.directory / "store", "items", sql); }

    /// Serves until nothing is left. @return what became of the events
    engine::Counts serve(const std::vector<std::string> &bodies) {
        fixture.publish(bodies);
        engine::DomainWorker worker(EngineFixture::spec_for(items_plugin()), module, fixture.environment());
        REQUIRE(EngineFixture::drain(worker));
        return worker.status().counts;
    }
    std::vector<store::DeadLetter> letters() { return fixture.session(items_plugin())->dead_letters({}); }
};

} // namespace

TEST_CASE("an event that another table's deferred foreign key refuses is a dead letter, and its neighbours are applied") {
    Field field;
    field.serve({event_of(1, "item.marked.v1", "kept"), event_of(2, "item.marked.v1", "free")});
    field.another_program("create table audit (item text references items (id) deferrable initially deferred)");
    field.another_program("insert into audit values ('kept')");
    std::vector<std::string> bodies;
    for (int i = 10; i < 60; ++i) {
        bodies.push_back(event_of(i, "item.marked.v1", "item " + std::to_string(i % 7)));
    }
    bodies.insert(bodies.begin() + 20, event_of(3, "item.erased.v1", "kept"));
    bodies.insert(bodies.begin() + 30, event_of(4, "item.erased.v1", "free"));
    const engine::Counts counts = field.serve(bodies);
    CHECK(counts.applied == bodies.size() - 1);
    CHECK(counts.dead_letters == 1);
    CHECK(field.serve({event_of(5, "item.marked.v1", "kept", "y")}).applied == 1); // its key isn't held up
    CHECK(field.fixture.trail(items_plugin(), "kept") == "xy");
    CHECK(field.fixture.trail(items_plugin(), "free") == "(no row)");
    const auto letters = field.letters();
    REQUIRE(letters.size() == 1);
    CHECK(letters[0].error_type == "data_refused");
    CHECK(letters[0].event_id == event::Uuid::v5(event::weir_namespace(), "test/3"));
}

TEST_CASE("events that a deferred foreign key to another schema refuses are dead letters, and their neighbours are applied") {
    if (!on_postgresql()) {
        return; // a schema is a file there, and references don't leave it
    }
    Field field;
    field.another_program("create schema other; create table other.allowed (id text primary key); insert into other.allowed select 'item ' "
                          "|| n from generate_series(0, 6) n; alter table items add foreign key (id) references other.allowed deferrable "
                          "initially deferred");
    std::vector<std::string> bodies;
    for (int i = 10; i < 60; ++i) {
        bodies.push_back(event_of(i, "item.marked.v1", i % 10 == 5 ? "unknown " + std::to_string(i) : "item " + std::to_string(i % 7)));
    }
    const engine::Counts counts = field.serve(bodies);
    CHECK(counts.applied == 45);
    CHECK(counts.dead_letters == 5);
    CHECK(field.fixture.session(items_plugin())->count_rows(0) == 7);
}

TEST_CASE("events that a deferred constraint trigger refuses are dead letters, and their neighbours are applied in order") {
    if (!on_postgresql()) {
        return; // it has none
    }
    Field field;
    const std::string state = GENERATE("P0001", "T0001");
    field.another_program("create function items.refuse() returns trigger language plpgsql as $$ begin if new.trail like '%!%' then raise "
                          "exception using errcode = '" +
                          state +
                          "', message = 'refused'; end if; return new; end $$; create constraint trigger refuse after insert or update on "
                          "items deferrable initially deferred for each row execute function items.refuse()");
    std::vector<std::string> bodies;
    for (int i = 0; i < 40; ++i) {
        bodies.push_back(event_of(i, "item.marked.v1", "item " + std::to_string(i % 4), i % 10 == 5 ? "!" : std::to_string(i % 10)));
    }
    const engine::Counts counts = field.serve(bodies);
    CHECK(counts.applied == 36);
    CHECK(counts.dead_letters == 4);
    CHECK(field.fixture.trail(items_plugin(), "item 0") == "0482604826");
    CHECK(field.fixture.trail(items_plugin(), "item 1") == "19371937");
    for (const store::DeadLetter &letter : field.letters()) {
        CHECK(letter.error_message.find(state) != std::string::npos);
    }
}

TEST_CASE("what is deferred between a domain's own rows is looked at when all of a batch's are there, in every part of a refused one") {
    if (!on_postgresql()) {
        return;
    }
    Field field; // an item needs its partner at the end of the transaction, and both come with one event
    field.another_program("alter table items add check (trail not like '%!%')");
    field.another_program(
        "create table pairs (id text primary key, other text not null references pairs (id) deferrable initially deferred)");
    field.another_program(
        "grant insert on pairs to public; create function items.pair() returns trigger language plpgsql as $$ begin insert "
        "into items.pairs values (new.id, new.id || '+'); insert into items.pairs values (new.id || '+', new.id); return "
        "new; end $$; create trigger pair after insert on items for each row execute function items.pair()");
    std::vector<std::string> bodies;
    for (int i = 0; i < 30; ++i) {
        bodies.push_back(event_of(i, "item.marked.v1", "item " + std::to_string(i), i % 10 == 5 ? "!" : "x"));
    }
    const engine::Counts counts = field.serve(bodies);
    CHECK(counts.applied == 27);
    CHECK(counts.dead_letters == 3);
}
