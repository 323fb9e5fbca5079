// SPDX-License-Identifier: Apache-2.0
#include "engine_fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <random>

using namespace weir;
using namespace weir::test;

namespace {

constexpr std::size_t kShards = 3;

std::shared_ptr<TestModule> module_of(const plugin::Description &description, std::map<std::string, weir_handler_v1, std::less<>> more = {},
                                      std::uint32_t generation = 1) {
    more.try_emplace("item.marked.v1", handlers::append);
    more.try_emplace("item.failing.v1", handlers::fail_first);
    return std::make_shared<TestModule>(description, std::move(more), generation);
}

std::string mark(const std::string &id, const std::string &mark) { return R"({"id":")" + id + R"(","mark":")" + mark + R"("})"; }

engine::DomainSpec sharded() {
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    spec.options.shards = kShards;
    spec.options.batch_max_events = 20;
    return spec;
}

std::vector<std::string> marks(int number, const std::string &type) {
    std::vector<std::string> bodies;
    for (int i = 0; i < number; ++i) {
        bodies.push_back(item_event(i, type, mark("k" + std::to_string(i), std::to_string(i))));
    }
    return bodies;
}

/// Handlers wait here until so many are in at once, or for as long as a test may take.
struct Meeting {
    std::mutex mutex;
    std::condition_variable changed;
    int inside = 0;
    int most = 0;
    int wanted = 0;
    std::chrono::milliseconds patience{0};
} meeting;

weir_status meet(void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
    {
        std::unique_lock lock(meeting.mutex);
        meeting.most = std::max(meeting.most, ++meeting.inside);
        meeting.changed.notify_all();
        meeting.changed.wait_for(lock, meeting.patience, [] { return meeting.most >= meeting.wanted; });
        --meeting.inside;
    }
    return handlers::append(instance, event, call);
}

void expect_to_meet(int handlers, std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    const std::lock_guard lock(meeting.mutex);
    meeting.inside = meeting.most = 0;
    meeting.wanted = handlers;
    meeting.patience = patience;
}

} // namespace

TEST_CASE("with several shards every key keeps its order, through retries, second deliveries and a new generation") {
    EngineFixture fixture;
    std::mt19937_64 random(seed());
    std::vector<std::string> bodies;
    std::map<std::string, std::string> expected;
    for (int i = 0; i < 1500; ++i) {
        const std::string id = "k" + std::to_string(random() % 17);
        const std::string letter(1, static_cast<char>('a' + i % 26));
        const bool fails = random() % 100 == 0;
        bodies.push_back(fails ? item_event(i, "item.failing.v1", R"({"id":")" + id + R"(","mark":")" + letter + R"(","times":2})")
                               : item_event(i, "item.marked.v1", mark(id, letter)));
        expected[id] += letter;
        if (random() % 50 == 0) {
            const std::string again = bodies[random() % bodies.size()];
            bodies.push_back(again);
        }
    }
    const auto half = bodies.begin() + static_cast<std::ptrdiff_t>(bodies.size() / 2);
    fixture.publish({bodies.begin(), half});
    engine::DomainWorker worker(sharded(), module_of(items_plugin()), fixture.environment());
    REQUIRE(eventually([&] { return worker.status().counts.messages > 100; }));
    worker.offer(module_of(items_plugin(), {}, 2));
    fixture.publish({half, bodies.end()});
    REQUIRE(EngineFixture::drain(worker, std::chrono::seconds(120)));
    CHECK(worker.status().generation == 2);
    for (const auto &[id, trail] : expected) {
        CHECK(fixture.trail(items_plugin(), id) == trail);
    }
    const engine::Counts counts = worker.status().counts;
    CHECK(counts.applied == 1500);
    CHECK(counts.messages == bodies.size());
    CHECK(counts.dead_letters == 0);
}

TEST_CASE("keys of different shards are worked at at the same time, where the store takes several writers") {
    EngineFixture fixture;
    expect_to_meet(on_postgresql() ? 2 : 1);
    fixture.publish(marks(40, "item.met.v1"));
    engine::DomainSpec spec = sharded();
    spec.options.handler_budget = std::chrono::seconds(60);
    engine::DomainWorker worker(spec, module_of(items_plugin(), {{"item.met.v1", meet}}), fixture.environment());
    REQUIRE(EngineFixture::drain(worker, std::chrono::seconds(120)));
    CHECK(meeting.most >= meeting.wanted);
    CHECK(meeting.most <= (on_postgresql() ? static_cast<int>(kShards) : 1));
}

