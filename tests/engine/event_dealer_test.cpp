// SPDX-License-Identifier: Apache-2.0
// How much a shard takes from the reader for others, and how much it leaves with keys that wait in them.
#include "engine/event_dealer.hpp"

#include "engine_fixture.hpp"

#include <catch2/catch.hpp>

#include <condition_variable>
#include <mutex>

using namespace weir;
using namespace weir::test;

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kMost = 10; ///< events of a batch

/// Hands out what it was given, once.
class GivenConsumer final : public broker::Consumer {
public:
    using Messages = std::vector<std::shared_ptr<const event::Message>>;

    void give(Messages messages) {
        {
            const std::lock_guard lock(mutex_);
            given_ = std::move(messages);
        }
        bell_.ring();
    }

    std::vector<broker::Partition> partitions() override { return {}; }
    std::string incarnation(const broker::Partition &) override { return {}; }
    void claim(const broker::Partition &, std::optional<broker::Position>) override {}
    void release(const broker::Partition &) override {}
    Messages read(const broker::ReadLimits &, std::chrono::milliseconds wait) override {
        {
            const std::lock_guard lock(mutex_);
            if (!given_.empty()) {
                return std::exchange(given_, {});
            }
        }
        bell_.wait_for(wait);
        return {};
    }
    void ack(std::span<const std::shared_ptr<const event::Message>>) override {}
    void renew(std::chrono::milliseconds) override {}
    std::vector<broker::PartitionLag> lag() override { return {}; }
    void wake() override { bell_.ring(); }

private:
    std::mutex mutex_;
    Messages given_;
    engine::Wakeup bell_;
};

/// The handler of a batch that runs waits for this.
std::mutex open_mutex;
std::condition_variable opened;
bool is_open = true;

void open(bool to) {
    const std::lock_guard lock(open_mutex);
    is_open = to;
    opened.notify_all();
}

weir_status wait_and_append(void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
    {
        std::unique_lock lock(open_mutex);
        opened.wait(lock, [] { return is_open; });
    }
    return handlers::append(instance, event, call);
}

/// Two shards whose batches nobody runs, unless they are told to, and what deals events out to them.
struct Field {
    EngineFixture fixture;
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    std::unique_ptr<store::DomainStore> store = fixture.store->domain("items");
    std::map<std::string, std::unique_ptr<event::Decoder>> decoders;
    GivenConsumer consumer;
    engine::Wakeup bell;
    std::shared_ptr<engine::BatchesUnderWay> under_way = std::make_shared<engine::BatchesUnderWay>(2);
    std::shared_ptr<engine::WorkInHand> in_hand = std::make_shared<engine::WorkInHand>();
    std::unique_ptr<engine::EventReader> reader;
    std::unique_ptr<engine::PartitionKeeper> partitions;
    std::unique_ptr<engine::OutboxRelay> relay;
    std::vector<std::unique_ptr<engine::Shard>> shards;
    std::unique_ptr<engine::EventDealer> dealer;
    const std::shared_ptr<TestModule> module = std::make_shared<TestModule>(
        items_plugin(), std::map<std::string, weir_handler_v1, std::less<>>{{"item.marked.v1", wait_and_append}});
    int made = 0;

    ~Field() { open(true); }
    explicit Field(std::size_t hold_max_events = 10'000) {
        spec.options.hold_max_events = hold_max_events;
        event::Binding binding;
        binding.topic = "items.v1";
        binding.keys = {"/payload/id"};
        decoders.emplace("items.v1", std::make_unique<event::Decoder>(binding, fixture.contracts));
        for (int i = 0; i < 2; ++i) {
            shards.push_back(std::make_unique<engine::Shard>(*store, bell, "items", *under_way, true));
        }
        engine::EventReader::Limits limits;
        limits.read_wait = std::chrono::milliseconds(10);
        reader = std::make_unique<engine::EventReader>(consumer, decoders, limits, bell, in_hand, under_way);
        partitions = std::make_unique<engine::PartitionKeeper>(spec, consumer, *reader, [] {});
        dealer = std::make_unique<engine::EventDealer>(spec, *reader, *partitions, fixture.budget,
                                                       [](std::span<const event::Uuid>, bool) { return std::vector<store::Attempts>(); });
    }

