// SPDX-License-Identifier: Apache-2.0
#include "engine/horizon.hpp"

#include "engine_fixture.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using namespace weir::test;

namespace {

std::shared_ptr<TestModule> appending() {
    return std::make_shared<TestModule>(items_plugin(),
                                        std::map<std::string, weir_handler_v1, std::less<>>{{"item.marked.v1", handlers::append}}, 1);
}

std::string marked(int number, const std::string &mark) {
    return item_event(number, "item.marked.v1", R"({"id":"a","mark":")" + mark + R"("})");
}

engine::Counts serve(EngineFixture &fixture, bool parallel) {
    auto spec = EngineFixture::spec_for(items_plugin());
    spec.parallel = parallel;
    engine::DomainWorker worker(spec, appending(), fixture.environment());
    REQUIRE(EngineFixture::drain(worker));
    worker.request_stop();
    worker.wait();
    return worker.status().counts;
}

/// Seals what was decided so far as a generation, and prunes what is older than it.
std::uint64_t let_time_pass(EngineFixture &fixture) {
    const auto session = fixture.session(items_plugin());
    store::LedgerPolicy policy;
    policy.horizon = std::chrono::microseconds(1);
    policy.generation_events = 1;
    std::uint64_t pruned = 0;
    for (bool more = true; more;) {
        policy.now = event::now();
        const store::LedgerUpkeep done = session->maintain_ledger(policy);
        pruned += done.pruned_events;
        more = done.more;
    }
    return pruned;
}

/// Two generations, of which the first is pruned; the second holds event 3.
void prune_the_first_two(EngineFixture &fixture, bool parallel) {
    fixture.publish({marked(1, "1"), marked(2, "2")});
    CHECK(serve(fixture, parallel).applied == 2);
    CHECK(let_time_pass(fixture) == 0); // nothing newer
    fixture.publish({marked(3, "3")});
    CHECK(serve(fixture, parallel).applied == 1);
    REQUIRE(let_time_pass(fixture) == 2);
}

} // namespace

TEST_CASE("when a group begins anew, events that may have been applied and can't be known any more are quarantined, each once") {
    const bool parallel = GENERATE(false, true);
    EngineFixture fixture;
    prune_the_first_two(fixture, parallel);
    fixture.publish({marked(4, "4")}); // published, not yet read: as old as one likes, but never applied
    const auto before = fixture.session(items_plugin())->positions();
    REQUIRE(before.size() == 1);
    for (int round = 0; round < 2; ++round) {
        if (parallel) { // it begins at the beginning
            REQUIRE(fixture.broker->drop_group("items.v1", "items_group"));
        } else { // an ordered domain's begins at its stored position, unless somebody sets it back
            REQUIRE(fixture.broker->drop_group("items.v1", "items_group"));
            const auto consumer = fixture.broker->subscribe({"items_group", "operator", {"items.v1"}, false});
            consumer->claim({"items.v1", 0}, std::nullopt);
        }
        const engine::Counts counts = serve(fixture, parallel);
        CHECK(counts.applied == (round == 0 ? 1 : 0));
        CHECK(counts.duplicates == (round == 0 ? 1 : 4)); // once quarantined they are known again
        CHECK(counts.dead_letters == (round == 0 ? 2 : 0));
    }
    const auto trail = fixture.trail(items_plugin(), "a");
    CHECK(trail == "1234");
    const auto letters = fixture.session(items_plugin())->dead_letters({});
    REQUIRE(letters.size() == 2);
    for (const auto &letter : letters) {
        CHECK(letter.error_type == "beyond_horizon");
        CHECK(letter.error_message.find("engine.ledger_horizon_hours") != std::string::npos);
        CHECK(letter.event_data);
    }
}