TEST_CASE("where other domains' batches take the processors, a domain's shards take turns, one batch at a time, and none falls behind") {
    EngineFixture fixture;
    constexpr int kEvents = 120;
    expect_to_meet(2, std::chrono::milliseconds(20)); // in vain
    fixture.publish(marks(kEvents, "item.met.v1"));
    engine::DomainSpec spec = sharded();
    spec.options.batch_max_events = 5;
    spec.options.handler_budget = std::chrono::seconds(60);
    engine::Environment environment = fixture.environment();
    environment.under_way = std::make_shared<engine::BatchesUnderWay>(2);
    environment.under_way->begin(); // those of two others
    environment.under_way->begin();
    static std::vector<int> order; // of the events' numbers; under the meeting's mutex
    order.clear();
    const weir_handler_v1 noted = [](void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
        weir_view number{};
        if (event->text(event, {"/mark", 5}, &number) == WEIR_FOUND) {
            const std::lock_guard lock(meeting.mutex);
            order.push_back(std::stoi(std::string(number.data, number.size)));
        }
        return meet(instance, event, call);
    };
    engine::DomainWorker worker(spec, module_of(items_plugin(), {{"item.met.v1", noted}}), environment);
    REQUIRE(EngineFixture::drain(worker, std::chrono::seconds(120)));
    CHECK(meeting.most == 1);
    CHECK(worker.status().counts.applied == kEvents);
    REQUIRE(order.size() == kEvents);
    for (int i = 0; i < kEvents; ++i) { // out of place by a batch or two of each shard
        REQUIRE(std::abs(order[static_cast<std::size_t>(i)] - i) <= 25);
    }
}

