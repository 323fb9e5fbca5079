// SPDX-License-Identifier: Apache-2.0
#include "engine/event_dealer.hpp"

#include <algorithm>
#include <functional>
#include <iterator>

namespace weir::engine {

namespace {

/// What a batch may take of the budget of events; what it doesn't take goes back, also where putting it together fails.
struct Grant {
    Grant(EventBudget &from, std::size_t wanted) : budget(from), events(from.take(wanted)), unused(events) {}
    ~Grant() { budget.give_back(unused); }
    Grant(const Grant &) = delete;
    Grant &operator=(const Grant &) = delete;

    EventBudget &budget;
    const std::size_t events;
    std::size_t unused;
};

} // namespace

EventDealer::EventDealer(const DomainSpec &spec, EventReader &reader, PartitionKeeper &partitions, EventBudget &budget, LookUp look_up)
    : spec_(spec), reader_(reader), partitions_(partitions), budget_(budget), look_up_(std::move(look_up)) {}

void EventDealer::load_attempts(store::Session &session) {
    attempts_.clear();
    std::vector<event::Uuid> ids;
    for (store::Attempts &entry : session.attempts()) {
        ids.push_back(entry.event_id);
        attempts_[entry.event_id] = std::move(entry);
    }
    if (ids.empty()) {
        return;
    }
    // A host that noted a retry while another decided the event, and then died, has left its note behind.
    std::sort(ids.begin(), ids.end());
    try {
        session.begin({});
        const std::vector<event::Uuid> decided = session.decided(ids);
        session.forget_attempts(decided);
        session.commit();
        for (const event::Uuid &id : decided) {
            attempts_.erase(id);
        }
    } catch (const store::RunAgain &) { // the next one does it
        session.rollback();
    } catch (...) {
        session.rollback();
        throw;
    }
}

// A parallel domain's events may have run on another host, which has kept them in its store or died over them.
void EventDealer::look_up_delivered_before(std::span<const EventReader::Read> read) {
    std::vector<event::Uuid> ids;
    for (const EventReader::Read &one : read) {
        if (one.event->message->deliveries > 1) {
            ids.push_back(one.event->id);
        }
    }
    if (!ids.empty()) {
        for (store::Attempts &entry : ask(ids, true)) {
            attempts_[entry.event_id] = std::move(entry);
        }
    }
}

// Where others are in the store's way, the answer may be missed for once: an event then runs with fewer tries counted.
std::vector<store::Attempts> EventDealer::ask(std::span<const event::Uuid> ids, bool delivered_before) const {
    try {
        return look_up_(ids, delivered_before);
    } catch (const store::RunAgain &) {
        return {};
    }
}

// What waited here may have come to others as well meanwhile, or a copy of it: their runs count.
void EventDealer::look_up_again(std::span<const WorkPtr> due) {
    std::vector<event::Uuid> ids;
    for (const WorkPtr &work : due) {
        if (work->has_attempts && !work->late) {
            ids.push_back(work->event->id);
        }
    }
    if (ids.empty()) {
        return;
    }
    for (const store::Attempts &entry : ask(ids, false)) {
        for (const WorkPtr &work : due) {
            if (work->event->id == entry.event_id) {
                work->retries = std::max(work->retries, entry.retries);
                work->crashes = std::max(work->crashes, entry.crashes);
            }
        }
    }
}

bool EventDealer::is_held_full(std::span<const std::unique_ptr<Shard>> shards) const {
    std::size_t events = 0;
    std::size_t bytes = 0;
    for (const auto &shard : shards) {
        events += shard->gate().events();
        bytes += shard->gate().bytes();
    }
    return events >= spec_.options.hold_max_events || bytes >= spec_.options.hold_max_bytes;
}

// Whether another shard runs, or has something that it may run: when that has ended, everybody gets another turn.
bool EventDealer::is_other_at_work(std::span<const std::unique_ptr<Shard>> shards, const Shard &shard) {
    return std::any_of(shards.begin(), shards.end(), [&](const auto &other) {
        const auto due = other->gate().next_due();
        return other.get() != &shard && (!other->is_idle() || (due && *due <= Clock::now()));
    });
}

std::vector<WorkPtr> EventDealer::assemble(std::span<const std::unique_ptr<Shard>> shards, Shard &shard, std::size_t most) {
    const Options &options = spec_.options;
    const bool full = is_held_full(shards);
    reader_.pause(full);
    last_.is_known = false;
    Grant grant(budget_, most);
    const std::size_t granted = grant.events;
    std::vector<WorkPtr> batch = shard.gate().due(Clock::now(), granted);
    if (spec_.parallel) {
        look_up_again(batch);
    }
    std::size_t bytes = 0;
    for (const WorkPtr &work : batch) {
        bytes += work->event->message->bytes();
    }
    const auto used = shards.first(std::min(in_use_, shards.size()));
    const bool is_used = std::any_of(used.begin(), used.end(), [&](const auto &one) { return one.get() == &shard; });
    if (is_used && !full && batch.size() < granted && bytes < options.batch_max_bytes) {
        const std::size_t wanted = granted - batch.size();
        if (shard.queue().size() < wanted) {
            deal(shards, shard, wanted);
        }
        std::deque<WorkPtr> &queue = shard.queue();
        // Those that the gate holds don't count, or a shard with a key that waits would stop before the others' turn.
        // Nor do those that another's gate holds, until they are as many as that shard takes at once.
        std::size_t elsewhere = 0;
        while (batch.size() < granted && !queue.empty() && !is_held_full(shards)) {
            if (elsewhere >= granted && is_other_at_work(shards, shard)) {
                break;
            }
            const std::size_t next = queue.front()->event->message->bytes();
            if (!batch.empty() && bytes + next > options.batch_max_bytes) {
                break;
            }
            const std::size_t before = batch.size();
            const std::size_t held = shard.gate().events();
            WorkPtr work = std::move(queue.front());
            queue.pop_front();
            admit(shards, std::move(work), shard, batch);
            bytes += batch.size() > before ? next : 0;
            elsewhere += batch.size() == before && shard.gate().events() == held ? 1 : 0;
            if (queue.empty() && batch.size() < granted) {
                deal(shards, shard, granted - batch.size());
            }
        }
    }
    grant.unused -= batch.size();
    return batch;
}

// What other shards have under way, by id.
std::vector<EventDealer::Elsewhere> EventDealer::elsewhere(std::span<const std::unique_ptr<Shard>> shards, const Shard &wanting) {
    std::vector<Elsewhere> all;
    for (const auto &shard : shards) {
        if (shard.get() != &wanting) {
            shard->each([&](const Work &work) { all.push_back({work.event->id, shard.get()}); });
        }
    }
    std::sort(all.begin(), all.end());
    return all;
}

// In a parallel domain any shard takes any event, but a copy goes where the first is: there it meets its fate.
Shard *EventDealer::shard_of_copy(std::span<const std::unique_ptr<Shard>> shards, Shard &wanting, const std::vector<Elsewhere> &others,
                                  const Work &work) {
    const auto found = std::lower_bound(others.begin(), others.end(), Elsewhere{work.event->id, nullptr});
    if (found != others.end() && found->first == work.event->id) {
        return found->second;
    }
    const auto holder = std::find_if(shards.begin(), shards.end(), [&](const auto &shard) { return shard->gate().holds(work); });
    return holder == shards.end() ? &wanting : holder->get();
}

// Takes from the reader what `wanting` can do with, and lays aside what is others'. What lies aside is bounded, and with it a shard's wait
// for one whose keys are busier.
void EventDealer::deal(std::span<const std::unique_ptr<Shard>> shards, Shard &wanting, std::size_t events) {
    const std::size_t in_use = std::min(in_use_, shards.size());
    std::size_t most = events * in_use;
    std::size_t most_bytes = spec_.options.batch_max_bytes * in_use;
    for (const auto &shard : shards) {
        most -= std::min(most, shard->queue().size());
        for (const WorkPtr &work : shard->queue()) {
            most_bytes -= std::min(most_bytes, work->event->message->bytes());
        }
    }
    if (most_bytes == 0) {
        return;
    }
    std::vector<EventReader::Read> taken = reader_.take(most, most_bytes);
    if (spec_.parallel) {
        look_up_delivered_before(taken);
    }
    const std::vector<Elsewhere> others = spec_.parallel ? elsewhere(shards, wanting) : std::vector<Elsewhere>{};
    for (EventReader::Read &read : taken) {
        if (read.claim != claim_of(*read.event->message)) {
            continue; // read under a lease that was lost since
        }
        WorkPtr work = work_of(std::move(read));
        Shard *shard = &wanting;
        if (in_use > 1) {
            shard = spec_.parallel ? shard_of_copy(shards, wanting, others, *work) : &shard_of_key(shards, *work);
        }
        shard->queue().push_back(std::move(work));
    }
}

Shard &EventDealer::shard_of_key(std::span<const std::unique_ptr<Shard>> shards, const Work &work) const {
    return *shards[std::hash<std::string>()(work.order_key) % std::min(in_use_, shards.size())];
}

void EventDealer::use(std::span<const std::unique_ptr<Shard>> shards, std::size_t number) {
    in_use_ = number;
    std::deque<WorkPtr> all;
    for (const auto &shard : shards) {
        std::deque<WorkPtr> queue = std::exchange(shard->queue(), {});
        std::move(queue.begin(), queue.end(), std::back_inserter(all)); // a key's events are all in one of them
    }
    for (WorkPtr &work : all) {
        Shard &shard = spec_.parallel ? *shards.front() : shard_of_key(shards, *work);
        shard.queue().push_back(std::move(work));
    }
}

// A key waits in the shard that it came to, also where new events of it come to another by now. It is in one gate at most: an event only
// runs outside of that while none of its key waits.
bool EventDealer::hold(std::span<const std::unique_ptr<Shard>> shards, const WorkPtr &work) {
    return std::any_of(shards.begin(), shards.end(), [&](const auto &shard) { return shard->gate().hold(work); });
}

std::uint64_t EventDealer::claim_of(const event::Message &message) {
    if (!last_.is_known || last_.partition.number != message.partition || last_.partition.topic != message.topic) {
        last_ = {{message.topic, message.partition}, reader_.claim_of(message.topic, message.partition), true};
    }
    return last_.claim;
}

WorkPtr EventDealer::work_of(EventReader::Read read) const {
    const event::Message &message = *read.event->message;
    auto work = std::make_shared<Work>();
    work->claim = read.claim;
    if (!spec_.parallel) {
        partitions_.seen(message);
        work->order_key.reserve(message.topic.size() + read.event->key.size() + 12);
        work->order_key.append(message.topic)
            .append(1, '\0')
            .append(std::to_string(message.partition))
            .append(1, '\0')
            .append(read.event->key);
    }
    work->event = std::move(read.event);
    return work;
}

void EventDealer::admit(std::span<const std::unique_ptr<Shard>> shards, WorkPtr work, Shard &shard, std::vector<WorkPtr> &batch) {
    if (work->claim != claim_of(*work->event->message)) {
        return; // its lease was lost while it lay aside
    }
    if (!attempts_.empty()) {
        if (const auto found = attempts_.find(work->event->id); found != attempts_.end()) {
            work->retries = found->second.retries;
            work->crashes = found->second.crashes;
            work->has_attempts = true;
            // Bounded by the longest delay, in case the clock was set back.
            const auto &delays = spec_.options.retry_delays;
            const auto longest = delays.empty() ? std::chrono::milliseconds(0) : *std::max_element(delays.begin(), delays.end());
            const auto left =
                std::min<std::chrono::microseconds>(std::chrono::microseconds(found->second.retry_at - event::now()), longest);
            attempts_.erase(found);
            if (left.count() > 0) {
                if (!hold(shards, work)) {
                    shard.gate().wait_until(work, Clock::now() + left);
                }
                return;
            }
        }
    }
    if (!hold(shards, work)) {
        batch.push_back(std::move(work));
    }
}

} // namespace weir::engine
