// SPDX-License-Identifier: Apache-2.0
// Parallel domains whose events go from host to host: what was tried before counts wherever they go, and leases hold.
#include "engine/crash_marks.hpp"
#include "engine/handler_lane.hpp"
#include "engine_fixture.hpp"
#include "redis_fixture.hpp"
#include "watched_store.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <sys/wait.h>
#include <unistd.h>

using namespace weir;
using namespace weir::test;
using namespace std::chrono_literals;

namespace {

using HandlerMap = std::map<std::string, weir_handler_v1, std::less<>>;
using Clock = std::chrono::steady_clock;

std::shared_ptr<TestModule> module_of(HandlerMap more) {
    more.try_emplace("item.marked.v1", handlers::append);
    more.try_emplace("item.failing.v1", handlers::fail_first);
    return std::make_shared<TestModule>(items_plugin(), std::move(more));
}

event::Uuid id_of(int number) { return event::Uuid::v5(event::weir_namespace(), "test/" + std::to_string(number)); }

std::string item(int number, const std::string &type, int times = 0) {
    return item_event(number, type, R"({"id":"k)" + std::to_string(number) + R"(","mark":"x","times":)" + std::to_string(times) + "}");
}

/// Hosts of one parallel domain that share a Redis, a store and a machine.
struct Hosts : EngineFixture {
    RedisServer server;
    std::unique_ptr<broker::Broker> redis = open_redis(server);

