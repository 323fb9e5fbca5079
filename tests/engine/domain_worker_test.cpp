// SPDX-License-Identifier: Apache-2.0
#include "engine/handler_lane.hpp"
#include "engine_fixture.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>

using namespace weir;
using namespace weir::test;

namespace {

std::shared_ptr<TestModule> module_with(std::map<std::string, weir_handler_v1, std::less<>> more = {}, std::uint32_t generation = 1) {
    more.try_emplace("item.marked.v1", handlers::append);
    more.try_emplace("item.failing.v1", handlers::fail_first);
    return std::make_shared<TestModule>(items_plugin(), std::move(more), generation);
}

std::string mark(const std::string &id, const std::string &mark) { return R"({"id":")" + id + R"(","mark":")" + mark + R"("})"; }

std::string failing(const std::string &id, const std::string &mark, int times) {
    return R"({"id":")" + id + R"(","mark":")" + mark + R"(","times":)" + std::to_string(times) + "}";
}

std::vector<store::DeadLetter> dead_letters(EngineFixture &fixture) { return fixture.session(items_plugin())->dead_letters({}); }

// A handler that stands still until the test lets it go.
std::mutex gate_mutex;
std::condition_variable gate_changed;
bool gate_open = false;
std::atomic<int> waiting{0};
weir_status stand_still(void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
    {
        std::unique_lock lock(gate_mutex);
        ++waiting;
        gate_changed.wait(lock, [] { return gate_open; });
    }
    return handlers::append(instance, event, call);
}
void set_gate(bool open) {
    const std::lock_guard lock(gate_mutex);
    gate_open = open;
    gate_changed.notify_all();
}

} // namespace

TEST_CASE("events of one key take effect in topic order, each once") {
    EngineFixture fixture;
    std::vector<std::string> bodies;
    for (int i = 0; i < 300; ++i) {
        bodies.push_back(
            item_event(i, "item.marked.v1", mark("k" + std::to_string(i % 3), std::string(1, static_cast<char>('a' + i / 3 % 26)))));
    }
    bodies.push_back(bodies[10]); // a second delivery
    fixture.publish(bodies);
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    spec.options.batch_max_events = 7;
    engine::DomainWorker worker(spec, module_with(), fixture.environment());
    REQUIRE(EngineFixture::drain(worker));
    std::string expected;
    for (int i = 0; i < 100; ++i) {
        expected += static_cast<char>('a' + i % 26);
    }
    for (const std::string id : {"k0", "k1", "k2"}) {
        CHECK(fixture.trail(items_plugin(), id) == expected);
    }
    const engine::Counts counts = worker.status().counts;
    CHECK(counts.messages == 301);
    CHECK(counts.applied == 300);
    CHECK(counts.duplicates == 1);
}

TEST_CASE("an event that waits for its retry holds back its own key and no other") {
    EngineFixture fixture;
    fixture.publish({item_event(1, "item.failing.v1", failing("a", "1", 2)), item_event(2, "item.marked.v1", mark("a", "2")),
                     item_event(3, "item.marked.v1", mark("b", "1")), item_event(4, "item.marked.v1", mark("a", "3"))});
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    spec.options.retry_delays = {std::chrono::milliseconds(150)};
    engine::DomainWorker worker(spec, module_with(), fixture.environment());
    REQUIRE(eventually([&] { return fixture.trail(items_plugin(), "b") == "1"; }));
    CHECK(fixture.trail(items_plugin(), "a") == "(no row)");
    REQUIRE(EngineFixture::drain(worker));
    CHECK(fixture.trail(items_plugin(), "a") == "123");
    CHECK(worker.status().counts.retries == 2);
    CHECK(dead_letters(fixture).empty());
}

