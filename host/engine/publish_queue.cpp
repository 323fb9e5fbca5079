// SPDX-License-Identifier: Apache-2.0
#include "engine/publish_queue.hpp"

#include "engine/route_failure.hpp"
#include "engine/thread_name.hpp"
#include "log/log.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <system_error>
#include <utility>

namespace weir::engine {

namespace {

constexpr std::size_t kWaitingLimit = 10000;
constexpr std::size_t kAtOnce = 1000;
constexpr int kContendedRuns = 20;

void answer(PublishQueue::Item &item, RouteAnswer with) {
    if (item.done) {
        item.done(std::move(with));
        item.done = nullptr;
    }
}

RouteAnswer leaving() { return try_again("domain_leaves", "the domain is being stopped; try again under the same Idempotency-Key"); }

/// What of some requests goes to one topic.
class TopicBatch {
public:
    TopicBatch(broker::Broker &broker, std::string topic) : broker_(broker), topic_(std::move(topic)) {}

    void add(std::size_t request, broker::Outgoing message) {
        if (parcels_.empty() || parcels_.back().request != request) {
            parcels_.push_back({request, messages_.size()});
        }
        messages_.push_back(std::move(message));
    }

    /// In the order in which they were added; what is refused is left out, and the others aren't.
    void publish() { publish(0, parcels_.size()); }

    /// By request: what those get whose events the broker didn't take.
    const std::map<std::size_t, RouteAnswer> &failures() const { return failures_; }
    /// Why the last of them failed.
    const std::string &reason() const { return reason_; }

private:
    struct Parcel {
        std::size_t request;
        std::size_t first; ///< of its messages
    };

    void publish(std::size_t from, std::size_t to) {
        if (from == to) {
            return;
        }
        if (is_away_) {
            return fail(from, to, "");
        }
        const std::size_t first = parcels_[from].first;
        const std::size_t end = to < parcels_.size() ? parcels_[to].first : messages_.size();
        try {
            broker_.publish(topic_, std::span(messages_).subspan(first, end - first));
        } catch (const broker::Misconfigured &error) {
            if (to - from == 1) {
                return fail(from, to, error.what());
            }
            const std::size_t middle = from + (to - from) / 2; // the topic, or one message among others
            publish(from, middle);
            publish(middle, to);
        } catch (const std::exception &error) {
            is_away_ = true;
            fail(from, to, error.what());
        }
    }

    void fail(std::size_t from, std::size_t to, const std::string &reason) {
        reason_ = reason.empty() ? reason_ : reason;
        for (std::size_t at = from; at < to; ++at) {
            failures_.emplace(parcels_[at].request,
                              is_away_
                                  ? try_again("broker_unavailable", "the broker of topic " + topic_ +
                                                                        " can't be reached; try again under the same Idempotency-Key")
                                  : RouteAnswer::problem(502, "broker_refused",
                                                         "the broker refuses this for topic " + topic_ + "; the operator's log says why"));
        }
    }

    broker::Broker &broker_;
    const std::string topic_;
    std::vector<broker::Outgoing> messages_;
    std::vector<Parcel> parcels_;
    std::map<std::size_t, RouteAnswer> failures_;
    std::string reason_;
    bool is_away_ = false;
};

} // namespace

PublishQueue::PublishQueue(const DomainSpec &spec, RouteSessions &sessions, std::uint32_t request_table, broker::Broker &broker)
    : spec_(spec), sessions_(sessions), request_table_(request_table), broker_(broker) {}

PublishQueue::~PublishQueue() {
    end_by(Clock::time_point::min());
    if (thread_.joinable()) {
        thread_.join();
    }
}

void PublishQueue::end_by(Clock::time_point when) {
    {
        const std::lock_guard lock(mutex_);
        end_at_ = std::min(end_at_, when);
    }
    changed_.notify_all();
}

void PublishQueue::push(Item item) {
    RouteAnswer refusal = try_again("too_many_requests_wait", "too many requests wait for the broker; try again later");
    try {
        const std::lock_guard lock(mutex_);
        if (Clock::now() >= end_at_) {
            refusal = leaving();
        } else if (waiting_.size() < kWaitingLimit) {
            if (!thread_.joinable()) {
                thread_ = std::thread([this] { loop(); });
            }
            waiting_.push_back(std::move(item));
            item.done = nullptr;
        }
    } catch (const std::system_error &) { // no thread is to be had now
    }
    if (item.done) {
        answer(item, std::move(refusal));
        return;
    }
    changed_.notify_one();
}

void PublishQueue::loop() {
    name_thread("publish", spec_.name);
    std::unique_lock lock(mutex_);
    for (;;) {
        while (waiting_.empty() && Clock::now() < end_at_) {
            end_at_ == Clock::time_point::max() ? changed_.wait(lock) : (void)changed_.wait_until(lock, end_at_);
        }
        const bool is_over = Clock::now() >= end_at_;
        const auto count = static_cast<std::ptrdiff_t>(is_over ? waiting_.size() : std::min(waiting_.size(), kAtOnce));
        std::vector<Item> items(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.begin() + count));
        waiting_.erase(waiting_.begin(), waiting_.begin() + count);
        lock.unlock();
        if (is_over) {
            for (Item &item : items) {
                answer(item, leaving());
            }
            return;
        }
        work_off(std::move(items));
        lock.lock();
    }
}

