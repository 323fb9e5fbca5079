// SPDX-License-Identifier: Apache-2.0
// What goes wrong while something else goes wrong: swaps in an outage, fencing with events waiting, many handlers that hang.
#include "engine/handler_lane.hpp"
#include "engine_fixture.hpp"
#include "event/decoder.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

using namespace weir;
using namespace weir::test;

namespace {

using HandlerMap = std::map<std::string, weir_handler_v1, std::less<>>;

std::shared_ptr<TestModule> module_of(HandlerMap more, std::uint32_t generation = 1) {
    more.try_emplace("item.marked.v1", handlers::append);
    more.try_emplace("item.failing.v1", handlers::fail_first);
    return std::make_shared<TestModule>(items_plugin(), std::move(more), generation);
}

std::string marked(int number, const std::string &id, const std::string &mark, const std::string &type = "item.marked.v1") {
    return item_event(number, type, R"({"id":")" + id + R"(","mark":")" + mark + R"(","times":99})");
}

std::mutex hung_mutex;
std::condition_variable hung_changed;
bool hung_released = false;
weir_status hang(void *, const weir_event_v1 *, const weir_call_v1 *) {
    std::unique_lock lock(hung_mutex);
    hung_changed.wait(lock, [] { return hung_released; });
    return WEIR_OK;
}
struct ReleaseHung {
    ReleaseHung() { set(false); }
    ~ReleaseHung() {
        set(true);
        eventually([] { return engine::HandlerLanes::left_behind_in_process() == 0; });
    }
    static void set(bool released) {
        const std::lock_guard lock(hung_mutex);
        hung_released = released;
        hung_changed.notify_all();
    }
};

} // namespace

TEST_CASE("when every handler hangs, the store stays free, the plugin can be replaced, and the domain can be stopped") {
    const ReleaseHung release;
    EngineFixture fixture;
    std::vector<std::string> bodies;
    for (int i = 0; i < 30; ++i) {
        bodies.push_back(marked(i, "k" + std::to_string(i), "x", "item.hung.v1"));
    }
    fixture.publish(bodies);
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    spec.options.handler_budget = std::chrono::milliseconds(20);
    spec.options.max_overdue_handlers = 3;
    spec.options.drain_timeout = std::chrono::milliseconds(100);
    auto worker = std::make_unique<engine::DomainWorker>(spec, module_of({{"item.hung.v1", hang}}), fixture.environment());
    REQUIRE(eventually([&] { return worker->status().overdue >= 3; })); // one more where two shards reach the bound together
    const auto session = fixture.session(items_plugin());
    session->begin({}); // nobody holds the write lock
    session->rollback();
    const auto asked = std::chrono::steady_clock::now();
    worker->request_stop();
    worker->wait();
    CHECK(std::chrono::steady_clock::now() - asked < std::chrono::seconds(20)); // it hangs for good else
    worker = std::make_unique<engine::DomainWorker>(spec, module_of({{"item.hung.v1", hang}}), fixture.environment());
    REQUIRE(eventually([&] { return worker->status().overdue >= 3; }));
    worker->offer(module_of({{"item.hung.v1", handlers::append}}, 2));
    REQUIRE(EngineFixture::drain(*worker));
    CHECK(worker->status().counts.applied == 30);
}

TEST_CASE("a batch of slow handlers commits what it has after about a second, in order") {
    EngineFixture fixture;
    const weir_handler_v1 slow = [](void *instance, const weir_event_v1 *event, const weir_call_v1 *call) -> weir_status {
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(150);
        eventually([&] { return std::chrono::steady_clock::now() > end; });
        return handlers::append(instance, event, call);
    };
    std::vector<std::string> bodies;
    std::string expected;
    for (int i = 0; i < 16; ++i) {
        bodies.push_back(marked(i, "a", std::string(1, static_cast<char>('a' + i)), "item.slow.v1"));
        expected += static_cast<char>('a' + i);
    }
    fixture.publish(bodies);
    engine::DomainWorker worker(EngineFixture::spec_for(items_plugin()), module_of({{"item.slow.v1", slow}}), fixture.environment());
    REQUIRE(EngineFixture::drain(worker));
    CHECK(fixture.trail(items_plugin(), "a") == expected);
    CHECK(worker.status().counts.batches >= 2);
}

