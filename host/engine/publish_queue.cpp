// SPDX-License-Identifier: Apache-2.0
#include "engine/publish_queue.hpp"

#include "engine/thread_name.hpp"
#include "log/log.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace weir::engine {

namespace {

constexpr std::size_t kWaitingLimit = 10000;
constexpr std::size_t kAtOnce = 1000;
constexpr int kContendedRuns = 20;
constexpr auto kForgetEvery = std::chrono::seconds(60);

void answer(PublishQueue::Item &item, RouteAnswer with) {
    if (item.done) {
        item.done(std::move(with));
        item.done = nullptr;
    }
}

RouteAnswer unavailable(std::string code, std::string detail) {
    RouteAnswer answer = RouteAnswer::problem(503, std::move(code), std::move(detail));
    answer.retry_after = std::chrono::seconds(1);
    return answer;
}

} // namespace

PublishQueue::PublishQueue(const DomainSpec &spec, store::DomainStore &store, std::uint32_t request_table, broker::Broker &broker)
    : spec_(spec), store_(store), request_table_(request_table), broker_(broker), forget_at_(std::chrono::steady_clock::now()) {}

void PublishQueue::stop() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    if (!thread_.joinable()) {
        return;
    }
    if (thread_.get_id() == std::this_thread::get_id()) {
        thread_.detach();
    } else {
        thread_.join();
    }
}

void PublishQueue::push(Item item, const std::shared_ptr<const void> &owner) {
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.size() < kWaitingLimit && !stop_) {
            if (!thread_.joinable()) {
                thread_ = std::thread([this, owner] { loop(); });
            }
            waiting_.push_back(std::move(item));
            item.done = nullptr;
        }
    }
    if (item.done) {
        answer(item, unavailable("too_many_requests_wait", "too many requests wait for the broker; try again later"));
        return;
    }
    changed_.notify_one();
}

void PublishQueue::loop() {
    name_thread("publish", spec_.name);
    for (;;) {
        std::vector<Item> items;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
            if (waiting_.empty()) {
                return;
            }
            const auto count = static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kAtOnce));
            items.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.begin() + count));
            waiting_.erase(waiting_.begin(), waiting_.begin() + count);
        }
        work_off(std::move(items));
    }
}

void PublishQueue::work_off(std::vector<Item> items) {
    note_keys(items);
    std::erase_if(items, [](const Item &item) { return !item.done; });
    publish(items);
    forget_old();
}

/// Answers those under a key that came with another body before, or that can't be noted.
void PublishQueue::note_keys(std::vector<Item> &items) {
    if (std::none_of(items.begin(), items.end(), [](const Item &item) { return item.fingerprint.has_value(); })) {
        return;
    }
    std::string reason;
    for (int run = 0; run < kContendedRuns; ++run) {
        try {
            if (!session_) {
                session_ = store_.open();
            }
            note_keys_once(items);
            return;
        } catch (const store::RunAgain &error) {
            reason = error.what();
            session_->rollback();
        } catch (const store::InDoubt &error) { // to note a key again is harmless
            reason = error.what();
            session_.reset();
        } catch (const std::exception &error) {
            reason = error.what();
            session_.reset();
            break;
        }
    }
    say("Requests under an Idempotency-Key can't be noted, and are answered with 503", reason);
    for (Item &item : items) {
        if (item.fingerprint) {
            answer(item,
                   unavailable("store_unavailable", "the request's Idempotency-Key can't be noted now; try again under the same key"));
        }
    }
}

void PublishQueue::note_keys_once(std::vector<Item> &items) {
    std::map<event::Uuid, event::Uuid> wanted; // sorted, as the store locks them; the first of an id in the batch counts
    for (const Item &item : items) {
        if (item.fingerprint) {
            wanted.emplace(item.id, *item.fingerprint);
        }
    }
    std::vector<event::Uuid> ids;
    for (const auto &[id, fingerprint] : wanted) {
        ids.push_back(id);
    }
    session_->begin({});
    const auto kept = fetch_requests(*session_, request_table_, ids);
    store::TableFlush flush;
    flush.table = request_table_;
    const event::Micros now = event::now();
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (kept[i]) {
            wanted[ids[i]] = kept[i]->fingerprint;
        } else {
            flush.created.push_back(request_row(ids[i], wanted[ids[i]], nullptr, now));
        }
    }
    if (flush.created.empty()) {
        session_->rollback();
    } else {
        session_->flush(std::span(&flush, 1));
        session_->commit();
    }
    for (Item &item : items) {
        if (item.fingerprint && wanted[item.id] != *item.fingerprint) {
            answer(item, RouteAnswer::problem(422, "idempotency_key_reused",
                                              "Idempotency-Key: this key came with another request before; use a new key"));
        }
    }
}

void PublishQueue::publish(std::vector<Item> &items) {
    std::map<std::string, std::vector<broker::Outgoing>> by_topic;
    std::map<std::string, std::vector<std::size_t>> requests;
    for (std::size_t i = 0; i < items.size(); ++i) {
        for (store::OutboxEntry &event : items[i].events) {
            by_topic[event.topic].push_back({std::move(event.key), std::move(event.headers), std::move(event.envelope)});
            requests[event.topic].push_back(i);
        }
    }
    for (const auto &[topic, messages] : by_topic) {
        RouteAnswer failure;
        std::string reason;
        try {
            broker_.publish(topic, messages);
            said_ = false;
            continue;
        } catch (const broker::Misconfigured &error) {
            reason = error.what();
            failure = RouteAnswer::problem(502, "broker_refused", "the broker refuses topic " + topic + "; the operator's log says why");
        } catch (const std::exception &error) {
            reason = error.what();
            failure = unavailable("broker_unavailable",
                                  "the broker of topic " + topic + " can't be reached; try again under the same Idempotency-Key");
        }
        say("What routes publish to " + topic + " isn't taken by the broker, and they are answered with " + std::to_string(failure.status),
            reason);
        for (const std::size_t request : requests[topic]) {
            answer(items[request], failure);
        }
    }
    for (Item &item : items) {
        answer(item, std::move(item.answer));
    }
}

/// Once for an outage, and not once a request.
void PublishQueue::say(const std::string &what, const std::string &reason) {
    if (!std::exchange(said_, true)) {
        log::warn("route.unavailable", what, {{"domain", spec_.name}, {"reason", reason}});
    }
}

void PublishQueue::forget_old() {
    const auto horizon = std::chrono::duration_cast<std::chrono::microseconds>(spec_.options.ledger_horizon).count();
    const auto now = std::chrono::steady_clock::now();
    if (!session_ || horizon <= 0 || now < forget_at_) {
        return;
    }
    forget_at_ = now + kForgetEvery;
    try {
        if (forget_requests(*session_, request_table_, event::now() - horizon) > 0) {
            forget_at_ = now + kForgetEvery / 30;
        }
    } catch (const std::exception &) { // another time; the next request finds out what is wrong
        session_.reset();
    }
}

} // namespace weir::engine
