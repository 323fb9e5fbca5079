// SPDX-License-Identifier: Apache-2.0
#include "engine/outbox_relay.hpp"

#include "engine/thread_name.hpp"
#include "log/log.hpp"

#include <algorithm>
#include <set>

namespace weir::engine {

namespace {
constexpr std::size_t kAtOnce = 1000;
constexpr auto kLook = std::chrono::milliseconds(1000); // for entries of other hosts, and for a lease that became free
constexpr auto kFirstBackoff = std::chrono::milliseconds(50);
constexpr auto kLastBackoff = std::chrono::milliseconds(5000);
const std::string kLeaseName = "$outbox"; // no topic is called that
} // namespace

OutboxRelay::OutboxRelay(const DomainSpec &spec, store::DomainStore &store, broker::Broker &broker)
    : spec_(spec), store_(store), broker_(broker), thread_([this] { loop(); }) {}

OutboxRelay::~OutboxRelay() {
    stop_ = true;
    bell_.ring();
    thread_.join();
}

std::string OutboxRelay::error() const {
    const std::lock_guard lock(mutex_);
    return error_;
}

void OutboxRelay::say(const std::string &error) {
    const std::lock_guard lock(mutex_);
    if (error_ != error) {
        error_ = error;
        if (error.empty()) {
            log::info("outbox.published", "The outbox is published again", {{"domain", spec_.name}});
        } else {
            log::error("outbox.waiting", "Emitted events can't be published; they wait in the outbox",
                       {{"domain", spec_.name}, {"reason", error}});
        }
    }
}

void OutboxRelay::loop() {
    name_thread("relay", spec_.name);
    auto backoff = kFirstBackoff;
    std::unique_ptr<store::Session> session;
    for (;;) {
        const bool last = stop_;
        const std::uint64_t rung = rung_;
        try {
            if (!session) {
                session = store_.open();
                lease_.reset();
            }
            const bool more = hold_lease(*session) && publish_some(*session) == kAtOnce;
            if (more && !last) {
                continue;
            }
            if (session->outbox(1).empty()) { // also where another host publishes
                done_ = rung;
            }
            say("");
            backoff = kFirstBackoff;
            if (last) {
                if (lease_) {
                    session->release_leases(std::span(&*lease_, 1));
                }
                return;
            }
            bell_.wait_for(kLook);
        } catch (const store::Fenced &) {
            lease_.reset();
            session->rollback();
        } catch (const std::exception &failure) {
            ++rung_;           // something is left
            if (publishing_) { // the store's own failures are the domain's to tell
                say(failure.what());
                publishing_ = false;
            }
            session.reset();
            if (last) {
                return; // what is left is published by the next start
            }
            bell_.wait_for(backoff);
            backoff = std::min(backoff * 2, kLastBackoff);
        }
    }
}

bool OutboxRelay::hold_lease(store::Session &session) {
    const auto now = std::chrono::steady_clock::now();
    if (!lease_) {
        lease_ = session.acquire_lease(kLeaseName, 0, spec_.consumer, spec_.options.lease_time_to_live);
        renew_at_ = now + spec_.options.lease_time_to_live / 3;
    } else if (now >= renew_at_) {
        session.renew_leases(std::span(&*lease_, 1), spec_.options.lease_time_to_live);
        renew_at_ = now + spec_.options.lease_time_to_live / 3;
    }
    return lease_.has_value();
}

// Stretches of one topic go out in one call, in the outbox's order, and leave it at once. A topic that the broker refuses holds up itself
// alone.
std::size_t OutboxRelay::publish_some(store::Session &session) {
    std::vector<store::OutboxEntry> entries = session.outbox(kAtOnce);
    std::set<std::string> refused;
    std::string reason;
    for (auto from = entries.begin(); from != entries.end();) {
        const auto to = std::find_if(from, entries.end(), [&](const store::OutboxEntry &entry) { return entry.topic != from->topic; });
        if (!refused.contains(from->topic)) {
            try {
                publish_stretch(session, std::span(from, to));
            } catch (const broker::Misconfigured &failure) {
                refused.insert(from->topic);
                reason = "topic " + from->topic + ": " + failure.what();
            }
        }
        from = to;
    }
    if (!refused.empty()) {
        publishing_ = true;
        throw broker::Misconfigured(reason);
    }
    return entries.size();
}

void OutboxRelay::publish_stretch(store::Session &session, std::span<store::OutboxEntry> entries) {
    std::vector<broker::Outgoing> messages;
    std::vector<std::int64_t> ids;
    for (store::OutboxEntry &entry : entries) {
        messages.push_back({entry.key, entry.headers, std::move(entry.envelope)});
        ids.push_back(entry.id);
    }
    publishing_ = true;
    broker_.publish(entries.front().topic, messages);
    publishing_ = false;
    session.begin(std::span(&*lease_, 1));
    session.remove_outbox(ids);
    session.commit();
}

} // namespace weir::engine