    std::shared_ptr<const event::Message> message(const std::string &key, std::size_t extra_bytes = 0) {
        auto made_one = std::make_shared<event::Message>();
        made_one->topic = "items.v1";
        made_one->position = {static_cast<std::uint64_t>(++made), 0};
        made_one->body =
            item_event(made, "item.marked.v1", R"({"id":")" + key + R"(","mark":"x","more":")" + std::string(extra_bytes, 'm') + "\"}");
        return made_one;
    }
    /// What is read from now on, until all of it is.
    void read(const GivenConsumer::Messages &messages) {
        const std::size_t before = in_hand->events();
        consumer.give(messages);
        REQUIRE(eventually([&] { return in_hand->events() == before + messages.size(); }));
    }
    void read(const std::string &key, int number) {
        GivenConsumer::Messages messages;
        for (int i = 0; i < number; ++i) {
            messages.push_back(message(key));
        }
        read(messages);
    }
    std::vector<engine::WorkPtr> assemble(std::size_t shard) { return dealer->assemble(shards, *shards[shard], kMost); }

    /// A key whose events go to this shard, found by dealing one out.
    std::string key_of(std::size_t shard) {
        for (int i = 0; i < 100; ++i) {
            const std::string key = "key " + std::to_string(made);
            read(key, 1);
            const std::size_t got = assemble(0).empty() ? 1 : 0;
            if (got == 1) {
                REQUIRE(assemble(1).size() == 1);
            }
            if (got == shard) {
                return key;
            }
        }
        FAIL("all keys are of one shard");
        return {};
    }
    /// An event of this key waits in the shard's gate.
    engine::WorkPtr wait_in(std::size_t shard, const std::string &key, Clock::time_point when) {
        read(key, 1);
        std::vector<engine::WorkPtr> batch = assemble(0);
        batch = batch.empty() ? assemble(1) : batch;
        REQUIRE(batch.size() == 1);
        shards[shard]->gate().wait_until(batch.front(), when);
        return batch.front();
    }
    /// Begins a batch, which ends when `open`.
    void run(std::size_t shard, std::vector<engine::WorkPtr> batch) {
        const plugin::Description &about = module->description();
        store->migrate(about.schema);
        std::string reason;
        engine::HandlerLanes::Setup setup;
        setup.instance = plugin::Instance::create(module, "items", "items", "{}", reason);
        setup.marks = std::make_shared<engine::CrashMarks>(fixture.directory / "marks", "items");
        setup.domain = "items";
        setup.budget = std::chrono::minutes(10);
        relay = std::make_unique<engine::OutboxRelay>(spec, *store, *fixture.broker);
        shards[shard]->serve(std::make_unique<engine::HandlerLanes>(std::move(setup)),
                             [&](engine::HandlerLanes &lanes, engine::KeyGate &gate) {
                                 return std::make_unique<engine::BatchCycle>(spec, about, lanes, gate, *partitions, *relay);
                             });
        open(false);
        shards[shard]->start(std::move(batch), {});
    }
    std::size_t held(std::size_t shard) const { return shards[shard]->gate().events(); }
};

constexpr auto kLater = std::chrono::hours(1);

} // namespace

TEST_CASE("a shard lays aside for another what makes one batch of each, and no more however often it asks") {
    Field field;
    const std::string mine = field.key_of(0);
    const std::string others = field.key_of(1);
    SECTION("by events") {
        field.read(others, 100);
        for (int i = 0; i < 5; ++i) {
            CHECK(field.assemble(0).empty());
        }
        CHECK(field.shards[1]->queue().size() == 2 * kMost);
        CHECK(field.in_hand->events() == 100 - 2 * kMost);
        CHECK(field.assemble(1).size() == kMost); // then there is room again
        field.assemble(0);
        CHECK(field.shards[1]->queue().size() == 2 * kMost);
    }
    SECTION("by bytes") {
        constexpr std::size_t kLarge = 10'000;
        field.spec.options.batch_max_bytes = 3 * kLarge;
        GivenConsumer::Messages messages;
        for (int i = 0; i < 30; ++i) {
            messages.push_back(field.message(others, kLarge));
        }
        field.read(messages);
        for (int i = 0; i < 5; ++i) {
            CHECK(field.assemble(0).empty());
        }
        std::size_t bytes = 0;
        for (const engine::WorkPtr &work : field.shards[1]->queue()) {
            bytes += work->event->message->bytes();
        }
        CHECK(bytes > 3 * kLarge);
        CHECK(bytes <= 6 * kLarge + messages.front()->bytes()); // one always may come
    }
    SECTION("and gets its own from behind it when the other has taken a batch") {
        field.read(others, 25);
        field.read(mine, 5);
        CHECK(field.assemble(0).empty());
        CHECK(field.assemble(1).size() == kMost);
        CHECK(field.assemble(0).size() == 5);
    }
}

