// SPDX-License-Identifier: Apache-2.0
#include "engine/crash_marks.hpp"
#include "engine_fixture.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <csignal>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace weir;
using namespace weir::test;

namespace {

event::Event some_event(const std::string &name) {
    auto message = std::make_shared<event::Message>();
    message->topic = "items.v1";
    message->position = {42, 0};
    event::Event made;
    made.message = message;
    made.id = event::Uuid::v5(event::weir_namespace(), name);
    return made;
}

// Runs `body` in a child between begin and end of a mark; returns the child's wait status.
template <typename Body> int die_in_handler(const std::filesystem::path &directory, const std::string &domain, Body body) {
    const pid_t child = fork();
    if (child == 0) {
        for (const int number : {SIGSEGV, SIGABRT}) {
            std::signal(number, SIG_DFL); // not the test framework's
        }
        engine::install_crash_signal_handlers();
        const auto marks = std::make_shared<engine::CrashMarks>(directory, domain);
        engine::CrashMarks::Slot slot(marks, "items 1.0.0, generation 3");
        slot.begin(some_event("victim"), "handle_items_item_marked");
        body();
        slot.end();
        slot.begin(some_event("other"), "handle_items_other");
        slot.end();
        std::_Exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

} // namespace

TEST_CASE("the event whose handler ended the process is known afterwards, with plugin, generation, handler and signal", "[process]") {
    const TemporaryDirectory directory;
    const int status = die_in_handler(directory.path(), "items", [] { raise(SIGSEGV); });
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGSEGV);
    const auto found = engine::CrashMarks::find(directory.path(), "items");
    REQUIRE(found.size() == 1);
    CHECK(found[0].event_id == some_event("victim").id);
    CHECK(found[0].plugin == "items 1.0.0, generation 3");
    CHECK(found[0].handler == "handle_items_item_marked");
    CHECK(found[0].position == "42");
    CHECK(found[0].signal == SIGSEGV);
    CHECK(engine::CrashMarks::find(directory.path(), "item").empty());
    engine::CrashMarks::forget(directory.path(), "items");
    CHECK(engine::CrashMarks::find(directory.path(), "items").empty());
}

TEST_CASE("abort and a kill from outside leave their mark, an orderly end leaves none", "[process]") {
    const TemporaryDirectory directory;
    die_in_handler(directory.path(), "aborts", [] { std::abort(); });
    REQUIRE(engine::CrashMarks::find(directory.path(), "aborts").size() == 1);
    CHECK(engine::CrashMarks::find(directory.path(), "aborts")[0].signal == SIGABRT);
    die_in_handler(directory.path(), "killed", [] { raise(SIGKILL); });
    REQUIRE(engine::CrashMarks::find(directory.path(), "killed").size() == 1);
    CHECK(engine::CrashMarks::find(directory.path(), "killed")[0].signal == 0);
    die_in_handler(directory.path(), "fine", [] {});
    CHECK(engine::CrashMarks::find(directory.path(), "fine").empty());
}

TEST_CASE("who only ran while another handler crashed the host is no suspect", "[process]") {
    const TemporaryDirectory directory;
    const int status = die_in_handler(directory.path(), "guilty", [&] {
        const auto bystander = std::make_shared<engine::CrashMarks>(directory.path(), "bystander");
        std::atomic<bool> running{false};
        std::thread slow([&] {
            engine::CrashMarks::Slot slot(bystander, "other 1.0.0, generation 1");
            slot.begin(some_event("innocent"), "handle_other");
            running = true;
            running.notify_all();
            running.wait(true); // for ever
        });
        running.wait(false);
        raise(SIGSEGV);
    });
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(engine::CrashMarks::find(directory.path(), "guilty").size() == 1);
    CHECK(engine::CrashMarks::find(directory.path(), "bystander").empty());
}

TEST_CASE("a handler that is left behind at an orderly end has not crashed the host", "[process]") {
    const TemporaryDirectory directory;
    const pid_t child = fork();
    if (child == 0) {
        const auto marks = std::make_shared<engine::CrashMarks>(directory.path(), "items");
        engine::CrashMarks::Slot slot(marks, "items 1.0.0, generation 1");
        slot.begin(some_event("slow"), "handle_items_item_slow");
        marks->end_orderly();
        std::_Exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(engine::CrashMarks::find(directory.path(), "items").empty());
}

TEST_CASE("a living process's marks are nobody's crash", "[process]") {
    const TemporaryDirectory directory;
    const auto marks = std::make_shared<engine::CrashMarks>(directory.path(), "items");
    engine::CrashMarks::Slot slot(marks, "items 1.0.0, generation 1");
    slot.begin(some_event("running"), "handle_items_item_marked");
    CHECK(engine::CrashMarks::find(directory.path(), "items").empty());
    engine::CrashMarks::forget(directory.path(), "items");
    slot.end();
}

TEST_CASE("an event during which the host died crash_limit times becomes a dead letter and its neighbours are applied", "[process]") {
    EngineFixture fixture;
    fixture.publish(
        {item_event(1, "item.marked.v1", R"({"id":"a","mark":"1"})"), item_event(2, "item.marked.v1", R"({"id":"b","mark":"1"})")});
    const auto module = std::make_shared<TestModule>(
        items_plugin(), std::map<std::string, weir_handler_v1, std::less<>>{{"item.marked.v1", handlers::append}});
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    spec.options.crash_limit = 2;
    const auto victim = event::Uuid::v5(event::weir_namespace(), "test/1");
    const std::filesystem::path marks_directory = fixture.directory / "state" / "marks";
    for (int death = 0; death < 2; ++death) {
        const pid_t child = fork();
        if (child == 0) { // dies as a host would in the handler of event 1
            const auto marks = std::make_shared<engine::CrashMarks>(marks_directory, "items");
            engine::CrashMarks::Slot slot(marks, "items 1.0.0, generation 1");
            event::Event event = some_event("x");
            event.id = victim;
            slot.begin(event, "handle_items_item_marked");
            raise(SIGKILL);
        }
        int status = 0;
        waitpid(child, &status, 0);
    }
    engine::DomainWorker worker(spec, module, fixture.environment());
    REQUIRE(EngineFixture::drain(worker));
    CHECK(fixture.trail(items_plugin(), "a") == "(no row)");
    CHECK(fixture.trail(items_plugin(), "b") == "1");
    const auto letters = fixture.session(items_plugin())->dead_letters({});
    REQUIRE(letters.size() == 1);
    CHECK(letters[0].event_id == victim);
    CHECK(letters[0].error_type == "crash_limit");
    CHECK(letters[0].error_message.find("items 1.0.0, generation 1") != std::string::npos);
    CHECK(fixture.session(items_plugin())->attempts().empty());
}