TEST_CASE("a generation offered while the store is locked is taken over when it is free again") {
    if (on_postgresql()) {
        return; // it has no lock that one session can hold on all of a store
    }
    EngineFixture fixture(std::chrono::milliseconds(100));
    engine::DomainWorker worker(EngineFixture::spec_for(items_plugin()), module_of({}), fixture.environment());
    REQUIRE(eventually([&] { return worker.status().ready; }));
    const auto session = fixture.session(items_plugin());
    session->begin({});
    worker.offer(module_of({}, 2));
    fixture.publish({marked(1, "a", "1")});
    CHECK(eventually([&] { return !worker.status().ready; }, std::chrono::seconds(10)));
    CHECK(worker.status().counts.messages == 0);
    session->rollback();
    REQUIRE(eventually([&] { return worker.status().generation == 2; }));
    REQUIRE(EngineFixture::drain(worker));
    CHECK(fixture.trail(items_plugin(), "a") == "1");
}

TEST_CASE("a host that lost its lease forgets the events that waited, and runs none of their handlers again") {
    if (on_postgresql()) {
        return; // where a holder that nobody has heard of counts as gone: the lease would be taken back at once
    }
    EngineFixture fixture;
    static std::atomic<int> runs{0};
    runs = 0;
    const weir_handler_v1 counted = [](void *, const weir_event_v1 *, const weir_call_v1 *) -> weir_status {
        ++runs;
        return WEIR_RETRY;
    };
    fixture.publish({marked(1, "a", "1", "item.counted.v1"), marked(2, "a", "2")});
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    spec.options.retry_delays = {std::chrono::milliseconds(1500)};
    spec.options.lease_time_to_live = std::chrono::milliseconds(600);
    engine::DomainWorker worker(spec, module_of({{"item.counted.v1", counted}}), fixture.environment());
    REQUIRE(eventually([&] { return worker.status().held == 2; }));
    run_in_test_store(
        fixture.directory / "store", "items",
        "update lease set epoch = epoch + 1, holder = 'another', expires_at = '9999-01-01T00:00:00.000000Z' where topic = 'items.v1'");
    REQUIRE(eventually([&] { return worker.status().phase == engine::Phase::standby; }));
    CHECK(worker.status().held == 0);
    const auto after = std::chrono::steady_clock::now() + std::chrono::milliseconds(2000);
    eventually([&] { return std::chrono::steady_clock::now() > after; });
    CHECK(runs == 1);
}

TEST_CASE("a replacement that does not know the configured settings is refused, and what serves goes on") {
    EngineFixture fixture;
    engine::Supervisor supervisor(fixture.environment(), "test");
    plugin::Description first = items_plugin();
    first.settings = R"({"color":"red"})";
    plugin::Description second = items_plugin();
    second.settings = R"({"colour":"red"})";
    second.version = "2.0.0";
    engine::Plan plan;
    engine::DomainRequest request;
    request.name = "items";
    request.settings_json = R"({"color":"blue"})";
    plan.domains.push_back(request);
    supervisor.apply(plan);
    const HandlerMap handlers_map{{"item.marked.v1", handlers::append}};
    supervisor.plugin_loaded(std::make_shared<TestModule>(first, handlers_map, 1));
    REQUIRE(eventually([&] { return supervisor.status().at(0).ready; }));
    supervisor.plugin_loaded(std::make_shared<TestModule>(second, handlers_map, 2));
    fixture.publish({marked(1, "a", "1")});
    REQUIRE(eventually([&] { return fixture.trail(items_plugin(), "a") == "1"; }));
    REQUIRE(supervisor.status().size() == 1);
    CHECK(supervisor.status().at(0).plugin_version == "1.0.0");
    CHECK(supervisor.status().at(0).ready);
    supervisor.plugin_removed("items");
    CHECK(eventually([&] { return supervisor.status().at(0).phase != engine::Phase::serving; }));
    CHECK(supervisor.stop());
}