TEST_CASE("a shard brings to a key that waits in another no more than a batch at once where the other is at work, and else all") {
    Field field;
    const std::string waiting = field.key_of(1);
    const std::string free = field.key_of(0);
    SECTION("the other has something to run") {
        field.wait_in(1, waiting, Clock::now());
        field.dealer->use(field.shards, 1);
        field.read(waiting, 100);
        field.read(free, 5);
        CHECK(field.assemble(0).empty());
        CHECK(field.held(1) == 1 + kMost);
        CHECK(field.assemble(1).size() == kMost); // the one that waited, and those behind it
        CHECK(field.assemble(0).size() == 5);     // what it has taken isn't due once more: everything may follow it
        CHECK(field.held(1) == 1 + 100);
    }
    SECTION("the other runs a batch") {
        field.read(waiting, 1);
        CHECK(field.assemble(0).empty());
        std::vector<engine::WorkPtr> batch = field.assemble(1);
        REQUIRE(batch.size() == 1);
        field.wait_in(1, waiting, Clock::now() + kLater);
        field.run(1, std::move(batch));
        field.dealer->use(field.shards, 1);
        field.read(waiting, 100);
        field.read(free, 5);
        CHECK(field.assemble(0).empty());
        CHECK(field.held(1) == 1 + kMost);
        open(true);
        field.shards[1]->wait();
        engine::Counts counts;
        CHECK(field.shards[1]->look(counts).decided.size() == 1);
        CHECK(field.assemble(0).size() == 5);
        CHECK(field.held(1) == 1 + 100);
    }
    SECTION("the other has nothing to run, so that nobody would ask again") {
        field.wait_in(1, waiting, Clock::now() + kLater);
        field.dealer->use(field.shards, 1);
        field.read(waiting, 100);
        field.read(free, 5);
        CHECK(field.assemble(0).size() == 5);
        CHECK(field.held(1) == 1 + 100);
    }
    SECTION("the key waits in its own gate, for the other's turn must not wait for that") {
        field.wait_in(1, waiting, Clock::now()); // at work
        const engine::WorkPtr own = field.wait_in(0, free, Clock::now() + kLater);
        field.dealer->use(field.shards, 1);
        field.read(free, 100);
        field.read("another", 5);
        CHECK(field.assemble(0).size() == 5);
        CHECK(field.held(0) == 1 + 100);
    }
}

TEST_CASE("what is held for keys that wait is bounded over all shards, and what isn't due stays unread beyond it") {
    constexpr std::size_t kHeld = 30;
    Field field(kHeld);
    const std::string waiting = field.key_of(1);
    const bool by_bytes = GENERATE(false, true);
    CAPTURE(by_bytes);
    const engine::WorkPtr head = field.wait_in(1, waiting, Clock::now() + kLater);
    if (by_bytes) {
        field.spec.options.hold_max_events = 10'000;
        field.spec.options.hold_max_bytes = kHeld * head->event->message->bytes();
    }
    field.dealer->use(field.shards, 1);
    field.read(waiting, 100);
    for (int i = 0; i < 5; ++i) {
        CHECK(field.assemble(0).empty());
    }
    CHECK(field.held(1) == kHeld);
    CHECK(field.in_hand->events() + field.shards[0]->queue().size() == 100 - (kHeld - 1));
    // What is due runs all the same, and makes room.
    field.shards[1]->gate().wait_until(head, Clock::now());
    const std::vector<engine::WorkPtr> due = field.assemble(1);
    REQUIRE(due.size() == kMost);
    CHECK(due.front() == head);
    for (const engine::WorkPtr &work : due) {
        field.shards[1]->gate().decided(work);
    }
    CHECK(field.assemble(0).empty());
    CHECK(field.held(1) == kHeld);
}

TEST_CASE("in a parallel domain any shard takes any event, but a copy goes to the shard where the first lies or waits") {
    Field field;
    field.spec.parallel = true;
    GivenConsumer::Messages messages;
    for (std::size_t i = 0; i < 2 * kMost; ++i) {
        messages.push_back(field.message("any"));
    }
    field.read(messages);
    const std::vector<engine::WorkPtr> batch = field.assemble(0);
    REQUIRE(batch.size() == kMost);
    REQUIRE(field.shards[0]->queue().size() == kMost);
    const auto copy_of = [&](const event::Message &first) {
        auto copy = std::make_shared<event::Message>(first);
        copy->position = {static_cast<std::uint64_t>(++field.made), 0};
        return copy;
    };
    const engine::WorkPtr waits = batch.front();
    field.shards[0]->gate().wait_until(waits, Clock::now() + kLater);
    const auto new_one = field.message("any");
    field.read({copy_of(*messages.back()), new_one, copy_of(*waits->event->message)});
    const std::vector<engine::WorkPtr> other = field.assemble(1);
    REQUIRE(other.size() == 1);
    CHECK(other.front()->event->message == new_one);
    CHECK(field.shards[0]->queue().size() == kMost + 2);
    CHECK(field.assemble(0).size() == kMost);
    CHECK(field.assemble(0).size() == 1); // the copy of one that lay there, in whose batch it would be
    CHECK(field.held(0) == 2);            // and the one that waits, with its copy
}
