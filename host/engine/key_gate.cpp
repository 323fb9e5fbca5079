// SPDX-License-Identifier: Apache-2.0
#include "engine/key_gate.hpp"

#include <algorithm>

namespace weir::engine {

// Without an order key an event is a key of its own, and so are its copies with it: they wait for it.
std::string KeyGate::key_of(const Work &work) {
    if (!work.order_key.empty()) {
        return work.order_key;
    }
    const auto &id = work.event->id.bytes;
    return {reinterpret_cast<const char *>(id.data()), id.size()};
}

void KeyGate::count(Work &work, bool add) {
    const std::size_t bytes = work.event->message->bytes();
    work.in_gate = add;
    events_ = add ? events_ + 1 : events_ - 1;
    bytes_ = add ? bytes_ + bytes : bytes_ - bytes;
}

void KeyGate::stop_timer(Held &held) {
    if (held.state == Held::State::timed) {
        timers_.erase(held.timer);
    }
}

// The key's entry with this event at its head; null where another one of the gate is before it, which decides when both run.
KeyGate::Held *KeyGate::entry(const std::string &key, const WorkPtr &head) {
    Held &held = held_[key];
    if (held.queue.empty() || held.queue.front() != head) {
        if (head->in_gate) {
            return nullptr;
        }
        held.queue.push_front(head);
        count(*head, true);
    }
    stop_timer(held);
    return &held;
}

void KeyGate::wait_until(const WorkPtr &work, Clock::time_point when) {
    const std::string key = key_of(*work);
    if (Held *held = entry(key, work)) {
        held->state = Held::State::timed;
        held->when = when;
        held->timer = timers_.emplace(when, key);
    }
}

void KeyGate::wait_for_handler(const WorkPtr &work) {
    if (Held *held = entry(key_of(*work), work)) {
        held->state = Held::State::in_handler;
    }
}

void KeyGate::returned(const WorkPtr &work) {
    const std::string key = key_of(*work);
    const auto found = held_.find(key);
    if (found != held_.end() && found->second.state == Held::State::in_handler && found->second.queue.front() == work) {
        found->second.state = Held::State::free;
        free_.push_back(key);
    }
}

void KeyGate::give_up_handlers() {
    for (auto &[key, held] : held_) {
        for (const WorkPtr &work : held.queue) { // one may have come behind an earlier one that waits
            work->running_alone = false;
        }
        if (held.state == Held::State::in_handler) {
            held.state = Held::State::free;
            free_.push_back(key);
        }
    }
}

bool KeyGate::hold(const WorkPtr &work) {
    if (held_.empty()) {
        return false;
    }
    const auto found = held_.find(key_of(*work));
    if (found == held_.end()) {
        return false;
    }
    found->second.queue.push_back(work);
    count(*work, true);
    return true;
}

void KeyGate::wait_with(const WorkPtr &copy, const WorkPtr &first, Clock::time_point when) {
    const std::string key = key_of(*copy);
    const auto found = held_.find(key);
    if (key == key_of(*first) || (found != held_.end() && found->second.queue.front() != copy)) {
        hold_behind(copy);
    } else {
        wait_until(copy, when);
    }
}

void KeyGate::hold_behind(const WorkPtr &work) {
    const std::string key = key_of(*work);
    if (work->in_gate) {
        const auto found = held_.find(key);
        if (found != held_.end() && found->second.state == Held::State::taken && found->second.queue.front() == work) {
            found->second.state = Held::State::free; // taken as a head, and not reached
            free_.push_back(key);
        }
        return;
    }
    Held &held = held_[key];
    if (held.queue.empty()) {
        held.state = Held::State::free;
        free_.push_back(key);
    }
    held.queue.push_back(work);
    count(*work, true);
}

std::vector<WorkPtr> KeyGate::due(Clock::time_point now, std::size_t limit) {
    while (!timers_.empty() && timers_.begin()->first <= now) {
        const std::string key = timers_.begin()->second;
        timers_.erase(timers_.begin());
        held_.at(key).state = Held::State::free;
        free_.push_back(key);
    }
    std::vector<WorkPtr> result;
    while (!free_.empty() && result.size() < limit) {
        const std::string key = std::move(free_.front());
        free_.pop_front();
        const auto found = held_.find(key);
        if (found == held_.end() || found->second.state != Held::State::free) {
            continue;
        }
        Held &held = found->second;
        held.state = Held::State::taken;
        const std::size_t count = std::min(held.queue.size(), limit - result.size());
        result.insert(result.end(), held.queue.begin(), held.queue.begin() + static_cast<std::ptrdiff_t>(count));
    }
    return result;
}

void KeyGate::decided(const WorkPtr &work) {
    if (!work->in_gate) {
        return;
    }
    const std::string key = key_of(*work);
    const auto found = held_.find(key);
    if (found == held_.end()) {
        return;
    }
    Held &held = found->second;
    const auto at = std::find(held.queue.begin(), held.queue.end(), work);
    if (at == held.queue.end()) {
        return;
    }
    const bool was_head = at == held.queue.begin();
    held.queue.erase(at);
    count(*work, false);
    if (held.queue.empty()) {
        stop_timer(held);
        held_.erase(found);
    } else if (was_head) {
        stop_timer(held);
        held.state = Held::State::free;
        free_.push_back(key);
    }
}

std::optional<KeyGate::Clock::time_point> KeyGate::next_due() const {
    const bool any_free = std::any_of(free_.begin(), free_.end(), [this](const std::string &key) {
        const auto found = held_.find(key); // a key may have left since it was noted
        return found != held_.end() && found->second.state == Held::State::free;
    });
    if (any_free) {
        return Clock::time_point::min();
    }
    return timers_.empty() ? std::nullopt : std::optional(timers_.begin()->first);
}

void KeyGate::drop_claims_before(const std::string &topic, std::uint32_t partition, std::uint64_t claim) {
    for (auto entry = held_.begin(); entry != held_.end();) {
        auto &queue = entry->second.queue;
        const Work &head = *queue.front();
        if (head.event->message->topic != topic || head.event->message->partition != partition || head.claim >= claim) {
            ++entry;
            continue;
        }
        for (const WorkPtr &work : queue) {
            count(*work, false);
        }
        stop_timer(entry->second);
        entry = held_.erase(entry);
    }
}

event::Micros KeyGate::oldest_appended() const {
    event::Micros oldest = event::kLatest;
    for (const auto &[key, held] : held_) {
        for (const WorkPtr &work : held.queue) {
            oldest = std::min(oldest, work->event->message->appended_at);
        }
    }
    return oldest;
}

} // namespace weir::engine