TEST_CASE("a topic that is made again is another one: its events are applied, whatever was pruned of its predecessor") {
    const bool parallel = GENERATE(false, true);
    EngineFixture fixture;
    prune_the_first_two(fixture, parallel);
    REQUIRE(fixture.broker->drop_topic("items.v1"));
    fixture.publish({marked(11, "x"), marked(12, "y"), marked(13, "z")});
    const engine::Counts counts = serve(fixture, parallel);
    CHECK(counts.applied == 3);
    CHECK(counts.dead_letters == 0);
    CHECK(fixture.trail(items_plugin(), "a") == "123xyz");
}

TEST_CASE("what waited through an outage is applied, however old it is") {
    const bool parallel = GENERATE(false, true);
    EngineFixture fixture;
    std::vector<std::string> backlog;
    for (int i = 1; i <= 5; ++i) {
        backlog.push_back(marked(i, std::to_string(i)));
    }
    fixture.publish({marked(1, "1"), marked(2, "2")});
    CHECK(serve(fixture, parallel).applied == 2);
    {
        const auto consumer = fixture.broker->subscribe({"items_group", "killed", {"items.v1"}, parallel});
        fixture.publish({marked(3, "3"), marked(4, "4")});
        if (!parallel) {
            consumer->claim({"items.v1", 0}, std::nullopt);
        }
        CHECK(consumer->read({}, std::chrono::seconds(10)).size() == 2); // delivered to a host that died with them
    }
    let_time_pass(fixture);
    CHECK(let_time_pass(fixture) == 0); // time alone prunes nothing
    fixture.publish({marked(5, "5")});
    const engine::Counts counts = serve(fixture, parallel);
    CHECK(counts.applied == 3);
    CHECK(counts.dead_letters == 0);
}

TEST_CASE("a host that is killed while it is idle leaves nothing that a pruned ledger and a lost group would apply again") {
    EngineFixture fixture;
    const auto spec = EngineFixture::spec_for(items_plugin());
    fixture.publish({marked(1, "1"), marked(2, "2"), marked(3, "3")});
    std::vector<store::StoredPosition> left;
    {
        engine::DomainWorker worker(spec, appending(), fixture.environment());
        REQUIRE(EngineFixture::drain(worker));
        left = fixture.session(items_plugin())->positions(); // what a kill would leave
        fixture.publish({marked(4, "4")});
        REQUIRE(EngineFixture::drain(worker));
        const auto then = fixture.session(items_plugin())->positions();
        REQUIRE((left.size() == 1 && then.size() == 1));
        CHECK(left[0].position < then[0].position);
        left = then;
    }
    CHECK(fixture.session(items_plugin())->positions()[0].position == left[0].position); // an orderly end has nothing to add
    const broker::Partition partition{"items.v1", 0};
    CHECK(fixture.broker->browse(partition, left[0].position, 10).empty());
    CHECK(fixture.broker->browse(partition, std::nullopt, 10).size() == 4);
}

