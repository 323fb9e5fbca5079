// SPDX-License-Identifier: Apache-2.0
#include "http/event_stream.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <utility>
#include <vector>

namespace weir::http {

struct EventChannel::Shared {
    explicit Shared(EventChannelOptions how) : options(std::move(how)) {}

    const EventChannelOptions options;
    mutable std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::shared_ptr<EventStream>> streams;
    std::optional<ServerEvent> newest;
    bool stopping = false;
    std::thread puller;

    void forget_ended() {
        std::erase_if(streams, [](const std::shared_ptr<EventStream> &stream) { return stream->ended(); });
    }
    void publish(const ServerEvent &event);
    void pull();
};

void EventChannel::Shared::publish(const ServerEvent &event) {
    std::vector<std::shared_ptr<EventStream>> to;
    {
        const std::lock_guard lock(mutex);
        newest = event;
        forget_ended();
        to = streams;
    }
    for (const auto &stream : to) {
        stream->send(event);
    }
}

void EventChannel::Shared::pull() {
    pthread_setname_np(pthread_self(), "weir-http-pull");
    std::unique_lock lock(mutex);
    while (!stopping) {
        forget_ended();
        if (streams.empty()) {
            changed.wait(lock);
            continue;
        }
        lock.unlock();
        std::optional<ServerEvent> event;
        try {
            event = options.pull();
        } catch (...) {
            event.reset(); // an outage of what is behind it; clients keep what they have
        }
        if (event) {
            publish(*event);
        }
        lock.lock();
        changed.wait_for(lock, options.every, [this] { return stopping; });
    }
}

EventChannel::EventChannel(EventChannelOptions options) : shared_(std::make_unique<Shared>(std::move(options))) {}

EventChannel::~EventChannel() {
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->stopping = true;
    }
    shared_->changed.notify_all();
    if (shared_->puller.joinable()) {
        shared_->puller.join();
    }
    for (const auto &stream : shared_->streams) {
        stream->end();
    }
}

std::shared_ptr<EventStream> EventChannel::subscribe() {
    const std::lock_guard lock(shared_->mutex);
    shared_->forget_ended();
    if (shared_->stopping || shared_->streams.size() >= shared_->options.max_streams) {
        return nullptr;
    }
    auto stream = std::make_shared<EventStream>(shared_->options.stream);
    if (shared_->newest) {
        stream->send(*shared_->newest);
    }
    shared_->streams.push_back(stream);
    if (shared_->options.pull && !shared_->puller.joinable()) {
        shared_->puller = std::thread([shared = shared_.get()] { shared->pull(); });
    }
    shared_->changed.notify_all();
    return stream;
}

void EventChannel::publish(const ServerEvent &event) { shared_->publish(event); }

std::size_t EventChannel::streams() const {
    const std::lock_guard lock(shared_->mutex);
    shared_->forget_ended();
    return shared_->streams.size();
}

} // namespace weir::http