TEST_CASE("where one batch of each domain is all that is worth running, one shard takes all keys, in the partition's order") {
    EngineFixture fixture;
    constexpr int kEvents = 300;
    fixture.publish(marks(kEvents, "item.marked.v1"));
    engine::DomainSpec spec = sharded();
    spec.options.batch_max_events = 10;
    engine::Environment environment = fixture.environment();
    environment.under_way = std::make_shared<engine::BatchesUnderWay>(2);
    engine::BatchesUnderWay::Busy one(environment.under_way);
    engine::BatchesUnderWay::Busy other(environment.under_way);
    one.say(true);
    other.say(true);
    static std::mutex mutex;
    static std::vector<int> order; // of the events' numbers
    order.clear();
    const weir_handler_v1 noted = [](void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
        weir_view number{};
        if (event->text(event, {"/mark", 5}, &number) == WEIR_FOUND) {
            const std::lock_guard lock(mutex);
            order.push_back(std::stoi(std::string(number.data, number.size)));
        }
        return handlers::append(instance, event, call);
    };
    engine::DomainWorker worker(spec, module_of(items_plugin(), {{"item.marked.v1", noted}}), environment);
    REQUIRE(EngineFixture::drain(worker, std::chrono::seconds(120)));
    CHECK(worker.status().counts.applied == kEvents);
    REQUIRE(order.size() == kEvents);
    CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("that one key waits doesn't keep the others from one shard, nor its later events from their order") {
    EngineFixture fixture;
    constexpr int kEvents = 300;
    std::vector<std::string> bodies = marks(kEvents, "item.marked.v1");
    bodies.front() = item_event(0, "item.failing.v1", R"({"id":"k1","mark":"a","times":1})");
    bodies.push_back(item_event(kEvents, "item.failing.v1", R"({"id":"k1","mark":"z","times":0})"));
    fixture.publish(bodies);
    engine::DomainSpec spec = sharded();
    spec.options.batch_max_events = 10;
    spec.options.retry_delays = {std::chrono::milliseconds(1500)};
    engine::Environment environment = fixture.environment();
    environment.under_way = std::make_shared<engine::BatchesUnderWay>(2);
    static struct Seen {
        std::mutex mutex;
        std::unique_ptr<engine::BatchesUnderWay::Busy> one;
        std::unique_ptr<engine::BatchesUnderWay::Busy> other;
        std::vector<int> order; // of the events' numbers, once others are busy
        std::size_t events = 0;
    } seen;
    seen.one = std::make_unique<engine::BatchesUnderWay::Busy>(environment.under_way);
    seen.other = std::make_unique<engine::BatchesUnderWay::Busy>(environment.under_way);
    seen.order.clear();
    seen.events = 0;
    const weir_handler_v1 noted = [](void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
        weir_view number{};
        if (event->text(event, {"/mark", 5}, &number) == WEIR_FOUND) {
            const std::lock_guard lock(seen.mutex);
            if (++seen.events == 60) {
                seen.one->say(true);
                seen.other->say(true);
            } else if (seen.events > 150 && number.size > 1) {
                seen.order.push_back(std::stoi(std::string(number.data, number.size)));
            }
        }
        return handlers::append(instance, event, call);
    };
    engine::DomainWorker worker(spec, module_of(items_plugin(), {{"item.marked.v1", noted}}), environment);
    REQUIRE(EngineFixture::drain(worker, std::chrono::seconds(120)));
    CHECK(worker.status().counts.applied == kEvents + 1);
    CHECK(worker.status().counts.retries == 1);
    CHECK(std::is_sorted(seen.order.begin(), seen.order.end()));
    CHECK(fixture.trail(items_plugin(), "k1") == "a1z");
    seen.one.reset();
    seen.other.reset();
}

TEST_CASE("every key keeps its order while others become busy and idle again, and shards are used and not") {
    EngineFixture fixture;
    std::mt19937_64 random(seed());
    std::vector<std::string> bodies;
    std::map<std::string, std::string> expected;
    for (int i = 0; i < 2000; ++i) {
        const std::string id = "k" + std::to_string(random() % 41);
        const std::string letter(1, static_cast<char>('a' + i % 26));
        const bool fails = random() % 200 == 0;
        bodies.push_back(fails ? item_event(i, "item.failing.v1", R"({"id":")" + id + R"(","mark":")" + letter + R"(","times":1})")
                               : item_event(i, "item.marked.v1", mark(id, letter)));
        expected[id] += letter;
    }
    fixture.publish(bodies);
    engine::Environment environment = fixture.environment();
    environment.under_way = std::make_shared<engine::BatchesUnderWay>(2);
    static struct Others {
        std::mutex mutex;
        std::unique_ptr<engine::BatchesUnderWay::Busy> one;
        std::unique_ptr<engine::BatchesUnderWay::Busy> other;
        int events = 0;
    } others;
    others.one = std::make_unique<engine::BatchesUnderWay::Busy>(environment.under_way);
    others.other = std::make_unique<engine::BatchesUnderWay::Busy>(environment.under_way);
    const weir_handler_v1 amid = [](void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
        {
            const std::lock_guard lock(others.mutex);
            if (++others.events % 50 == 0) {
                others.one->say(others.events % 100 == 0);
                others.other->say(others.events % 100 == 0);
            }
        }
        return handlers::append(instance, event, call);
    };
    engine::DomainWorker worker(sharded(), module_of(items_plugin(), {{"item.marked.v1", amid}}), environment);
    REQUIRE(EngineFixture::drain(worker, std::chrono::seconds(120)));
    for (const auto &[id, trail] : expected) {
        CHECK(fixture.trail(items_plugin(), id) == trail);
    }
    CHECK(worker.status().counts.applied == 2000);
    others.one.reset();
    others.other.reset();
}

TEST_CASE("where other domains' batches take the processors, batches are half as large as they may be") {
    EngineFixture fixture;
    fixture.publish(marks(300, "item.marked.v1"));
    engine::DomainSpec spec = sharded();
    spec.options.batch_max_events = 60;
    engine::Environment environment = fixture.environment();
    environment.under_way = std::make_shared<engine::BatchesUnderWay>(2);
    environment.under_way->begin(); // those of two others
    environment.under_way->begin();
    engine::DomainWorker worker(spec, module_of(items_plugin()), environment);
    REQUIRE(EngineFixture::drain(worker, std::chrono::seconds(120)));
    const engine::Counts counts = worker.status().counts;
    CHECK(counts.applied == 300);
    for (std::size_t bucket = 1; bucket < engine::Histogram::kBuckets; ++bucket) {
        CAPTURE(bucket);
        CHECK((counts.batch_events.bound(bucket - 1) < 30 || counts.batch_events.count(bucket) == 0));
    }
}

TEST_CASE("a table with a unique index has its events in the partition's order, in one shard; a generation that drops it has more") {
    EngineFixture fixture;
    plugin::Description unique = items_plugin();
    unique.schema.tables[0].indexes.push_back({"items_trail", {2}, true});
    expect_to_meet(2, std::chrono::milliseconds(250)); // in vain
    fixture.publish(marks(8, "item.met.v1"));
    engine::DomainSpec spec = sharded();
    spec.options.handler_budget = std::chrono::seconds(60);
    engine::DomainWorker worker(spec, module_of(unique, {{"item.met.v1", meet}}), fixture.environment());
    REQUIRE(EngineFixture::drain(worker, std::chrono::seconds(60)));
    CHECK(meeting.most == 1);
    CHECK(worker.status().counts.applied == 8);

    expect_to_meet(on_postgresql() ? 2 : 1);
    worker.offer(module_of(items_plugin(), {{"item.met.v1", meet}}, 2));
    REQUIRE(eventually([&] { return worker.status().generation == 2; }));
    std::vector<std::string> more;
    for (int i = 0; i < 40; ++i) {
        more.push_back(item_event(1000 + i, "item.met.v1", mark("m" + std::to_string(i), "m" + std::to_string(i))));
    }
    fixture.publish(more);
    REQUIRE(EngineFixture::drain(worker, std::chrono::seconds(120)));
    CHECK(meeting.most >= meeting.wanted);
    CHECK(worker.status().counts.applied == 48);
}

TEST_CASE("what the last batches reached is stored when a domain with several shards falls idle") {
    EngineFixture fixture;
    engine::DomainSpec spec = sharded();
    spec.options.shards = 2;
    spec.options.batch_max_events = 200;
    fixture.publish({item_event(1000, "item.marked.v1", mark("first", "1"))});
    engine::DomainWorker worker(spec, module_of(items_plugin()), fixture.environment());
    REQUIRE(EngineFixture::drain(worker));
    // Where there are two batches, each writes what it knows before the other is committed: this row is somebody else's until both have
    // come to it.
    const auto holder = fixture.session(items_plugin());
    const store::StoredPosition nothing[] = {{"items.v1", 0, "", {}, {}}};
    if (on_postgresql()) {
        holder->begin({});
        holder->save_positions(nothing);
        holder->positions(); // what was put off goes out with it
    }
    fixture.publish(marks(20, "item.marked.v1"));
    if (on_postgresql()) {
        const auto both_wait = [&] {
            try {
                run_in_test_store(
                    fixture.directory / "store", "items",
                    "do $$ begin if (select count(*) from pg_locks where not granted) < 2 then raise exception 'not yet'; end if; end $$");
                return true;
            } catch (const std::exception &) {
                return false;
            }
        };
        REQUIRE(eventually(both_wait));
        holder->rollback();
    }
    REQUIRE(EngineFixture::drain(worker, std::chrono::seconds(60)));
    const std::vector<event::Message> messages = fixture.broker->browse({"items.v1", 0}, std::nullopt, 1000);
    REQUIRE(messages.size() == 21);
    const auto session = fixture.session(items_plugin());
    CHECK(eventually([&] {
        const auto positions = session->positions();
        return positions.size() == 1 && positions[0].position == messages.back().position;
    }));
}

TEST_CASE("a handler that returns late, while its batch is still under way, is applied and holds nothing") {
    EngineFixture fixture;
    const auto taking = [](std::chrono::milliseconds time) {
        const auto end = std::chrono::steady_clock::now() + time;
        eventually([&] { return std::chrono::steady_clock::now() > end; });
    };
    static const auto take = taking;
    const weir_handler_v1 late = [](void *instance, const weir_event_v1 *event, const weir_call_v1 *call) -> weir_status {
        take(std::chrono::milliseconds(400));
        return handlers::append(instance, event, call);
    };
    const weir_handler_v1 slow = [](void *instance, const weir_event_v1 *event, const weir_call_v1 *call) -> weir_status {
        take(std::chrono::milliseconds(50));
        return handlers::append(instance, event, call);
    };
    std::vector<std::string> bodies{item_event(0, "item.late.v1", mark("late", "1"))};
    for (int i = 1; i < 60; ++i) {
        bodies.push_back(item_event(i, "item.slow.v1", mark("k" + std::to_string(i), "x")));
    }
    bodies.push_back(item_event(60, "item.marked.v1", mark("late", "2")));
    fixture.publish(bodies);
    engine::DomainSpec spec = sharded();
    spec.options.batch_max_events = 100;
    spec.options.handler_budget = std::chrono::milliseconds(200);
    engine::DomainWorker worker(spec, module_of(items_plugin(), {{"item.late.v1", late}, {"item.slow.v1", slow}}), fixture.environment());
    REQUIRE(EngineFixture::drain(worker, std::chrono::seconds(60)));
    CHECK(fixture.trail(items_plugin(), "late") == "12");
    CHECK(worker.status().counts.applied == 61);
}
