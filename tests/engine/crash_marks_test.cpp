// SPDX-License-Identifier: Apache-2.0
#include "engine/crash_marks.hpp"
#include "engine_fixture.hpp"
#include "watched_store.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

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

std::vector<engine::CrashMarks::Found> left_in(const TemporaryDirectory &directory, const std::string &domain) {
    return engine::CrashMarks::Left(directory.path(), domain).found();
}

} // namespace

TEST_CASE("the event whose handler ended the process is known afterwards, with plugin, generation, handler and signal", "[process]") {
    const TemporaryDirectory directory;
    const int status = die_in_handler(directory.path(), "items", [] { raise(SIGSEGV); });
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGSEGV);
    const auto found = left_in(directory, "items");
    REQUIRE(found.size() == 1);
    CHECK(found[0].event_id == some_event("victim").id);
    CHECK(found[0].plugin == "items 1.0.0, generation 3");
    CHECK(found[0].handler == "handle_items_item_marked");
    CHECK(found[0].position == "42");
    CHECK(found[0].signal == SIGSEGV);
    CHECK(left_in(directory, "item").empty());
    engine::CrashMarks::Left(directory.path(), "items").forget();
    CHECK(left_in(directory, "items").empty());
}

TEST_CASE("abort and a kill from outside leave their mark, an orderly end leaves none", "[process]") {
    const TemporaryDirectory directory;
    die_in_handler(directory.path(), "aborts", [] { std::abort(); });
    REQUIRE(left_in(directory, "aborts").size() == 1);
    CHECK(left_in(directory, "aborts")[0].signal == SIGABRT);
    die_in_handler(directory.path(), "killed", [] { raise(SIGKILL); });
    REQUIRE(left_in(directory, "killed").size() == 1);
    CHECK(left_in(directory, "killed")[0].signal == 0);
    die_in_handler(directory.path(), "fine", [] {});
    CHECK(left_in(directory, "fine").empty());
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
    REQUIRE(left_in(directory, "guilty").size() == 1);
    CHECK(left_in(directory, "bystander").empty());
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
    CHECK(left_in(directory, "items").empty());
}

TEST_CASE("a process that has to end as it is can say of all its handlers that none is at fault", "[process]") {
    const TemporaryDirectory directory;
    die_in_handler(directory.path(), "one", [&] {
        const auto other = std::make_shared<engine::CrashMarks>(directory.path(), "other");
        engine::CrashMarks::Slot slot(other, "items 1.0.0, generation 1");
        slot.begin(some_event("slow"), "handle_items_item_slow");
        engine::CrashMarks::end_all_orderly();
        std::_Exit(0);
    });
    CHECK(left_in(directory, "one").empty());
    CHECK(left_in(directory, "other").empty());
}