void PublishQueue::work_off(std::vector<Item> items) {
    const auto drop_late = [&] {
        const auto now = Clock::now();
        for (Item &item : items) {
            if (item.done && item.deadline && now > *item.deadline) {
                answer(item, too_late());
            }
        }
        std::erase_if(items, [](const Item &item) { return !item.done; });
    };
    drop_late();
    note_keys(items); // which may take long
    drop_late();
    publish(items);
}

/// Answers those under a key that came with another body before, that are decided, or that can't be noted.
void PublishQueue::note_keys(std::span<Item> items) {
    if (std::none_of(items.begin(), items.end(), [](const Item &item) { return item.fingerprint.has_value(); })) {
        return;
    }
    std::string reason;
    for (int run = 0; run < kContendedRuns; ++run) {
        try {
            if (!session_) {
                session_ = sessions_.open();
            }
            note_keys_once(items);
            said_.erase("");
            return;
        } catch (const store::RunAgain &error) {
            reason = error.what();
            if (session_) { // else it was refused to open
                session_->rollback();
            }
        } catch (const store::InDoubt &error) { // to note a key again is harmless
            reason = error.what();
            session_.reset();
        } catch (const store::DataRefused &error) {
            session_->rollback();
            return note_refused(items, error.what());
        } catch (const std::exception &error) {
            reason = error.what();
            session_.reset();
            break;
        }
    }
    say("", "Requests under an Idempotency-Key can't be noted, and are answered with 503", reason);
    for (Item &item : items) {
        if (item.fingerprint) {
            answer(item, try_again("store_unavailable", "the request's Idempotency-Key can't be noted now; try again under the same key"));
        }
    }
}

/// The store doesn't take one of these: the others don't suffer for it.
void PublishQueue::note_refused(std::span<Item> items, const std::string &reason) {
    if (items.size() > 1) {
        note_keys(items.first(items.size() / 2));
        note_keys(items.subspan(items.size() / 2));
        return;
    }
    log::error("route.failed", "The store refuses what is to be kept of a request",
               {{"domain", spec_.name}, {"code", "plugin_error"}, {"reason", reason}});
    for (Item &item : items) {
        if (item.fingerprint) {
            answer(item,
                   RouteAnswer::problem(500, "plugin_error", "the plugin that answers this has a fault; the operator's log says which"));
        }
    }
}

void PublishQueue::note_keys_once(std::span<Item> items) {
    struct Request {
        const Item *first = nullptr; ///< of this id among those that wait; it counts
        std::optional<KeptRequest> kept;
    };
    std::map<event::Uuid, Request> requests; // sorted, as the store locks them
    for (const Item &item : items) {
        if (item.fingerprint) {
            requests.emplace(item.id, Request{&item, {}});
        }
    }
    std::vector<event::Uuid> ids;
    for (const auto &[id, request] : requests) {
        ids.push_back(id);
    }
    session_->begin({});
    auto kept = fetch_requests(*session_, request_table_, ids);
    store::TableFlush flush;
    flush.table = request_table_;
    const event::Micros now = event::now();
    for (std::size_t i = 0; i < ids.size(); ++i) {
        Request &request = requests.at(ids[i]);
        request.kept = std::move(kept[i]);
        if (!request.kept) {
            flush.created.push_back(request_row(ids[i], *request.first->fingerprint, request.first->answer, request.first->events, now));
        }
    }
    if (flush.created.empty()) {
        session_->rollback();
    } else {
        session_->flush(std::span(&flush, 1));
        session_->commit();
    }
    for (Item &item : items) {
        if (!item.fingerprint) {
            continue;
        }
        const auto &[first, decided] = requests.at(item.id);
        if ((decided ? decided->fingerprint : *first->fingerprint) != *item.fingerprint) {
            answer(item, key_reused());
        } else if (decided && decided->published.empty()) {
            answer(item, decided->answer);
        } else if (decided || first != &item) { // what its handler makes of it now counts no more
            item.events = decided ? decided->published : first->events;
            item.answer = decided ? decided->answer : first->answer;
        }
    }
}

void PublishQueue::publish(std::vector<Item> &items) {
    std::map<std::string, TopicBatch> batches;
    for (std::size_t i = 0; i < items.size(); ++i) {
        for (store::OutboxEntry &event : items[i].events) {
            batches.try_emplace(event.topic, broker_, event.topic)
                .first->second.add(i, {std::move(event.key), std::move(event.headers), std::move(event.envelope)});
        }
    }
    for (auto &[topic, batch] : batches) {
        batch.publish();
        if (batch.failures().empty()) {
            said_.erase(topic);
            continue;
        }
        const int status = batch.failures().begin()->second.status;
        say(topic, "What routes publish to " + topic + " isn't taken by the broker, and is answered with " + std::to_string(status),
            batch.reason());
        for (const auto &[request, failure] : batch.failures()) {
            answer(items[request], failure);
        }
    }
    for (Item &item : items) {
        answer(item, std::move(item.answer));
    }
}

/// Once for an outage, and not once a request.
void PublishQueue::say(const std::string &of, const std::string &what, const std::string &reason) {
    if (said_.insert(of).second) {
        log::warn("route.unavailable", what, {{"domain", spec_.name}, {"reason", reason}});
    }
}

} // namespace weir::engine
