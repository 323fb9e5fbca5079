// SPDX-License-Identifier: Apache-2.0
// Shards that are turned off and on again while something else happens: in a parallel domain, with a lost lease, with handlers that come
// back late, and with new generations of the plugin.
#include "engine/handler_lane.hpp"
#include "engine_fixture.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <random>

using namespace weir;
using namespace weir::test;
using namespace std::chrono_literals;

namespace {

/// Two other domains of the process, which are busy or not: then one shard takes all keys, or each its own.
struct Others {
    std::shared_ptr<engine::BatchesUnderWay> under_way = std::make_shared<engine::BatchesUnderWay>(2);

    void say(bool busy) {
        const std::lock_guard lock(mutex_);
        one_.say(busy);
        other_.say(busy);
        busy_ = busy;
    }
    /// Turns them after so many calls.
    void pass(int every) {
        bool turn = false;
        {
            const std::lock_guard lock(mutex_);
            turn = ++passed_ % every == 0;
        }
        if (turn) {
            say(!busy_);
            ++turns;
        }
    }
    std::atomic<int> turns{0};

private:
    std::mutex mutex_;
    engine::BatchesUnderWay::Busy one_{under_way};
    engine::BatchesUnderWay::Busy other_{under_way};
    std::atomic<bool> busy_{false};
    int passed_ = 0;
};

Others *others = nullptr; // of the test that runs; handlers are plain functions
std::atomic<int> runs{0};

weir_status turn_and_append(void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
    others->pass(40);
    return handlers::append(instance, event, call);
}

/// Counts the item up without a look, so that order doesn't matter; first fails as often as /times says.
weir_status turn_and_count(void *, const weir_event_v1 *event, const weir_call_v1 *call) {
    others->pass(40);
    std::int64_t times = 0;
    event->integer(event, handlers::view("/times"), &times);
    if (event->attempt <= times) {
        return WEIR_RETRY;
    }
    weir_cell_v1 cells[2]{};
    cells[0].operation = WEIR_CELL_SET;
    const std::string id(handlers::item_id(event));
    cells[0].text = handlers::view(id);
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
}

/// What the handler of late events waits for.
struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = false;

    void set(bool to) {
        const std::lock_guard lock(mutex);
        open = to;
        changed.notify_all();
    }
} gate;

weir_status late(void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
    ++runs;
    const weir_status status = handlers::append(instance, event, call);
    std::unique_lock lock(gate.mutex);
    gate.changed.wait(lock, [] { return gate.open; });
    return status;
}

/// What a test of this file shares with its handlers, as long as it lives.
struct Stage {
    Others all;
    Stage() {
        others = &all;
        runs = 0;
        gate.set(false);
    }
    ~Stage() {
        gate.set(true);
        eventually([] { return engine::HandlerLanes::left_behind_in_process() == 0; });
        others = nullptr;
    }
};

std::shared_ptr<TestModule> module_of(std::uint32_t generation = 1) {
    return std::make_shared<TestModule>(items_plugin(),
                                        std::map<std::string, weir_handler_v1, std::less<>>{{"item.marked.v1", turn_and_append},
                                                                                            {"item.counted.v1", turn_and_count},
                                                                                            {"item.failing.v1", handlers::fail_first},
                                                                                            {"item.plain.v1", handlers::append},
                                                                                            {"item.late.v1", late}},
                                        generation);
}

engine::DomainSpec sharded() {
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    spec.options.shards = 3;
    spec.options.batch_max_events = 20;
    return spec;
}

engine::Environment environment_of(EngineFixture &fixture) {
    engine::Environment environment = fixture.environment();
    environment.under_way = others->under_way;
    return environment;
}

std::string event_of(int number, const std::string &type, const std::string &id, const std::string &mark, int times = 0) {
    return item_event(number, type, R"({"id":")" + id + R"(","mark":")" + mark + R"(","times":)" + std::to_string(times) + "}");
}

/// Events of some keys, one in a hundred of which fails once, and the trails that they leave.
struct Load {
    std::vector<std::string> bodies;
    std::map<std::string, std::string> trails;

    Load(std::mt19937_64 &random, int events, unsigned keys) {
        for (int i = 0; i < events; ++i) {
            const std::string id = "k" + std::to_string(random() % keys);
            const std::string letter(1, static_cast<char>('a' + i % 26));
            bodies.push_back(random() % 100 == 0 ? event_of(i, "item.failing.v1", id, letter, 1)
                                                 : event_of(i, "item.marked.v1", id, letter));
            trails[id] += letter;
        }
    }
    void check(EngineFixture &fixture) const {
        const auto session = fixture.session(items_plugin());
        for (const auto &[id, trail] : trails) {
            CAPTURE(id);
            const store::Key key{store::Value(id)};
            const auto row = session->fetch(0, std::span(&key, 1)).front();
            REQUIRE(row);
            CHECK(std::get<std::string>((*row)[2]) == trail);
        }
    }
};

} // namespace

