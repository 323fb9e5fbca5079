// SPDX-License-Identifier: Apache-2.0
#include "engine/replay.hpp"
#include "engine/settings.hpp"
#include "engine_fixture.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using namespace weir::test;

namespace {

std::shared_ptr<TestModule> module_with(weir_handler_v1 handler, std::uint32_t generation) {
    return std::make_shared<TestModule>(items_plugin(), std::map<std::string, weir_handler_v1, std::less<>>{{"item.marked.v1", handler}},
                                        generation);
}

weir_status reject(void *, const weir_event_v1 *, const weir_call_v1 *call) {
    call->error(call, handlers::view("not_today"), handlers::view("this handler rejects everything"));
    return WEIR_REJECT;
}

// One dead letter, made by a handler that rejects.
store::DeadLetter one_dead_letter(EngineFixture &fixture) {
    fixture.publish({item_event(1, "item.marked.v1", R"({"id":"a","mark":"1"})")});
    {
        engine::DomainWorker worker(EngineFixture::spec_for(items_plugin()), module_with(reject, 1), fixture.environment());
        REQUIRE(EngineFixture::drain(worker));
    }
    const auto letters = fixture.session(items_plugin())->dead_letters({});
    REQUIRE(letters.size() == 1);
    REQUIRE(letters[0].error_type == "not_today");
    return letters[0];
}

} // namespace

TEST_CASE("a replayed dead letter takes effect once, however often it is replayed, and a redelivery adds nothing") {
    EngineFixture fixture;
    const store::DeadLetter letter = one_dead_letter(fixture);
    engine::Replayer replayer(EngineFixture::spec_for(items_plugin()), module_with(handlers::append, 2), *fixture.store, fixture.contracts,
                              fixture.directory / "state");
    CHECK(replayer.replay(letter, true).outcome == engine::ReplayOutcome::would_apply);
    CHECK(fixture.trail(items_plugin(), "a") == "(no row)");
    CHECK(replayer.replay(letter, false).outcome == engine::ReplayOutcome::replayed);
    CHECK(replayer.replay(letter, false).outcome == engine::ReplayOutcome::not_pending);
    CHECK(fixture.trail(items_plugin(), "a") == "1");
    fixture.publish({item_event(1, "item.marked.v1", R"({"id":"a","mark":"1"})")});
    engine::DomainWorker worker(EngineFixture::spec_for(items_plugin()), module_with(handlers::append, 2), fixture.environment());
    REQUIRE(EngineFixture::drain(worker));
    CHECK(worker.status().counts.duplicates == 1);
    CHECK(fixture.trail(items_plugin(), "a") == "1");
    const auto letters = fixture.session(items_plugin())->dead_letters({});
    REQUIRE(letters.size() == 1);
    CHECK(letters[0].status == store::DeadLetterStatus::replayed);
}

TEST_CASE("a replay that fails again keeps the dead letter pending, with its new reason and one more retry") {
    EngineFixture fixture;
    const store::DeadLetter letter = one_dead_letter(fixture);
    engine::Replayer replayer(EngineFixture::spec_for(items_plugin()), module_with(reject, 2), *fixture.store, fixture.contracts,
                              fixture.directory / "state");
    const engine::ReplayResult result = replayer.replay(letter, false);
    CHECK(result.outcome == engine::ReplayOutcome::failed);
    CHECK(result.reason.type == "not_today");
    const auto letters = fixture.session(items_plugin())->dead_letters({});
    REQUIRE(letters.size() == 1);
    CHECK(letters[0].status == store::DeadLetterStatus::pending);
    CHECK(letters[0].retry_count == letter.retry_count + 1);
}

TEST_CASE("settings are laid over the plugin's defaults, and what it does not know is refused by its pointer") {
    std::string merged;
    CHECK_FALSE(engine::merge_settings(R"({"eager":true,"limit":5})", R"({"limit":7})", merged));
    CHECK(merged == R"({"eager":true,"limit":7})");
    const auto unknown = engine::merge_settings(R"({"eager":true})", R"({"eagre":false})", merged);
    REQUIRE(unknown);
    CHECK(unknown->find("/settings/eagre") != std::string::npos);
    const auto wrong_type = engine::merge_settings(R"({"eager":true})", R"({"eager":"never"})", merged);
    REQUIRE(wrong_type);
    CHECK(wrong_type->find("/settings/eager") != std::string::npos);
    CHECK_FALSE(engine::merge_settings(R"({"eager":true,"limit":5,"name":"x"})", R"({"eager":"No","limit":"7","name":"7"})", merged));
    CHECK(merged == R"({"eager":false,"limit":7,"name":"7"})"); // as variables have them
    CHECK_FALSE(engine::merge_settings("", R"({"anything":1})", merged));
}