TEST_CASE("retries that run out end in a dead letter, and the key goes on") {
    EngineFixture fixture;
    fixture.publish({item_event(1, "item.failing.v1", failing("a", "1", 99)), item_event(2, "item.marked.v1", mark("a", "2"))});
    engine::DomainWorker worker(EngineFixture::spec_for(items_plugin()), module_with(), fixture.environment());
    REQUIRE(EngineFixture::drain(worker));
    CHECK(fixture.trail(items_plugin(), "a") == "2");
    const auto letters = dead_letters(fixture);
    REQUIRE(letters.size() == 1);
    CHECK(letters[0].error_type == "retries_exhausted");
    CHECK(letters[0].retry_count == 3);
    CHECK(letters[0].error_message.find("not_yet") != std::string::npos);
}

TEST_CASE("a retry that waited through a restart keeps its count") {
    EngineFixture fixture;
    fixture.publish({item_event(1, "item.failing.v1", failing("a", "1", 3))});
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    for (int round = 0; round < 10; ++round) {
        engine::DomainWorker worker(spec, module_with(), fixture.environment());
        if (eventually([&] { return worker.status().counts.retries > 0 || worker.drained(); }) && worker.drained()) {
            break;
        }
    }
    CHECK(fixture.trail(items_plugin(), "a") == "1");
    CHECK(dead_letters(fixture).empty());
}

TEST_CASE("data that only the database can refuse kills its own event and no neighbour") {
    EngineFixture fixture;
    plugin::Description description = items_plugin();
    description.schema.tables[0].indexes.push_back({"items_trail", {2}, true});
    const auto module = std::make_shared<TestModule>(
        description, std::map<std::string, weir_handler_v1, std::less<>>{{"item.marked.v1", handlers::append}});
    std::vector<std::string> bodies;
    for (int i = 0; i < 50; ++i) {
        bodies.push_back(item_event(i, "item.marked.v1", mark("k" + std::to_string(i), i % 10 == 7 ? "same" : "own" + std::to_string(i))));
    }
    fixture.publish(bodies);
    engine::DomainWorker worker(EngineFixture::spec_for(description), module, fixture.environment());
    REQUIRE(EngineFixture::drain(worker));
    const engine::Counts counts = worker.status().counts;
    CHECK(counts.applied == 46);
    CHECK(counts.dead_letters == 4);
    CHECK(fixture.trail(description, "k7") == "same");
    for (const store::DeadLetter &letter : fixture.session(description)->dead_letters({})) {
        CHECK(letter.error_type == "data_refused");
    }
}