TEST_CASE("a handler that hangs is no crash of a host that ends, also where its store stands still until the host gives up", "[process]") {
    static std::mutex mutex;
    static std::condition_variable changed;
    static bool waits_for_store = false;
    static bool given_up = false;
    const bool stalls = GENERATE(false, true);
    const TemporaryDirectory directory;
    const pid_t child = fork();
    if (child == 0) {
        auto *fixture = new EngineFixture; // what it has is still in use where the process ends
        auto *store = new WatchedStore(*fixture->store);
        std::atomic<bool> stalled{false};
        store->before_begin = [&] {
            std::unique_lock lock(mutex);
            if (stalled) {
                waits_for_store = true;
                changed.notify_all();
                changed.wait(lock, [] { return given_up; });
                throw store::Unavailable("nothing waits for the store any longer");
            }
        };
        engine::Environment environment = fixture->environment();
        environment.store = store;
        environment.state_directory = directory.path();
        engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
        spec.options.handler_budget = std::chrono::milliseconds(50);
        spec.options.drain_timeout = std::chrono::milliseconds(100);
        const weir_handler_v1 hang = [](void *, const weir_event_v1 *, const weir_call_v1 *) -> weir_status {
            for (;;) {
                pause();
            }
        };
        const auto module = std::make_shared<TestModule>(items_plugin(), std::map<std::string, weir_handler_v1, std::less<>>{
                                                                             {"item.marked.v1", handlers::append}, {"item.hung.v1", hang}});
        engine::DomainWorker worker(spec, module, environment);
        fixture->publish({item_event(1, "item.hung.v1", R"({"id":"a"})")});
        bool is_as_planned = eventually([&] { return worker.status().overdue == 1; });
        if (stalls) {
            stalled = true;
            fixture->publish({item_event(2, "item.marked.v1", R"({"id":"b","mark":"x"})")});
            std::unique_lock lock(mutex);
            is_as_planned = changed.wait_for(lock, std::chrono::seconds(30), [] { return waits_for_store; }) && is_as_planned;
        }
        worker.request_stop();
        {
            const std::lock_guard lock(mutex);
            given_up = true;
        }
        changed.notify_all();
        worker.wait();
        std::_Exit(is_as_planned ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(std::distance(std::filesystem::directory_iterator(directory.path() / "marks"), {}) >= 1);
    CHECK(engine::CrashMarks::Left(directory.path() / "marks", "items").found().empty());
}

TEST_CASE("a living process's marks are nobody's crash", "[process]") {
    const TemporaryDirectory directory;
    const auto marks = std::make_shared<engine::CrashMarks>(directory.path(), "items");
    engine::CrashMarks::Slot slot(marks, "items 1.0.0, generation 1");
    slot.begin(some_event("running"), "handle_items_item_marked");
    CHECK(left_in(directory, "items").empty());
    engine::CrashMarks::Left(directory.path(), "items").forget();
    CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 1);
    slot.end();
}

TEST_CASE("who counts a crash is alone with it, and leaves it to others where it can't store it", "[process]") {
    const TemporaryDirectory directory;
    die_in_handler(directory.path(), "items", [] { raise(SIGKILL); });
    {
        const engine::CrashMarks::Left failed(directory.path(), "items");
        REQUIRE(failed.found().size() == 1);
        CHECK(left_in(directory, "items").empty());
        die_in_handler(directory.path(), "items", [] { raise(SIGKILL); });
        CHECK(left_in(directory, "items").size() == 1); // another crash isn't its own
    }
    engine::CrashMarks::Left stored(directory.path(), "items");
    REQUIRE(stored.found().size() == 2);
    die_in_handler(directory.path(), "items", [] { raise(SIGKILL); });
    stored.forget();
    CHECK(left_in(directory, "items").size() == 1); // what it hasn't seen
}

TEST_CASE("each crash is counted once, however many count", "[process]") {
    const TemporaryDirectory directory;
    constexpr std::size_t kCrashes = 40;
    const pid_t child = fork();
    if (child == 0) {
        std::vector<std::unique_ptr<engine::CrashMarks::Slot>> slots;
        for (std::size_t i = 0; i < kCrashes; ++i) {
            slots.push_back(std::make_unique<engine::CrashMarks::Slot>(std::make_shared<engine::CrashMarks>(directory.path(), "items"),
                                                                       "items 1.0.0, generation 1"));
            slots.back()->begin(some_event("victim"), "handle_items_item_marked");
        }
        raise(SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    std::atomic<std::size_t> counted{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            while (std::distance(std::filesystem::directory_iterator(directory.path()), {}) > 0) {
                engine::CrashMarks::Left left(directory.path(), "items");
                counted += left.found().size();
                left.forget();
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK(counted == kCrashes);
}

TEST_CASE("a host that stands still while it counts crashes keeps nobody from starting, stopping, or counting others", "[process]") {
    EngineFixture fixture;
    const std::filesystem::path marks_directory = fixture.directory / "state" / "marks";
    die_in_handler(marks_directory, "items", [] { raise(SIGKILL); });
    const engine::CrashMarks::Turn turn(marks_directory, "items", std::chrono::seconds(1));
    REQUIRE(turn.is_mine());
    const engine::CrashMarks::Left left(marks_directory, "items");
    REQUIRE(left.found().size() == 1);
    die_in_handler(marks_directory, "items", [] { raise(SIGKILL); });
    const auto module = std::make_shared<TestModule>(
        items_plugin(), std::map<std::string, weir_handler_v1, std::less<>>{{"item.marked.v1", handlers::append}});
    fixture.publish({item_event(1, "item.marked.v1", R"({"id":"a","mark":"1"})")});
    engine::DomainWorker worker(EngineFixture::spec_for(items_plugin()), module, fixture.environment());
    REQUIRE(EngineFixture::drain(worker));
    CHECK(fixture.trail(items_plugin(), "a") == "1");
    const auto attempts = fixture.session(items_plugin())->attempts();
    REQUIRE(attempts.size() == 1);
    CHECK(attempts[0].crashes == 1);
    worker.request_stop();
    worker.wait();
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