TEST_CASE("a parallel domain counts every event once, whatever is copied and retried, while its shards are turned off and on") {
    const Stage stage;
    EngineFixture fixture;
    std::mt19937_64 random(seed());
    constexpr int kEvents = 1500;
    constexpr int kKeys = 11;
    std::vector<std::string> bodies;
    std::map<std::string, std::int64_t> expected;
    std::uint64_t failing = 0;
    std::uint64_t copies = 0;
    std::map<std::size_t, std::vector<std::string>> again; // by where they come
    for (int i = 0; i < kEvents; ++i) {
        const std::string id = "k" + std::to_string(random() % kKeys);
        const bool fails = random() % 60 == 0;
        failing += fails ? 1 : 0;
        bodies.push_back(event_of(i, "item.counted.v1", id, "x", fails ? 1 : 0));
        ++expected[id];
        if (fails || random() % 20 == 0) { // copies of those that wait as well
            again[bodies.size() + random() % 60].push_back(bodies.back());
        }
        for (const std::string &copy : again[bodies.size()]) {
            bodies.push_back(copy);
            ++copies;
        }
    }
    fixture.publish(bodies);
    engine::DomainSpec spec = sharded();
    spec.parallel = true;
    engine::DomainWorker worker(spec, module_of(), environment_of(fixture));
    REQUIRE(EngineFixture::drain(worker, 120s));
    CHECK(others->turns > 10);
    const engine::Counts counts = worker.status().counts;
    CHECK(counts.applied == kEvents);
    CHECK(counts.duplicates == copies);
    CHECK(counts.retries == failing); // a copy adds none of its own
    for (const auto &[id, count] : expected) {
        CHECK(std::get<std::int64_t>((*fixture.item(items_plugin(), id))[1]) == count);
    }
}

TEST_CASE("what lies aside for the other shards of a parallel domain goes to the first when it is left alone") {
    const Stage stage;
    EngineFixture fixture;
    constexpr int kEvents = 400;
    std::vector<std::string> bodies;
    for (int i = 0; i < kEvents; ++i) {
        bodies.push_back(event_of(i, "item.late.v1", "k" + std::to_string(i), "x"));
    }
    fixture.publish(bodies);
    engine::DomainSpec spec = sharded();
    spec.parallel = true;
    spec.options.handler_budget = 60s;
    engine::DomainWorker worker(spec, module_of(), environment_of(fixture));
    REQUIRE(eventually([&] { return runs >= (on_postgresql() ? 2 : 1); })); // each of two has a batch, and more than that was dealt out
    others->say(true);
    gate.set(true);
    REQUIRE(EngineFixture::drain(worker, 120s));
    CHECK(worker.status().counts.applied == kEvents);
}

TEST_CASE("shards are turned on when the batch that runs has ended, so that none overtakes its keys") {
    const Stage stage;
    EngineFixture fixture;
    constexpr int kKeys = 12; // of any shard
    std::vector<std::string> first{event_of(0, "item.late.v1", "gate", "x")};
    std::vector<std::string> second;
    for (int i = 0; i < kKeys; ++i) {
        first.push_back(event_of(1 + i, "item.plain.v1", "k" + std::to_string(i), "1"));
        second.push_back(event_of(100 + i, "item.plain.v1", "k" + std::to_string(i), "2"));
    }
    engine::DomainSpec spec = sharded();
    spec.options.batch_max_events = 100;
    spec.options.handler_budget = 60s;
    others->say(true);
    fixture.publish(first);
    engine::DomainWorker worker(spec, module_of(), environment_of(fixture));
    REQUIRE(eventually([&] { return runs == 1; })); // one batch, whose other events have read nothing yet
    others->say(false);
    fixture.publish(second);
    CHECK_FALSE(eventually([&] { return worker.status().counts.applied > 0; }, 300ms)); // in vain
    gate.set(true);
    REQUIRE(EngineFixture::drain(worker, 120s));
    for (int i = 0; i < kKeys; ++i) {
        CHECK(fixture.trail(items_plugin(), "k" + std::to_string(i)) == "12");
    }
}