TEST_CASE("a handler that throws, returns an undefined status, or writes what is not declared loses only its own event") {
    EngineFixture fixture;
    const weir_handler_v1 undefined_status = [](void *, const weir_event_v1 *, const weir_call_v1 *) -> weir_status { return 77; };
    const weir_handler_v1 throws = [](void *, const weir_event_v1 *, const weir_call_v1 *) -> weir_status { throw 5; };
    const weir_handler_v1 undeclared_table = [](void *, const weir_event_v1 *, const weir_call_v1 *call) -> weir_status {
        weir_change_v1 change{};
        change.size = sizeof change;
        change.table = 9;
        change.kind = WEIR_CHANGE_UPSERT;
        call->change(call, &change);
        return WEIR_OK;
    };
    const weir_handler_v1 undeclared_column = [](void *, const weir_event_v1 *, const weir_call_v1 *call) -> weir_status {
        weir_cell_v1 cell{};
        cell.column = 40;
        cell.operation = WEIR_CELL_SET;
        weir_change_v1 change{};
        change.size = sizeof change;
        change.kind = WEIR_CHANGE_UPSERT;
        change.cells = &cell;
        change.cell_count = 1;
        change.cell_stride = sizeof cell;
        call->change(call, &change);
        return WEIR_OK;
    };
    const weir_handler_v1 bad_text = [](void *, const weir_event_v1 *, const weir_call_v1 *call) -> weir_status {
        weir_cell_v1 cells[2]{};
        cells[0].operation = cells[1].operation = WEIR_CELL_SET;
        cells[0].text = handlers::view("x");
        cells[1].column = 2;
        cells[1].text = handlers::view(std::string_view("a\0b", 3));
        weir_change_v1 change{};
        change.size = sizeof change;
        change.kind = WEIR_CHANGE_UPSERT;
        change.cells = cells;
        change.cell_count = 2;
        change.cell_stride = sizeof(weir_cell_v1);
        call->change(call, &change);
        return WEIR_OK;
    };
    const auto module = module_with({{"bad.status.v1", undefined_status},
                                     {"bad.throws.v1", throws},
                                     {"bad.table.v1", undeclared_table},
                                     {"bad.column.v1", undeclared_column},
                                     {"bad.text.v1", bad_text}});
    std::vector<std::string> bodies;
    int number = 0;
    const std::map<std::string, std::string> expected{{"bad.status.v1", "undefined_status"},
                                                      {"bad.throws.v1", "exception"},
                                                      {"bad.table.v1", "undeclared_table"},
                                                      {"bad.column.v1", "undeclared_column"},
                                                      {"bad.text.v1", "invalid_value"}};
    for (const auto &[type, error] : expected) {
        bodies.push_back(item_event(++number, type, mark("a", "-")));
        bodies.push_back(item_event(++number, "item.marked.v1", mark("a", "+")));
    }
    bodies.push_back(item_event(++number, "never.heard.of.v1", mark("a", "-")));
    fixture.publish(bodies);
    engine::DomainWorker worker(EngineFixture::spec_for(items_plugin()), module, fixture.environment());
    REQUIRE(EngineFixture::drain(worker));
    CHECK(fixture.trail(items_plugin(), "a") == "+++++");
    CHECK(worker.status().counts.ignored == 1);
    const auto letters = dead_letters(fixture);
    REQUIRE(letters.size() == expected.size());
    for (const store::DeadLetter &letter : letters) {
        CHECK(letter.error_type == expected.at(letter.event_type));
    }
}

TEST_CASE("a handler past its budget leaves the batch, holds its key, and takes effect when it returns") {
    EngineFixture fixture;
    set_gate(false);
    waiting = 0;
    fixture.publish({item_event(1, "item.slow.v1", mark("a", "1")), item_event(2, "item.marked.v1", mark("a", "2")),
                     item_event(3, "item.marked.v1", mark("b", "1"))});
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    spec.options.handler_budget = std::chrono::milliseconds(50);
    engine::DomainWorker worker(spec, module_with({{"item.slow.v1", stand_still}}), fixture.environment());
    REQUIRE(eventually([&] { return fixture.trail(items_plugin(), "b") == "1"; }));
    REQUIRE(eventually([&] { return !worker.status().ready && worker.status().overdue == 1; }));
    CHECK(worker.status().reason.find("handle_items_item_slow") != std::string::npos);
    CHECK(fixture.trail(items_plugin(), "a") == "(no row)");
    CHECK_FALSE(worker.drained());
    set_gate(true);
    REQUIRE(EngineFixture::drain(worker));
    CHECK(fixture.trail(items_plugin(), "a") == "12");
    CHECK(waiting == 1); // its own run was used: the rows that it read had not changed
    CHECK(eventually([&] { return worker.status().ready; }));
}

TEST_CASE("a handler that never returns is left behind at the drain timeout, unacknowledged, and its event runs again elsewhere") {
    EngineFixture fixture;
    set_gate(false);
    waiting = 0;
    fixture.publish({item_event(1, "item.slow.v1", mark("a", "1"))});
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    spec.options.handler_budget = std::chrono::milliseconds(30);
    spec.options.drain_timeout = std::chrono::milliseconds(100);
    {
        engine::DomainWorker worker(spec, module_with({{"item.slow.v1", stand_still}}), fixture.environment());
        REQUIRE(eventually([&] { return worker.status().overdue == 1; }));
        worker.request_stop();
        worker.wait();
        CHECK(worker.abandoned_handlers());
    }
    engine::DomainWorker second(spec, module_with({{"item.slow.v1", handlers::append}}), fixture.environment());
    REQUIRE(EngineFixture::drain(second));
    CHECK(fixture.trail(items_plugin(), "a") == "1");
    set_gate(true);
    REQUIRE(eventually([&] { return waiting >= 1; }));
}