TEST_CASE(
    "what is decided behind an event that waits is not applied again, though the host dies, its ids are pruned and the group is lost") {
    EngineFixture fixture;
    auto spec = EngineFixture::spec_for(items_plugin());
    spec.options.retry_delays = {std::chrono::hours(1)};
    const auto module = std::make_shared<TestModule>(items_plugin(),
                                                     std::map<std::string, weir_handler_v1, std::less<>>{
                                                         {"item.marked.v1", handlers::append}, {"item.failing.v1", handlers::fail_first}},
                                                     1);
    const bool first = GENERATE(false, true); // whether the event that waits is the very first
    if (!first) {
        fixture.publish({marked(1, "1")});
    }
    fixture.publish({item_event(2, "item.failing.v1", R"({"id":"b","mark":"2","times":1})"), marked(3, "3"), marked(4, "4")});
    const broker::Partition partition{"items.v1", 0};
    const auto behind = [&] { // what a group would bring that is made anew from the stored position
        const auto position = fixture.session(items_plugin())->positions().at(0).position;
        return fixture.broker->browse(partition, position == event::Position{} ? std::nullopt : std::optional(position), 10).size();
    };
    {
        engine::DomainWorker worker(spec, module, fixture.environment());
        REQUIRE(eventually([&] { return worker.status().counts.applied == (first ? 2 : 3); }));
        CHECK(behind() == 3);
    }
    auto session = fixture.session(items_plugin());
    auto waiting = session->attempts();
    REQUIRE(waiting.size() == 1);
    waiting[0].retry_at = 0; // its time has come
    session->save_attempts(waiting);
    session.reset();
    {
        engine::DomainWorker worker(spec, module, fixture.environment());
        REQUIRE(EngineFixture::drain(worker));
        CHECK(behind() == 2); // they don't come again, so that nobody passes them
    }
    CHECK(let_time_pass(fixture) == 0);
    fixture.publish({marked(5, "5")}, "others.v1"); // another partition goes on
    spec.topics.push_back("others.v1");
    spec.bindings.push_back(spec.bindings.at(0));
    spec.bindings.back().topic = "others.v1";
    {
        engine::DomainWorker worker(spec, module, fixture.environment());
        REQUIRE(eventually([&] { return worker.status().counts.applied == 1; }));
    }
    REQUIRE(let_time_pass(fixture) == (first ? 3 : 4));
    REQUIRE(fixture.broker->drop_group("items.v1", "items_group"));
    engine::DomainWorker worker(spec, module, fixture.environment());
    REQUIRE(EngineFixture::drain(worker));
    CHECK(worker.status().counts.applied == 0);
    CHECK(worker.status().counts.dead_letters == 2); // they may have been applied
    CHECK(fixture.trail(items_plugin(), "a") == (first ? "345" : "1345"));
    CHECK(fixture.trail(items_plugin(), "b") == "2");
    CHECK(behind() == 0);
}

TEST_CASE("a topic that is made anew while it is read has its own position from its first batch on") {
    EngineFixture fixture;
    const auto spec = EngineFixture::spec_for(items_plugin());
    fixture.publish({marked(1, "1"), marked(2, "2"), marked(3, "3")});
    engine::DomainWorker worker(spec, appending(), fixture.environment());
    REQUIRE(EngineFixture::drain(worker));
    const auto before = fixture.session(items_plugin())->positions();
    REQUIRE(fixture.broker->drop_topic("items.v1"));
    fixture.publish({marked(11, "x"), marked(12, "y")});
    REQUIRE(eventually([&] { return worker.status().counts.applied == 5; }));
    const auto after = fixture.session(items_plugin())->positions();
    REQUIRE((before.size() == 1 && after.size() == 1));
    CHECK(after[0].incarnation != before[0].incarnation);
    CHECK(fixture.broker->browse({"items.v1", 0}, after[0].position, 10).empty());
    CHECK(fixture.trail(items_plugin(), "a") == "123xy");
}

TEST_CASE("only events at pruned places and of pruned times are beyond the horizon") {
    const std::vector<store::PrunedRange> pruned = {{"t", 1, "x", {10, 5}, 1000}};
    event::Message message;
    message.topic = "t";
    message.partition = 1;
    message.incarnation = "x";
    message.position = {10, 5};
    message.appended_at = 1000;
    CHECK(engine::beyond_horizon(message, pruned));
    const auto but = [&](auto change) {
        event::Message other = message;
        change(other);
        return engine::beyond_horizon(other, pruned).has_value();
    };
    CHECK(but([](event::Message &m) { m.position = {0, 0}; }));
    CHECK_FALSE(but([](event::Message &m) { m.position = {10, 6}; }));
    CHECK_FALSE(but([](event::Message &m) { m.appended_at = 1001; }));
    CHECK_FALSE(but([](event::Message &m) { m.incarnation = "y"; }));
    CHECK_FALSE(but([](event::Message &m) { m.partition = 0; }));
    CHECK_FALSE(but([](event::Message &m) { m.topic = "u"; }));
}
