// SPDX-License-Identifier: Apache-2.0
// How far a domain reads ahead; and what becomes of messages that were read while memory runs out: the broker doesn't hand them out a
// second time.
#include "engine/event_reader.hpp"

#include "engine_fixture.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <malloc.h>
#include <new>
#include <stdexcept>

namespace {

/// Of this thread: how many allocations still succeed; -1: all.
thread_local std::int64_t allocations_left = -1;
std::atomic<int> failed_allocations{0};
std::atomic<std::int64_t> allocated_bytes{0}; ///< of the whole program, as they are now

void release(void *memory) {
    allocated_bytes -= memory ? static_cast<std::int64_t>(malloc_usable_size(memory)) : 0;
    std::free(memory);
}

void *allocate(std::size_t size) {
    if (allocations_left == 0) {
        allocations_left = -1;
        ++failed_allocations;
        throw std::bad_alloc();
    }
    allocations_left -= allocations_left > 0 ? 1 : 0;
    if (void *memory = std::malloc(size > 0 ? size : 1)) {
        allocated_bytes += static_cast<std::int64_t>(malloc_usable_size(memory));
        return memory;
    }
    throw std::bad_alloc();
}

} // namespace

// Inlined, the compiler takes what new made and free takes back for a mistake.
[[gnu::noinline]] void *operator new(std::size_t size) { return allocate(size); }
[[gnu::noinline]] void *operator new[](std::size_t size) { return allocate(size); }
[[gnu::noinline]] void *operator new(std::size_t size, const std::nothrow_t &) noexcept { return std::malloc(size > 0 ? size : 1); }
[[gnu::noinline]] void *operator new[](std::size_t size, const std::nothrow_t &) noexcept { return std::malloc(size > 0 ? size : 1); }
[[gnu::noinline]] void operator delete(void *memory, const std::nothrow_t &) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void *memory, const std::nothrow_t &) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void *memory) noexcept { release(memory); }
[[gnu::noinline]] void operator delete[](void *memory) noexcept { release(memory); }
[[gnu::noinline]] void operator delete(void *memory, std::size_t) noexcept { release(memory); }
[[gnu::noinline]] void operator delete[](void *memory, std::size_t) noexcept { release(memory); }

using namespace weir;
using namespace weir::test;

namespace {

std::shared_ptr<const event::Message> message_of(const std::string &topic, std::uint64_t position, int number) {
    auto message = std::make_shared<event::Message>();
    message->topic = topic;
    message->position = {position, 0};
    message->body = item_event(number, "item.marked.v1", R"({"id":"a","mark":"x"})");
    return message;
}

/// Hands out what it was given, once; the thread that read it has so many allocations left then.
class OnceConsumer final : public broker::Consumer {
public:
    using Messages = std::vector<std::shared_ptr<const event::Message>>;
    OnceConsumer(Messages messages, std::int64_t allocations) : messages_(std::move(messages)), allocations_(allocations) {}

    std::vector<broker::Partition> partitions() override { return {}; }
    std::string incarnation(const broker::Partition &) override { return {}; }
    void claim(const broker::Partition &, std::optional<broker::Position>) override {}
    void release(const broker::Partition &) override {}
    Messages read(const broker::ReadLimits &, std::chrono::milliseconds wait) override {
        allocations_left = -1;
        Messages given = std::move(messages_);
        messages_.clear();
        if (given.empty()) {
            bell_.wait_for(wait);
            return given;
        }
        allocations_left = allocations_;
        return given;
    }
    void ack(std::span<const std::shared_ptr<const event::Message>>) override {}
    void renew(std::chrono::milliseconds) override {}
    std::vector<broker::PartitionLag> lag() override { return {}; }
    void wake() override { bell_.ring(); }

private:
    Messages messages_;
    const std::int64_t allocations_;
    engine::Wakeup bell_;
};

/// Has as many messages as it is asked for, while it isn't dry; notes how many waited to be taken when it was asked.
class FullConsumer final : public broker::Consumer {
public:
    using Messages = std::vector<std::shared_ptr<const event::Message>>;