TEST_CASE("a generation swapped twenty times under load loses and doubles nothing, and pending retries pass on") {
    EngineFixture fixture;
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    spec.options.batch_max_events = 20;
    engine::DomainWorker worker(spec, module_with(), fixture.environment());
    int number = 0;
    for (std::uint32_t generation = 2; generation <= 21; ++generation) {
        std::vector<std::string> bodies;
        for (int i = 0; i < 100; ++i) {
            ++number;
            const std::string id = "k" + std::to_string(number % 7);
            bodies.push_back(number % 50 == 0 ? item_event(number, "item.failing.v1", failing(id, "x", 1))
                                              : item_event(number, "item.marked.v1", mark(id, "x")));
        }
        fixture.publish(bodies);
        worker.offer(module_with({}, generation));
        REQUIRE(eventually([&] { return worker.status().generation == generation; }));
    }
    REQUIRE(EngineFixture::drain(worker));
    std::size_t marks = 0;
    for (int i = 0; i < 7; ++i) {
        marks += fixture.trail(items_plugin(), "k" + std::to_string(i)).size();
    }
    CHECK(marks == 2000);
    CHECK(worker.status().counts.applied == 2000);
}

TEST_CASE("a generation whose tables don't fit is refused and the old one goes on") {
    EngineFixture fixture;
    engine::DomainWorker worker(EngineFixture::spec_for(items_plugin()), module_with(), fixture.environment());
    fixture.publish({item_event(1, "item.marked.v1", mark("a", "1"))});
    REQUIRE(eventually([&] { return fixture.trail(items_plugin(), "a") == "1"; }));
    plugin::Description wrong = items_plugin();
    wrong.schema.tables[0].columns[1].type = store::Type::text;
    wrong.schema.tables[0].columns[1].default_value = std::string("0");
    worker.offer(std::make_shared<TestModule>(wrong, std::map<std::string, weir_handler_v1, std::less<>>{}, 2));
    fixture.publish({item_event(2, "item.marked.v1", mark("a", "2"))});
    REQUIRE(eventually([&] { return fixture.trail(items_plugin(), "a") == "12"; }));
    CHECK(worker.status().generation == 1);
    CHECK(worker.status().ready);
}

TEST_CASE("of two hosts on one store the second stands by, and takes over when the first stops") {
    EngineFixture fixture;
    auto first =
        std::make_unique<engine::DomainWorker>(EngineFixture::spec_for(items_plugin(), "first"), module_with(), fixture.environment());
    REQUIRE(eventually([&] { return first->status().ready; }));
    fixture.publish({item_event(1, "item.marked.v1", mark("a", "1"))});
    REQUIRE(EngineFixture::drain(*first));
    engine::DomainWorker second(EngineFixture::spec_for(items_plugin(), "second"), module_with(), fixture.environment());
    REQUIRE(eventually([&] { return second.status().phase == engine::Phase::standby; }));
    CHECK(second.status().ready);
    fixture.publish({item_event(2, "item.marked.v1", mark("a", "2"))});
    REQUIRE(eventually([&] { return fixture.trail(items_plugin(), "a") == "12"; }));
    CHECK(second.status().counts.messages == 0);
    first.reset();
    fixture.publish({item_event(3, "item.marked.v1", mark("a", "3"))});
    REQUIRE(eventually([&] { return fixture.trail(items_plugin(), "a") == "123"; }));
    CHECK(second.status().phase == engine::Phase::serving);
}