TEST_CASE("a replacement with other topics that declines to start is refused, and what serves goes on") {
    EngineFixture fixture;
    engine::Supervisor supervisor(fixture.environment(), "test");
    const HandlerMap handlers_map{{"item.marked.v1", handlers::append}};
    engine::Plan plan;
    supervisor.apply(plan);
    supervisor.plugin_loaded(std::make_shared<TestModule>(items_plugin(), handlers_map, 1));
    REQUIRE(eventually([&] { return supervisor.status().at(0).ready; }));
    plugin::Description other = items_plugin();
    other.version = "2.0.0";
    other.domains[0].topics = {"items.v1", "items.v2"};
    const auto declining = std::make_shared<TestModule>(other, handlers_map, 2);
    declining->decline();
    supervisor.plugin_loaded(declining);
    fixture.publish({marked(1, "a", "1")});
    REQUIRE(eventually([&] { return fixture.trail(items_plugin(), "a") == "1"; }));
    CHECK(supervisor.status().at(0).plugin_version == "1.0.0");
    CHECK(supervisor.status().at(0).ready);
    supervisor.plugin_loaded(std::make_shared<TestModule>(other, handlers_map, 3));
    CHECK(eventually([&] { return supervisor.status().at(0).generation == 3 && supervisor.status().at(0).ready; }));
}

TEST_CASE("a late handler whose rows are always changed by others comes to an end as a dead letter") {
    EngineFixture fixture;
    static std::atomic<int> reads{0};
    static std::atomic<int> permits{0};
    reads = permits = 0;
    const weir_handler_v1 torn = [](void *, const weir_event_v1 *, const weir_call_v1 *call) -> weir_status {
        weir_cell_v1 key{};
        key.text = handlers::view("a");
        const weir_row_v1 *row = nullptr;
        call->read(call, 0, &key, 1, sizeof key, &row);
        const int mine = ++reads;
        eventually([&] { return permits >= mine; });
        return WEIR_OK;
    };
    fixture.publish({marked(1, "b", "1", "item.torn.v1")});
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    spec.options.handler_budget = std::chrono::milliseconds(20);
    spec.options.retry_delays = {std::chrono::milliseconds(1)};
    spec.options.max_retries = 2;
    engine::DomainWorker worker(spec, module_of({{"item.torn.v1", torn}}), fixture.environment());
    for (int round = 1; round <= 3; ++round) {
        REQUIRE(eventually([&] { return reads == round && worker.status().overdue == 1; }));
        fixture.publish({marked(round + 1, "a", "x")});
        REQUIRE(eventually([&] { return fixture.trail(items_plugin(), "a") == std::string(static_cast<std::size_t>(round), 'x'); }));
        permits = round;
    }
    REQUIRE(EngineFixture::drain(worker));
    CHECK(reads == 3);
    const auto letters = fixture.session(items_plugin())->dead_letters({});
    REQUIRE(letters.size() == 1);
    CHECK(letters[0].error_type == "retries_exhausted");
    CHECK(letters[0].error_message.find("outdated_result") != std::string::npos);
    CHECK(fixture.trail(items_plugin(), "b") == "(no row)");
}

TEST_CASE("what an older generation stated late is not applied in terms of the next one's tables") {
    EngineFixture fixture;
    const auto module = module_of({}, 2);
    std::string reason;
    engine::HandlerLanes::Setup setup;
    setup.instance = plugin::Instance::create(module, "items", "items", "{}", reason);
    setup.marks = std::make_shared<engine::CrashMarks>(fixture.directory / "marks", "items");
    setup.domain = "items";
    engine::HandlerLanes lanes(std::move(setup));
    event::Binding binding;
    binding.topic = "items.v1";
    const event::Decoder decoder(binding, fixture.contracts);
    auto message = std::make_shared<event::Message>();
    message->topic = "items.v1";
    message->body = marked(1, "a", "fresh");
    const auto work = std::make_shared<engine::Work>();
    work->event = std::make_shared<const event::Event>(decoder.decode(message));
    engine::HandlerResult old;
    old.generation = 1;
    old.changes.push_back(
        {0, store::ChangeKind::upsert, {std::string("a")}, {{2, store::CellOperation::set, std::string("old")}}, std::nullopt});
    for (const std::uint32_t generation : {1u, 2u}) {
        old.generation = generation;
        work->late = std::make_shared<const engine::HandlerResult>(old);
        const plugin::Description description = items_plugin();
        store::BatchRows rows(description.schema, [](std::uint32_t, std::span<const store::Key> keys) {
            return std::vector<std::optional<store::Row>>(keys.size());
        });
        std::unordered_set<std::string> blocked;
        lanes.begin({work}, {0}, {rows, blocked}, lanes.deadline_from_now(), true);
        lanes.finish();
        const auto row = rows.read(0, {std::string("a")});
        REQUIRE(row);
        CHECK(std::get<std::string>((*row)[2]) == (generation == 1 ? "fresh" : "old"));
    }
}