TEST_CASE("every key keeps its order while shards are turned off and on and the lease is lost now and then") {
    const Stage stage;
    EngineFixture fixture;
    std::mt19937_64 random(seed());
    constexpr int kEvents = 1500;
    const Load load(random, kEvents, 41);
    engine::DomainSpec spec = sharded();
    engine::DomainWorker worker(spec, module_of(), environment_of(fixture));
    constexpr int kLosses = 5;
    for (int loss = 0; loss <= kLosses; ++loss) {
        const auto piece = load.bodies.begin() + loss * (kEvents / (kLosses + 1));
        fixture.publish({piece, piece + kEvents / (kLosses + 1)});
        if (loss == kLosses) {
            break;
        }
        const auto wanted = static_cast<std::uint64_t>(loss * (kEvents / (kLosses + 1)) + 60);
        REQUIRE(eventually([&] { return worker.status().counts.applied >= wanted; }, 60s));
        // As if another host had had it, and given it back.
        run_in_test_store(fixture.directory / "store", "items",
                          "update lease set epoch = epoch + 1, holder = 'another', expires_at = '2000-01-01T00:00:00.000000Z' "
                          "where topic = 'items.v1'");
    }
    REQUIRE(EngineFixture::drain(worker, 120s));
    load.check(fixture);
    CHECK(worker.status().counts.applied == kEvents);
    CHECK(others->turns > 10);
}

TEST_CASE("a handler that comes back late, when other shards are in use than at its beginning, is applied once and before what follows") {
    const bool begins_alone = GENERATE(false, true);
    CAPTURE(begins_alone);
    const Stage stage;
    EngineFixture fixture;
    constexpr int kKeys = 6; // of any shard
    std::vector<std::string> first;
    std::vector<std::string> then;
    std::vector<std::string> at_last;
    for (int i = 0; i < kKeys; ++i) {
        const std::string id = "late " + std::to_string(i);
        first.push_back(event_of(i, "item.late.v1", id, "1"));
        first.push_back(event_of(100 + i, "item.plain.v1", id, "2"));
        then.push_back(event_of(200 + i, "item.plain.v1", id, "3"));
        at_last.push_back(event_of(300 + i, "item.plain.v1", id, "4"));
    }
    for (int i = 0; i < 100; ++i) {
        then.push_back(event_of(1000 + i, "item.plain.v1", "k" + std::to_string(i), "x"));
    }
    engine::DomainSpec spec = sharded();
    spec.options.handler_budget = 30ms;
    spec.options.max_overdue_handlers = 2 * kKeys;
    others->say(begins_alone);
    fixture.publish(first);
    engine::DomainWorker worker(spec, module_of(), environment_of(fixture));
    REQUIRE(eventually([&] { return worker.status().overdue == kKeys && worker.status().held == 2 * kKeys; }, 60s));
    others->say(!begins_alone);
    fixture.publish(then);
    REQUIRE(eventually([&] { return worker.status().counts.applied == 100 && worker.status().held == 3 * kKeys; }, 60s));
    gate.set(true); // their batches have ended long ago
    fixture.publish(at_last);
    REQUIRE(EngineFixture::drain(worker, 120s));
    for (int i = 0; i < kKeys; ++i) {
        CHECK(fixture.trail(items_plugin(), "late " + std::to_string(i)) == "1234");
    }
    CHECK(runs == kKeys); // what each came to was taken
    CHECK(worker.status().counts.applied == 4 * kKeys + 100);
}

TEST_CASE("new generations of a plugin, and late handlers of old ones, keep every key's order while shards are turned off and on") {
    const Stage stage;
    EngineFixture fixture;
    std::mt19937_64 random(seed());
    constexpr int kPieces = 8;
    constexpr int kPiece = 150;
    const Load load(random, kPieces * kPiece, 41);
    engine::DomainSpec spec = sharded();
    spec.options.handler_budget = 200ms;
    spec.options.max_overdue_handlers = 2 * kPieces;
    engine::DomainWorker worker(spec, module_of(), environment_of(fixture));
    for (int piece = 0; piece < kPieces; ++piece) {
        const std::string id = "late " + std::to_string(piece);
        gate.set(false);
        const int before = runs;
        fixture.publish({event_of(10'000 + piece, "item.late.v1", id, "1"), event_of(20'000 + piece, "item.plain.v1", id, "2")});
        const auto begin = load.bodies.begin() + piece * kPiece;
        fixture.publish({begin, begin + kPiece});
        REQUIRE(eventually([&] { return runs > before && (piece % 4 == 1 || worker.status().overdue > 0); }, 60s));
        const auto generation = static_cast<std::uint32_t>(piece + 2);
        worker.offer(module_of(generation));
        if (piece % 2 == 0) { // what the old one comes to arrives about when the new one takes over
            gate.set(true);
            REQUIRE(eventually([&] { return worker.status().generation == generation; }, 60s));
        } else { // or when the new one runs it as well
            REQUIRE(eventually([&] { return worker.status().generation == generation && runs >= before + 2; }, 60s));
            gate.set(true);
        }
        REQUIRE(EngineFixture::drain(worker, 120s));
        CHECK(fixture.trail(items_plugin(), id) == "12");
    }
    load.check(fixture);
    CHECK(worker.status().counts.applied == kPieces * (kPiece + 2));
    CHECK(others->turns > 10);
}