TEST_CASE("a plugin that says fatal stops its domain with nothing decided, until another generation comes") {
    EngineFixture fixture;
    const weir_handler_v1 fatal = [](void *, const weir_event_v1 *, const weir_call_v1 *call) -> weir_status {
        call->error(call, handlers::view("no_license"), handlers::view("the settings name no license"));
        return WEIR_FATAL;
    };
    fixture.publish({item_event(1, "item.marked.v1", mark("a", "1")), item_event(2, "item.fatal.v1", mark("a", "2"))});
    engine::DomainWorker worker(EngineFixture::spec_for(items_plugin()), module_with({{"item.fatal.v1", fatal}}), fixture.environment());
    REQUIRE(eventually([&] { return worker.status().phase == engine::Phase::halted; }));
    CHECK(worker.status().reason.find("no_license") != std::string::npos);
    CHECK(fixture.trail(items_plugin(), "a") == "(no row)");
    worker.offer(module_with({{"item.fatal.v1", handlers::append}}, 2));
    REQUIRE(EngineFixture::drain(worker));
    CHECK(fixture.trail(items_plugin(), "a") == "12");
}

TEST_CASE("a new generation runs the events of a handler that never returned") {
    EngineFixture fixture;
    set_gate(false);
    waiting = 0;
    fixture.publish({item_event(1, "item.slow.v1", mark("a", "1")), item_event(2, "item.marked.v1", mark("a", "2"))});
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    spec.options.handler_budget = std::chrono::milliseconds(30);
    engine::DomainWorker worker(spec, module_with({{"item.slow.v1", stand_still}}), fixture.environment());
    REQUIRE(eventually([&] { return worker.status().overdue == 1; }));
    worker.offer(module_with({{"item.slow.v1", handlers::append}}, 2));
    REQUIRE(EngineFixture::drain(worker));
    CHECK(fixture.trail(items_plugin(), "a") == "12");
    CHECK(worker.status().ready);
    CHECK(engine::HandlerLanes::left_behind_in_process() >= 1);
    set_gate(true); // what the old one returns now is nobody's any more
    REQUIRE(eventually([] { return engine::HandlerLanes::left_behind_in_process() == 0; }));
    CHECK(fixture.trail(items_plugin(), "a") == "12");
}

TEST_CASE("the readers of a parallel domain share its messages, and every one counts once") {
    EngineFixture fixture;
    plugin::Description description = items_plugin();
    description.domains[0].parallel = true;
    const weir_handler_v1 count = [](void *, const weir_event_v1 *event, const weir_call_v1 *call) -> weir_status {
        weir_view id{};
        event->text(event, handlers::view("/id"), &id);
        weir_cell_v1 cells[2]{};
        cells[0].operation = WEIR_CELL_SET;
        cells[0].text = id;
        cells[1].column = 1;
        cells[1].operation = WEIR_CELL_ADD;
        cells[1].integer = 1;
        weir_change_v1 change{};
        change.size = sizeof change;
        change.kind = WEIR_CHANGE_UPSERT;
        change.cells = cells;
        change.cell_count = 2;
        change.cell_stride = sizeof(weir_cell_v1);
        call->change(call, &change);
        return WEIR_OK;
    };
    const auto module =
        std::make_shared<TestModule>(description, std::map<std::string, weir_handler_v1, std::less<>>{{"item.counted.v1", count}});
    std::vector<std::string> bodies;
    for (int i = 0; i < 3000; ++i) {
        bodies.push_back(item_event(i, "item.counted.v1", R"({"id":"k)" + std::to_string(i % 3) + R"("})"));
    }
    fixture.publish(bodies);
    engine::DomainSpec first_spec = EngineFixture::spec_for(description, "first");
    engine::DomainSpec second_spec = EngineFixture::spec_for(description, "second");
    first_spec.options.batch_max_events = second_spec.options.batch_max_events = 50;
    REQUIRE(first_spec.parallel);
    engine::DomainWorker first(first_spec, module, fixture.environment());
    engine::DomainWorker second(second_spec, module, fixture.environment());
    REQUIRE(EngineFixture::drain(first));
    REQUIRE(eventually([&] { return first.status().counts.applied + second.status().counts.applied == 3000; }));
    for (const std::string id : {"k0", "k1", "k2"}) {
        CHECK(std::get<std::int64_t>((*fixture.item(description, id))[1]) == 1000);
    }
}
