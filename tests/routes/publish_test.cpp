// SPDX-License-Identifier: Apache-2.0
// What becomes of requests that wait for the broker: each by its own, also where the domain leaves meanwhile.
#include "desk.hpp"

#include "engine/publish_queue.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using namespace weir::test;
using Clock = std::chrono::steady_clock;

namespace {

const std::string kTopic = "desk.told";

/// A queue on the embedded broker, and what those were answered who gave it something.
struct Waiting {
    TemporaryDirectory directory;
    std::unique_ptr<broker::EmbeddedBroker> real = [this] {
        broker::EmbeddedOptions options;
        options.file = directory / "broker.db";
        options.synchronous = broker::Synchronous::normal;
        return broker::open_embedded_broker(options);
    }();
    AwayBroker broker{*real};
    engine::DomainSpec spec;
    engine::RouteSessions sessions; // none: nobody has a key
    std::mutex mutex;
    std::vector<engine::RouteAnswer> answers = std::vector<engine::RouteAnswer>(100);
    std::atomic<int> answered{0};
    std::optional<engine::PublishQueue> queue;

    Waiting() { queue.emplace(spec, sessions, 0, broker); }
    ~Waiting() { broker.hold(false); }

    void push(std::size_t number, const std::string &body, std::optional<Clock::time_point> deadline = {}) {
        engine::PublishQueue::Item item;
        item.id = event::Uuid::random();
        store::OutboxEntry event;
        event.topic = kTopic;
        event.envelope = body;
        item.events.push_back(event);
        item.answer.status = 202;
        item.deadline = deadline;
        item.done = [this, number](engine::RouteAnswer answer) {
            const std::lock_guard lock(mutex);
            answers[number] = std::move(answer);
            ++answered;
        };
        queue->push(std::move(item));
    }
    bool all_answered(int count) const {
        return eventually([&] { return answered == count; }, std::chrono::seconds(30));
    }
    std::vector<std::string> published() const {
        std::vector<std::string> bodies;
        for (const broker::Message &message : real->browse({kTopic, 0}, std::nullopt, 1000)) {
            bodies.push_back(message.body);
        }
        return bodies;
    }
};

} // namespace

TEST_CASE("a message that the broker refuses fails its own request, and none of those that wait beside it") {
    Waiting waiting;
    broker::TopicOptions small;
    small.max_bytes = 20'000;
    waiting.real->configure_topic(kTopic, small);
    waiting.broker.hold(true);
    waiting.push(0, "first");
    REQUIRE(waiting.broker.holds(1)); // the others go together
    std::vector<std::string> expected{"first"};
    for (std::size_t i = 1; i <= 40; ++i) {
        const bool refused = i == 1 || i == 23 || i == 24;
        waiting.push(i, refused ? std::string(30'000, 'x') : std::to_string(i));
        if (!refused) {
            expected.push_back(std::to_string(i));
        }
    }
    waiting.broker.hold(false);
    REQUIRE(waiting.all_answered(41));
    for (std::size_t i = 0; i <= 40; ++i) {
        INFO(i << ": " << waiting.answers[i].code << " " << waiting.answers[i].detail);
        CHECK(waiting.answers[i].status == (i == 1 || i == 23 || i == 24 ? 502 : 202));
    }
    CHECK(waiting.published() == expected); // in their order, each once
}

TEST_CASE("where the domain leaves, what is on its way to the broker is waited for, and what still waits is answered with 503") {
    Waiting waiting;
    waiting.broker.hold(true);
    waiting.push(0, "on its way");
    REQUIRE(waiting.broker.holds(1));
    for (std::size_t i = 1; i <= 5; ++i) {
        waiting.push(i, "waits");
    }
    waiting.queue->end_by(Clock::now());
    waiting.push(6, "too late");
    CHECK(waiting.answered == 1); // at once
    CHECK(waiting.answers[6].status == 503);
    waiting.broker.hold(false);
    waiting.queue.reset(); // and no thread is left
    REQUIRE(waiting.answered == 7);
    CHECK(waiting.answers[0].status == 202);
    for (std::size_t i = 1; i <= 6; ++i) {
        CHECK(waiting.answers[i].status == 503);
        CHECK(waiting.answers[i].code == "domain_leaves");
    }
    CHECK(waiting.published() == std::vector<std::string>{"on its way"});
}

TEST_CASE("what waits is worked off until the domain's time is over, and nothing is taken after that") {
    Waiting waiting;
    waiting.push(0, "before");
    waiting.queue->end_by(Clock::now() + std::chrono::hours(1));
    waiting.push(1, "in time");
    REQUIRE(waiting.all_answered(2));
    waiting.queue->end_by(Clock::now());
    waiting.push(2, "after");
    REQUIRE(waiting.all_answered(3));
    CHECK(waiting.answers[2].status == 503);
    CHECK(waiting.published() == std::vector<std::string>{"before", "in time"});
}

TEST_CASE("what waits for the broker past its client's 504 is not published any more") {
    Waiting waiting;
    waiting.push(0, "late", Clock::now() - std::chrono::milliseconds(1));
    waiting.push(1, "in time", Clock::now() + std::chrono::hours(1));
    REQUIRE(waiting.all_answered(2));
    CHECK(waiting.answers[0].status == 504);
    CHECK(waiting.answers[1].status == 202);
    CHECK(waiting.published() == std::vector<std::string>{"in time"});
}

TEST_CASE("a service that is let go of last by its own thread is taken apart by another, and its client is answered") {
    Desk desk;
    const std::shared_ptr<engine::RouteService> real = desk.board.services().at("desk");
    const engine::Retirement retirement;
    std::atomic<int> status{0};
    {
        engine::RouteService::Setup setup;
        setup.spec = real->spec();
        setup.instance = real->instance();
        setup.broker = desk.broker.get();
        setup.contracts = &desk.contracts;
        const auto service = retirement.hand_out(std::make_unique<engine::RouteService>(setup));
        engine::RouteRequest tell;
        tell.path = "/desk/tell";
        tell.body = R"({"words":"b"})";
        tell.content_type = "application/json";
        const auto &routes = service->routes();
        const auto route = std::find_if(routes.begin(), routes.end(), [](const auto &one) { return one.path == "/desk/tell"; });
        REQUIRE(route != routes.end());
        desk.broker->hold(true);
        service->answer(*route, tell, [service, &status](const engine::RouteAnswer &answer) { status = answer.status; });
        CHECK(desk.broker->holds(1));
    }
    CHECK_FALSE(retirement.wait_until(Clock::now()));
    desk.broker->hold(false);
    CHECK(retirement.wait_until(Clock::now() + std::chrono::seconds(20)));
    CHECK(status == 202);
}