    std::vector<broker::Partition> partitions() override { return {}; }
    std::string incarnation(const broker::Partition &) override { return {}; }
    void claim(const broker::Partition &, std::optional<broker::Position>) override {}
    void release(const broker::Partition &) override {}
    Messages read(const broker::ReadLimits &limits, std::chrono::milliseconds wait) override {
        if (is_dry) {
            ++dry_reads;
            bell_.wait_for(wait);
            return {};
        }
        if (is_broken) {
            throw std::runtime_error("the broker is away");
        }
        most_waiting = std::max<std::int64_t>(most_waiting, handed_out - taken);
        last_asked = static_cast<std::int64_t>(limits.max_messages);
        Messages messages;
        for (std::size_t i = 0; i < limits.max_messages; ++i) {
            const int number = static_cast<int>(++handed_out);
            messages.push_back(message_of("items.v1", static_cast<std::uint64_t>(number), number));
        }
        return messages;
    }
    void ack(std::span<const std::shared_ptr<const event::Message>>) override {}
    void renew(std::chrono::milliseconds) override {}
    std::vector<broker::PartitionLag> lag() override { return {}; }
    void wake() override { bell_.ring(); }

    std::atomic<bool> is_dry{false};
    std::atomic<bool> is_broken{false};
    std::atomic<int> dry_reads{0};
    std::atomic<std::int64_t> handed_out{0};
    std::atomic<std::int64_t> taken{0}; ///< the test says so, before it takes
    std::atomic<std::int64_t> most_waiting{0};
    std::atomic<std::int64_t> last_asked{0};

private:
    engine::Wakeup bell_;
};

std::map<std::string, std::unique_ptr<event::Decoder>> item_decoders(const event::Contracts &contracts,
                                                                     const std::vector<std::string> &topics) {
    std::map<std::string, std::unique_ptr<event::Decoder>> decoders;
    for (const std::string &topic : topics) {
        event::Binding binding;
        binding.topic = topic;
        binding.keys = {"/payload/id"};
        decoders.emplace(topic, std::make_unique<event::Decoder>(binding, contracts));
    }
    return decoders;
}

/// Reads with a batch of 80 and reads of 40, takes 400 events one by one, each time when all that may wait does.
void read_ahead(FullConsumer &consumer, const std::shared_ptr<engine::BatchesUnderWay> &under_way, std::size_t waiting) {
    const event::Contracts contracts = event::Contracts::built_in();
    const auto decoders = item_decoders(contracts, {"items.v1"});
    engine::EventReader::Limits limits;
    limits.batch_events = 80;
    limits.read_events = 40;
    engine::Wakeup ready;
    const auto in_hand = std::make_shared<engine::WorkInHand>();
    engine::EventReader reader(consumer, decoders, limits, ready, in_hand, under_way);
    for (int i = 0; i < 400; ++i) {
        REQUIRE(eventually([&] { return in_hand->events() >= waiting; }));
        ++consumer.taken;
        REQUIRE(reader.take(1, 1u << 20).size() == 1);
    }
}

} // namespace

TEST_CASE("a domain reads a batch ahead, and where others are busy as well half a batch") {
    auto under_way = std::make_shared<engine::BatchesUnderWay>(2);
    engine::BatchesUnderWay::Busy one(under_way);
    engine::BatchesUnderWay::Busy other(under_way);
    FullConsumer consumer;
    SECTION("alone") {
        read_ahead(consumer, under_way, 80);
        CHECK(consumer.most_waiting < 80);
        CHECK(consumer.last_asked == 40);
    }
    SECTION("two others are busy, and so is it after its first read") {
        one.say(true);
        other.say(true);
        read_ahead(consumer, under_way, 40);
        CHECK(consumer.most_waiting < 40);
        CHECK(consumer.last_asked == 20);
    }
    CHECK_FALSE(under_way->is_crowded()); // a reader that is gone isn't busy
}