    static engine::DomainSpec spec(const std::string &host, std::chrono::milliseconds retry_delay = 20ms) {
        engine::DomainSpec spec = spec_for(items_plugin(), host);
        spec.parallel = true;
        spec.options.retry_delays = {retry_delay};
        return spec;
    }
    std::unique_ptr<engine::DomainWorker> start(const engine::DomainSpec &spec, HandlerMap handlers = {}) {
        engine::Environment shared = environment();
        shared.broker = redis.get();
        return std::make_unique<engine::DomainWorker>(spec, module_of(std::move(handlers)), shared);
    }
    void publish_there(const std::vector<std::string> &bodies) {
        std::vector<broker::Outgoing> messages;
        for (const std::string &body : bodies) {
            messages.push_back({"", {}, body});
        }
        redis->publish("items.v1", messages);
    }
    /// As a host that was killed since had read them: `from` is ">" for new ones.
    void read_as_another(const std::string &from) {
        server.command({"XREADGROUP", "GROUP", "items_group", "killed~0.1", "COUNT", "100", "STREAMS", "items.v1", from});
    }
    void given_to_another(const std::vector<std::string> &bodies) {
        publish_there(bodies);
        server.command({"XGROUP", "CREATE", "items.v1", "items_group", "0"});
        read_as_another(">");
    }
    std::vector<store::Attempts> attempts() { return session(items_plugin())->attempts(); }
    std::vector<store::DeadLetter> letters() { return session(items_plugin())->dead_letters({}); }
};

std::atomic<int> runs{0};
weir_status always_retry(void *, const weir_event_v1 *, const weir_call_v1 *) {
    ++runs;
    return WEIR_RETRY;
}

std::mutex hung_mutex;
std::condition_variable hung_changed;
bool hung_released = false;
weir_status hang(void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
    ++runs;
    std::unique_lock lock(hung_mutex);
    hung_changed.wait(lock, [] { return hung_released; });
    return handlers::append(instance, event, call);
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

TEST_CASE("retries that one host has used up count on the host that takes the event over while it runs") {
    Hosts hosts;
    runs = 0;
    const HandlerMap handlers{{"item.hopeless.v1", always_retry}};
    auto one = hosts.start(Hosts::spec("one", 1500ms), handlers);
    auto other = hosts.start(Hosts::spec("other", 1500ms), handlers);
    REQUIRE(eventually([&] { return one->status().ready && other->status().ready; }));
    hosts.publish_there({item(1, "item.hopeless.v1")});
    REQUIRE(eventually([&] { return one->status().held + other->status().held == 1; }));
    (one->status().held == 1 ? one : other).reset();
    REQUIRE(eventually([&] { return !hosts.letters().empty(); }, 60s));
    CHECK(runs == 4); // the first and three retries, by whomever
    CHECK(hosts.letters().at(0).retry_count == 3);
    CHECK(hosts.letters().at(0).error_type == "retries_exhausted");
    CHECK(hosts.attempts().empty());
}

TEST_CASE("a host that died in a handler counts on the host that takes the event over while it runs") {
    Hosts hosts;
    runs = 0;
    hosts.given_to_another({item(1, "item.deadly.v1")});
    const pid_t child = fork();
    if (child == 0) { // the host that has it
        const auto marks = std::make_shared<engine::CrashMarks>(hosts.directory / "state" / "marks", "items");
        engine::CrashMarks::Slot slot(marks, "items 1.0.0, generation 1");
        event::Event event;
        event.id = id_of(1);
        event.message = std::make_shared<event::Message>();
        slot.begin(event, "handle_items_item_deadly");
        for (;;) {
            pause();
        }
    }
    engine::DomainSpec spec = Hosts::spec("other");
    spec.options.crash_limit = 1;
    const auto other = hosts.start(spec, {{"item.deadly.v1", always_retry}});
    REQUIRE(eventually([&] {
        hosts.read_as_another("0"); // it lives
        return other->status().ready;
    }));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    REQUIRE(eventually([&] { return !hosts.letters().empty(); }, 60s));
    CHECK(runs == 0);
    CHECK(hosts.letters().at(0).error_type == "crash_limit");
    CHECK(hosts.attempts().empty());
}

TEST_CASE("what is known of attempts is forgotten by whoever decides the event, or finds it decided") {
    Hosts hosts;
    const auto note = [&](int number) {
        const store::Attempts one{id_of(number), 1, 0, event::now(), "noted by another host"};
        hosts.session(items_plugin())->save_attempts(std::span(&one, 1));
    };
    hosts.given_to_another({item(1, "item.marked.v1"), item(2, "item.marked.v1")});
    {
        auto running = hosts.start(Hosts::spec("running"));
        REQUIRE(eventually([&] {
            hosts.read_as_another("0");
            return running->status().ready;
        }));
        note(1);
        note(2);
        hosts.publish_there({item(3, "item.marked.v1"), item(2, "item.marked.v1")}); // the second one as a copy, decided at once
        REQUIRE(eventually([&] {
            hosts.read_as_another("0");
            return running->status().counts.applied == 2;
        }));
        REQUIRE(EngineFixture::drain(*running, 60s));
        CHECK(running->status().counts.applied == 3);
        CHECK(running->status().counts.duplicates == 1);
        CHECK(hosts.attempts().empty());
        note(3); // while it was decided elsewhere, by a host that died
    }
    CHECK(hosts.attempts().size() == 1);
    const auto next = hosts.start(Hosts::spec("next"));
    CHECK(eventually([&] { return hosts.attempts().empty(); }));
}

TEST_CASE("a host keeps what it works at for longer than its lease, though another host tries to take it all the time") {
    const ReleaseHung release;
    Hosts hosts;
    runs = 0;
    const HandlerMap handlers{{"item.hung.v1", hang}};
    engine::DomainSpec spec = Hosts::spec("one");
    spec.options.handler_budget = 50ms;
    spec.options.max_overdue_handlers = 1; // then it reads nothing further
    spec.options.batch_max_events = 1;
    auto one = hosts.start(spec, handlers);
    REQUIRE(eventually([&] { return one->status().ready; }));
    hosts.publish_there({item(1, "item.hung.v1"), item(2, "item.marked.v1"), item(3, "item.marked.v1")});
    REQUIRE(eventually([&] { return one->status().overdue == 1; }));
    const auto pending = [&] { return hosts.server.command({"XPENDING", "items.v1", "items_group", "-", "+", "10"}); };
    const auto other = hosts.start(Hosts::spec("other"), handlers);
    REQUIRE(eventually([&] { return other->status().ready; }));
    const auto end = Clock::now() + 3 * spec.options.lease_time_to_live;
    eventually([&] { return Clock::now() > end; }, 60s);
    CHECK(runs == 1);
    CHECK(one->status().overdue == 1);
    CHECK(pending().find("other") == std::string::npos);
    ReleaseHung::set(true);
    REQUIRE(EngineFixture::drain(*one, 60s));
    CHECK(one->status().counts.applied + other->status().counts.applied == 3);
    CHECK(one->status().counts.duplicates + other->status().counts.duplicates == 0);
}

TEST_CASE("a copy of an event that waits waits with it, in its batch or behind it, and adds no retries of its own") {
    EngineFixture fixture;
    runs = 0;
    engine::DomainSpec spec = Hosts::spec("one", 400ms);
    const bool ordered = GENERATE(false, true);
    spec.parallel = !ordered;
    // In an ordered domain under another key; there it waits where both are in one batch.
    const auto copy = [&](const std::string &key) {
        return item_event(1, "item.hopeless.v1", R"({"id":")" + (ordered ? key : std::string("k")) + R"("})");
    };
    spec.options.shards = ordered ? 1 : spec.options.shards;
    fixture.publish({copy("a"), copy("b"), item(2, "item.marked.v1")});
    engine::DomainWorker worker(spec, module_of({{"item.hopeless.v1", always_retry}}), fixture.environment());
    REQUIRE(eventually([&] { return worker.status().counts.retries >= 1; }));
    if (!ordered) {
        fixture.publish({copy("c")});
    }
    REQUIRE(EngineFixture::drain(worker));
    CHECK(runs == 4);
    const engine::Counts counts = worker.status().counts;
    CHECK(counts.retries == 3);
    CHECK(counts.dead_letters == 1);
    CHECK(counts.duplicates == (ordered ? 1 : 2));
    CHECK(counts.applied == 1);
    CHECK(fixture.session(items_plugin())->attempts().empty());
}

TEST_CASE("a parallel domain stores up to where all its hosts are done, and a lost group goes on from there") {
    Hosts hosts;
    std::vector<std::string> bodies;
    for (int i = 0; i < 50; ++i) {
        bodies.push_back(item(i, "item.marked.v1"));
    }
    hosts.publish_there(bodies);
    const auto stored = [&] {
        const auto positions = hosts.session(items_plugin())->positions();
        return positions.empty() ? store::StoredPosition{} : positions.at(0);
    };
    engine::DomainSpec spec = Hosts::spec("one", 1h);
    spec.options.lease_time_to_live = 300ms; // positions are looked at as often as leases are renewed
    const broker::Position last = hosts.redis->newest({"items.v1", 0}, 1).at(0).position;
    {
        auto one = hosts.start(spec);
        REQUIRE(eventually([&] { return one->status().counts.applied == 50; }, 60s));
        REQUIRE(eventually([&] { return stored().position == last; }));
        hosts.publish_there({item(100, "item.failing.v1", 1)}); // waits
        REQUIRE(eventually([&] { return one->status().held == 1; }));
        hosts.publish_there({item(101, "item.marked.v1"), item(102, "item.marked.v1")});
        REQUIRE(eventually([&] { return one->status().counts.applied == 52; }, 60s));
        REQUIRE(eventually([&] { return stored().position > last; }));
        const auto newest = hosts.redis->newest({"items.v1", 0}, 3);
        CHECK(stored().position < newest.at(0).position); // the one that waits isn't decided
        CHECK(stored().reached == newest.at(2).position);
    }
    hosts.server.command({"XGROUP", "DESTROY", "items.v1", "items_group"});
    spec.options.retry_delays = {20ms};
    const auto next = hosts.start(spec);
    REQUIRE(EngineFixture::drain(*next, 60s));
    CHECK(next->status().counts.applied == 1);
    CHECK(next->status().counts.duplicates == 2); // of 52: those behind the one that waited
    CHECK(hosts.attempts().empty());
}

TEST_CASE("a look at attempts that fails takes nothing from the budget of events, and one that others hold up stops nothing") {
    const bool is_outage = GENERATE(true, false);
    CAPTURE(is_outage);
    EngineFixture fixture;
    std::atomic<int> failures{0};
    std::atomic<int> opened{0};
    WatchedStore store(*fixture.store);
    store.opened = [&](WatchedSession &session) {
        ++opened;
        session.before_attempts = [&] {
            if (failures > 0 && failures.fetch_sub(1) > 0) {
                if (is_outage) {
                    throw store::Unavailable("the store is away");
                }
                throw store::RunAgain("others are in the way");
            }
        };
    };
    engine::EventBudget budget(50);
    engine::Environment environment = fixture.environment();
    environment.store = &store;
    environment.budget = &budget;
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    spec.parallel = true;
    spec.options.retry_delays = {300ms};
    fixture.publish({item(0, "item.failing.v1", 1)});
    engine::DomainWorker worker(spec, module_of({}), environment);
    eventually([&] { return worker.status().counts.retries == 1; });
    const int sessions = opened;
    failures = 1; // the look at the event that waited for its retry
    eventually([&] { return failures <= 0; });
    std::vector<std::string> bodies;
    for (int number = 1; number <= 10; ++number) {
        bodies.push_back(item(number, "item.marked.v1"));
    }
    fixture.publish(bodies);
    eventually([&] { return worker.status().counts.applied >= 11; });
    CHECK_FALSE(budget.spent());
    CHECK((opened == sessions) == !is_outage); // else the domain has begun anew
}
