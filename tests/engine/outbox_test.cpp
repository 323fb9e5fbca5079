// SPDX-License-Identifier: Apache-2.0
#include "engine/handler_call.hpp"
#include "engine_fixture.hpp"
#include "event/decoder.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <set>

using namespace weir;
using namespace weir::test;

namespace {

// Appends, and emits one event for the item, with its key and a header.
weir_status append_and_emit(void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
    weir_view id{};
    weir_view mark{};
    event->text(event, handlers::view("/id"), &id);
    event->text(event, handlers::view("/mark"), &mark);
    const std::string payload = R"({"mark":")" + std::string(handlers::text(mark)) + R"("})";
    const weir_header_v1 header{handlers::view("trace"), handlers::view("abc")};
    weir_emit_v1 emitted{};
    emitted.size = sizeof emitted;
    emitted.topic = handlers::view("items.changed");
    emitted.key = id;
    emitted.event_type = handlers::view("item.changed.v1");
    emitted.payload = handlers::view(payload);
    emitted.headers = &header;
    emitted.header_count = 1;
    emitted.header_stride = sizeof header;
    call->emit(call, &emitted);
    return handlers::text(mark) == "reject" ? WEIR_REJECT : handlers::append(instance, event, call);
}

} // namespace

TEST_CASE("what handlers emit is published after the commit, in order, with key and headers; what is rejected emits nothing") {
    EngineFixture fixture;
    std::vector<std::string> bodies;
    for (int i = 0; i < 2500; ++i) {
        bodies.push_back(
            item_event(i, "item.marked.v1",
                       R"({"id":"k)" + std::to_string(i % 5) + R"(","mark":")" + (i == 7 ? "reject" : std::to_string(i)) + R"("})"));
    }
    bodies.push_back(bodies[3]);
    fixture.publish(bodies);
    const auto module = std::make_shared<TestModule>(
        items_plugin(), std::map<std::string, weir_handler_v1, std::less<>>{{"item.marked.v1", append_and_emit}});
    {
        engine::DomainWorker worker(EngineFixture::spec_for(items_plugin()), module, fixture.environment());
        REQUIRE(EngineFixture::drain(worker));
    }
    CHECK(fixture.session(items_plugin())->outbox(10).empty());
    const auto published = fixture.broker->browse({"items.changed", 0}, std::nullopt, 5000);
    REQUIRE(published.size() == 2499);
    std::set<event::Uuid> ids;
    std::string reason;
    std::map<std::string, int> last; // of each key; between keys there is no order where a domain has several shards
    for (const event::Message &message : published) {
        CHECK(message.headers == std::vector<event::Header>{{"trace", "abc"}});
        const auto envelope = event::parse_json(message.body, 64, reason);
        REQUIRE(envelope);
        const int number = std::stoi(std::string(*envelope->text("/payload/mark")));
        CHECK(message.key == "k" + std::to_string(number % 5));
        const auto before = last.try_emplace(message.key, number % 5 - 5).first;
        CHECK(number == (before->second + 5 == 7 ? 12 : before->second + 5)); // 7 was rejected
        before->second = number;
        CHECK(envelope->text("/event_type") == "item.changed.v1");
        ids.insert(*event::Uuid::parse(*envelope->text("/event_id")));
    }
    CHECK(last.size() == 5);
    CHECK(ids.size() == 2499);
}

TEST_CASE("two domains that emit for one event give their events different ids, each the same in every rerun") {
    const plugin::Description description = items_plugin();
    auto message = std::make_shared<event::Message>();
    message->topic = "items.v1";
    message->body = item_event(1, "item.marked.v1", R"({"id":"a","mark":"1"})");
    event::Binding binding;
    binding.topic = "items.v1";
    binding.envelope_required = true;
    const event::Contracts contracts = event::Contracts::built_in();
    const event::Event event = event::Decoder(binding, contracts).decode(message);
    const auto emitted_by = [&](const std::string &domain) {
        engine::HandlerCall call(description, domain);
        const auto no_rows = [](std::uint32_t, const store::Key &) { return std::optional<store::Row>(); };
        return call.run(append_and_emit, nullptr, event, 1, no_rows).emitted.at(0).event_id;
    };
    CHECK(emitted_by("first") != emitted_by("second"));
    CHECK(emitted_by("first") == emitted_by("first"));
}