TEST_CASE("an event that waits takes little more memory than its values") {
    const event::Contracts contracts = event::Contracts::built_in();
    const auto decoders = item_decoders(contracts, {"items.v1"});
    auto message = std::make_shared<event::Message>(*message_of("items.v1", 1, 1));
    message->body =
        R"({"event_id":"3ea7b652-b081-48c1-b1e2-7baff3d39f98","event_type":"item.marked.v1","occurred_at":"2026-01-01T00:00:00Z",)"
        R"("tenant_id":"a7d966eb-3165-4fc1-a2c1-347a546705f3","correlation_id":"e1536f3e-771c-4541-a4ca-112ebdaac8b7",)"
        R"("schema_version":1,"payload":{"id":"f67cffd9-046c-44e4-9dde-a7d0875f2a24","mark":"x","note":"y"}})";
    constexpr std::int64_t kEvents = 100;
    std::vector<std::shared_ptr<const event::Event>> events;
    events.reserve(kEvents);
    const std::int64_t before = allocated_bytes;
    for (std::int64_t i = 0; i < kEvents; ++i) {
        events.push_back(std::make_shared<const event::Event>(decoders.at("items.v1")->decode(message)));
    }
    const std::int64_t bytes = (allocated_bytes - before) / kEvents;
    REQUIRE_FALSE(events.front()->refusal);
    // The event itself, two texts and a key; ten values of 32 bytes, and what holds them.
    const std::int64_t most = static_cast<std::int64_t>(sizeof(event::Event)) + 200 + 10 * 32 + 200;
    CAPTURE(bytes, most);
    CHECK(bytes <= most);
}

TEST_CASE("a domain is busy while more is read than it takes, and no longer when it has caught up") {
    const event::Contracts contracts = event::Contracts::built_in();
    const auto decoders = item_decoders(contracts, {"items.v1"});
    auto under_way = std::make_shared<engine::BatchesUnderWay>(2);
    engine::BatchesUnderWay::Busy other(under_way);
    other.say(true);
    FullConsumer consumer;
    engine::EventReader::Limits limits;
    limits.read_wait = std::chrono::milliseconds(10);
    engine::Wakeup ready;
    engine::EventReader reader(consumer, decoders, limits, ready, std::make_shared<engine::WorkInHand>(), under_way);
    REQUIRE(eventually([&] { return under_way->is_one_each(); }));
    consumer.is_dry = true;
    REQUIRE(eventually([&] {
        reader.take(1000, 4u << 20);
        return !under_way->is_one_each();
    }));
}

TEST_CASE("a domain whose few events are large is busy while half of a batch's bytes wait, and no longer below an eighth") {
    const event::Contracts contracts = event::Contracts::built_in();
    const auto decoders = item_decoders(contracts, {"items.v1"});
    auto under_way = std::make_shared<engine::BatchesUnderWay>(2);
    engine::BatchesUnderWay::Busy other(under_way);
    other.say(true);
    FullConsumer consumer;
    engine::EventReader::Limits limits;
    limits.read_events = 1;
    limits.read_wait = std::chrono::milliseconds(10);
    limits.batch_bytes = 16 * message_of("items.v1", 1, 1)->bytes();
    engine::Wakeup ready;
    const auto in_hand = std::make_shared<engine::WorkInHand>();
    engine::EventReader reader(consumer, decoders, limits, ready, in_hand, under_way);
    REQUIRE(eventually([&] { return in_hand->events() >= 16; }));
    CHECK(under_way->is_one_each()); // with 16 events of a batch of 1,000
    consumer.is_dry = true;
    REQUIRE(eventually([&] {
        if (in_hand->events() >= 16) {
            reader.take(1, 1u << 20);
        }
        return consumer.dry_reads > 0;
    }));
    while (in_hand->events() > 2) {
        reader.take(1, 1u << 20);
    }
    const int before = consumer.dry_reads;
    REQUIRE(eventually([&] { return consumer.dry_reads > before + 1; })); // it has looked at what is left
    CHECK(under_way->is_one_each());
    reader.take(1, 1u << 20);
    CHECK(eventually([&] { return !under_way->is_one_each(); }));
}

