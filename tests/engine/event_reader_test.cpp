// SPDX-License-Identifier: Apache-2.0
// What becomes of messages that were read while memory runs out: the broker doesn't hand them out a second time.
#include "engine/event_reader.hpp"

#include "engine_fixture.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <new>

namespace {

/// Of this thread: how many allocations still succeed; -1: all.
thread_local std::int64_t allocations_left = -1;
std::atomic<int> failed_allocations{0};

void *allocate(std::size_t size) {
    if (allocations_left == 0) {
        allocations_left = -1;
        ++failed_allocations;
        throw std::bad_alloc();
    }
    allocations_left -= allocations_left > 0 ? 1 : 0;
    if (void *memory = std::malloc(size > 0 ? size : 1)) {
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
[[gnu::noinline]] void operator delete(void *memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void *memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void *memory, std::size_t) noexcept { std::free(memory); }

using namespace weir;
using namespace weir::test;

namespace {

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

} // namespace

TEST_CASE("whichever allocation fails behind a read, all that was read comes once and in order") {
    const event::Contracts contracts = event::Contracts::built_in();
    std::map<std::string, std::unique_ptr<event::Decoder>> decoders;
    OnceConsumer::Messages messages;
    for (const char *topic : {"items.v1", "others.v1"}) {
        event::Binding binding;
        binding.topic = topic;
        binding.keys = {"/payload/id"};
        decoders.emplace(topic, std::make_unique<event::Decoder>(binding, contracts));
        for (int i = 0; i < 2; ++i) {
            auto message = std::make_shared<event::Message>();
            message->topic = topic;
            message->position = {static_cast<std::uint64_t>(i) + 1, 0};
            message->body = item_event(static_cast<int>(messages.size()), "item.marked.v1", R"({"id":"a","mark":"x"})");
            messages.push_back(std::move(message));
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
            engine::EventReader reader(consumer, decoders, {}, ready, std::make_shared<engine::WorkInHand>());
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