TEST_CASE("a topic that the broker refuses holds up itself alone, and nothing goes out twice for it") {
    EngineFixture fixture;
    broker::TopicOptions tiny;
    tiny.max_bytes = 10; // one message is more than the topic may ever keep
    fixture.broker->configure_topic("items.changed", tiny);
    const weir_handler_v1 emit_both = [](void *instance, const weir_event_v1 *event, const weir_call_v1 *call) -> weir_status {
        weir_emit_v1 emitted{};
        emitted.size = sizeof emitted;
        emitted.topic = handlers::view("fine.topic");
        emitted.event_type = handlers::view("item.fine.v1");
        emitted.payload = handlers::view("{}");
        call->emit(call, &emitted);
        return append_and_emit(instance, event, call);
    };
    const auto module =
        std::make_shared<TestModule>(items_plugin(), std::map<std::string, weir_handler_v1, std::less<>>{{"item.marked.v1", emit_both}});
    std::vector<std::string> bodies;
    for (int i = 0; i < 20; ++i) {
        bodies.push_back(item_event(i, "item.marked.v1", R"({"id":"a","mark":"1"})"));
    }
    fixture.publish(bodies);
    engine::DomainWorker worker(EngineFixture::spec_for(items_plugin()), module, fixture.environment());
    REQUIRE(eventually([&] { return worker.status().reason.find("items.changed") != std::string::npos; }));
    REQUIRE(eventually([&] { return fixture.session(items_plugin())->outbox(100).size() == 20; }));
    CHECK(fixture.broker->browse({"fine.topic", 0}, std::nullopt, 100).size() == 20);
    fixture.broker->configure_topic("items.changed", {});
    REQUIRE(EngineFixture::drain(worker));
    CHECK(fixture.broker->browse({"items.changed", 0}, std::nullopt, 100).size() == 20);
    CHECK(fixture.broker->browse({"fine.topic", 0}, std::nullopt, 100).size() == 20);
}

TEST_CASE("an emitted event that violates its contract makes a dead letter of its cause, and goes nowhere") {
    EngineFixture fixture;
    const weir_handler_v1 emit_wrong = [](void *instance, const weir_event_v1 *event, const weir_call_v1 *call) -> weir_status {
        weir_emit_v1 emitted{};
        emitted.size = sizeof emitted;
        emitted.topic = handlers::view("identity.user.v1");
        emitted.event_type = handlers::view("user.created.v1");
        emitted.payload = handlers::view(R"({"user_id":"not a uuid"})");
        call->emit(call, &emitted);
        return handlers::append(instance, event, call);
    };
    fixture.publish({item_event(1, "item.marked.v1", R"({"id":"a","mark":"1"})")});
    const auto module =
        std::make_shared<TestModule>(items_plugin(), std::map<std::string, weir_handler_v1, std::less<>>{{"item.marked.v1", emit_wrong}});
    engine::DomainWorker worker(EngineFixture::spec_for(items_plugin()), module, fixture.environment());
    REQUIRE(EngineFixture::drain(worker));
    CHECK(fixture.trail(items_plugin(), "a") == "(no row)");
    const auto letters = fixture.session(items_plugin())->dead_letters({});
    REQUIRE(letters.size() == 1);
    CHECK(letters[0].error_type == "invalid_emit");
    CHECK(letters[0].error_message.find("/payload/user_id") != std::string::npos);
    CHECK(fixture.session(items_plugin())->outbox(10).empty());
}