TEST_CASE("a domain that is paused is not busy, however much it has read, and is again when it goes on") {
    const event::Contracts contracts = event::Contracts::built_in();
    const auto decoders = item_decoders(contracts, {"items.v1"});
    auto under_way = std::make_shared<engine::BatchesUnderWay>(2);
    engine::BatchesUnderWay::Busy other(under_way);
    other.say(true);
    FullConsumer consumer;
    engine::EventReader::Limits limits;
    limits.read_wait = std::chrono::milliseconds(10);
    engine::Wakeup ready;
    const auto in_hand = std::make_shared<engine::WorkInHand>();
    engine::EventReader reader(consumer, decoders, limits, ready, in_hand, under_way);
    REQUIRE(eventually([&] { return under_way->is_one_each(); }));
    reader.pause(true);
    REQUIRE(eventually([&] { return !under_way->is_one_each(); }));
    const std::size_t waiting = in_hand->events();
    CHECK(waiting >= limits.batch_events);
    reader.take(600, 4u << 20); // what waits is taken all the same, and nothing is read for it
    CHECK(in_hand->events() == waiting - 600);
    CHECK_FALSE(under_way->is_one_each());
    reader.pause(false);
    CHECK(eventually([&] { return under_way->is_one_each(); }));
}

TEST_CASE("a domain whose broker is away is not busy once it has done what it had read") {
    const event::Contracts contracts = event::Contracts::built_in();
    const auto decoders = item_decoders(contracts, {"items.v1"});
    auto under_way = std::make_shared<engine::BatchesUnderWay>(2);
    engine::BatchesUnderWay::Busy other(under_way);
    other.say(true);
    FullConsumer consumer;
    engine::Wakeup ready;
    engine::EventReader reader(consumer, decoders, {}, ready, std::make_shared<engine::WorkInHand>(), under_way);
    REQUIRE(eventually([&] { return under_way->is_one_each(); }));
    consumer.is_broken = true;
    REQUIRE(eventually([&] {
        reader.take(1000, 4u << 20);
        return !under_way->is_one_each();
    }));
    consumer.is_broken = false;
    CHECK(eventually([&] { return under_way->is_one_each(); }));
}

TEST_CASE("whichever allocation fails behind a read, all that was read comes once and in order") {
    const event::Contracts contracts = event::Contracts::built_in();
    const auto decoders = item_decoders(contracts, {"items.v1", "others.v1"});
    OnceConsumer::Messages messages;
    for (const char *topic : {"items.v1", "others.v1"}) {
        for (int i = 0; i < 2; ++i) {
            messages.push_back(message_of(topic, static_cast<std::uint64_t>(i) + 1, static_cast<int>(messages.size())));
        }
    }
    bool has_failed = true;
    std::int64_t allocations = 0;
    for (; has_failed && allocations < 1000; ++allocations) {
        INFO(allocations);
        const int before = failed_allocations;
        OnceConsumer consumer(messages, allocations);
        engine::Wakeup ready;
        std::vector<engine::EventReader::Read> taken;
        {
            engine::EventReader reader(consumer, decoders, {}, ready, std::make_shared<engine::WorkInHand>(),
                                       std::make_shared<engine::BatchesUnderWay>());
            REQUIRE(eventually([&] {
                for (engine::EventReader::Read &one : reader.take(1, 1u << 20)) {
                    taken.push_back(std::move(one));
                }
                return taken.size() >= messages.size();
            }));
            CHECK(reader.empty());
        }
        REQUIRE(taken.size() == messages.size());
        for (std::size_t i = 0; i < messages.size(); ++i) {
            CHECK(taken[i].event->message == messages[i]);
        }
        has_failed = failed_allocations > before;
    }
    CHECK_FALSE(has_failed);
    CHECK(allocations > 10);
}
