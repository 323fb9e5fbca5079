// SPDX-License-Identifier: Apache-2.0
#include "engine/batch_cycle.hpp"

#include "engine/dead_letter.hpp"
#include "engine/horizon.hpp"
#include "engine/kill_point.hpp"
#include "engine/settlement.hpp"
#include "log/log.hpp"

#include <algorithm>

namespace weir::engine {

namespace {

constexpr std::size_t kIgnoredTypesTold = 100; // a stream with endless types must not fill memory or log

constexpr auto kCopyWaits = std::chrono::milliseconds(250); // for an event of another key that isn't timed itself

store::Outcome outcome_of(bool stale) { return stale ? store::Outcome::stale : store::Outcome::applied; }

} // namespace

struct BatchCycle::Attempt {
    std::vector<Decision> decisions;  // by index in the batch
    std::vector<std::size_t> copy_of; // the first of the same id in the batch; itself where it is that
    std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
    std::chrono::steady_clock::duration took{}; // until the commit
    std::vector<WorkPtr> open;                  // those to be settled
    std::vector<std::size_t> open_index;        // where they stand in the batch
    std::vector<store::LedgerEntry> ledger;
    std::vector<store::DeadLetter> dead_letters;
    std::vector<const event::Event *> dead_events; // of each of them
    std::vector<store::OutboxEntry> outbox;
    std::vector<store::Attempts> attempts;
    std::vector<event::Uuid> forgotten;
    std::vector<store::StoredPosition> positions;
    struct Wait {
        WorkPtr work;
        std::uint32_t retries = 0;
        std::chrono::milliseconds delay{0};
        bool overdue = false;
        bool held = false;
    };
    std::vector<Wait> waits;
};

BatchCycle::BatchCycle(const DomainSpec &spec, const plugin::Description &description, HandlerLanes &lanes, KeyGate &gate,
                       PartitionKeeper &partitions, OutboxRelay &relay)
    : spec_(spec), description_(description), lanes_(lanes), gate_(gate), partitions_(partitions), relay_(relay) {}

std::shared_ptr<BatchCycle::Attempt> BatchCycle::run(store::Session &session, std::span<const WorkPtr> batch,
                                                     std::span<const store::Lease> leases) {
    auto attempt = std::make_shared<Attempt>();
    try {
        session.begin(leases);
        Settlement settlement(session, description_, lanes_);
        const std::vector<Ran> ran = settlement.settle(batch);
        sort_out(settlement, batch, *attempt);
        decide(batch, *attempt, ran, settlement.stale());
        write(session, batch, *attempt);
        pass(KillPoint::commit);
        session.commit();
        attempt->took = std::chrono::steady_clock::now() - attempt->began;
    } catch (...) {
        session.rollback();
        throw;
    }
    return attempt;
}

// What the settlement found: events that are decided already, copies, and those that it ran.
void BatchCycle::sort_out(const Settlement &settlement, std::span<const WorkPtr> batch, Attempt &attempt) {
    attempt.decisions.assign(batch.size(), Decision::none);
    attempt.copy_of = settlement.first_of();
    for (std::size_t i = 0; i < batch.size(); ++i) {
        if (settlement.fates()[i] == Settlement::Fate::decided) {
            attempt.decisions[i] = Decision::duplicate;
        } else if (attempt.copy_of[i] == i) {
            attempt.open.push_back(batch[i]);
            attempt.open_index.push_back(i);
        }
    }
}

void BatchCycle::decide(std::span<const WorkPtr> batch, Attempt &attempt, const std::vector<Ran> &ran, const std::vector<bool> &stale) {
    for (std::size_t i = 0; i < attempt.open.size(); ++i) {
        const WorkPtr &work = attempt.open[i];
        const std::size_t index = attempt.open_index[i];
        const Ran &one = ran[index];
        const HandlerResult &result = one.result;
        Decision &decision = attempt.decisions[index];
        if (one.state != Ran::State::finished) {
            attempt.waits.push_back({work, work->retries, {}, one.state == Ran::State::overdue, one.state == Ran::State::held});
            continue;
        }
        switch (result.status) {
        case WEIR_OK:
            decision = stale[index] ? Decision::stale : Decision::applied;
            attempt.outbox.insert(attempt.outbox.end(), result.emitted.begin(), result.emitted.end());
            break;
        case WEIR_SKIP:
            decision = Decision::ignored;
            break;
        case WEIR_FATAL:
            throw PluginFatal(result.error.type + ": " + result.error.message);
        case WEIR_RETRY:
            plan_retry(attempt, i, result);
            if (attempt.waits.size() && attempt.waits.back().work == work) {
                continue;
            }
            decision = Decision::dead;
            break;
        default:
            decision = Decision::dead;
            attempt.dead_events.push_back(work->event.get());
            attempt.dead_letters.push_back(make_dead_letter(*work->event, result.error, work->retries));
        }
        if (work->has_attempts) {
            attempt.forgotten.push_back(work->event->id);
        }
    }
    for (std::size_t i = 0; i < attempt.decisions.size(); ++i) {
        const std::size_t first = attempt.copy_of[i];
        if (first != i && attempt.decisions[i] == Decision::none && attempt.decisions[first] != Decision::none) {
            attempt.decisions[i] = Decision::duplicate; // a copy follows the first's fate
        }
        if (attempt.decisions[i] == Decision::duplicate && batch[i]->has_attempts) {
            attempt.forgotten.push_back(batch[i]->event->id); // somebody else decided it, who may not have known of them
        }
    }
}

// A retry waits; the one after the last allowed is a dead letter.
void BatchCycle::plan_retry(Attempt &attempt, std::size_t index, const HandlerResult &result) {
    const WorkPtr &work = attempt.open[index];
    const std::uint32_t retries = work->retries + 1;
    if (retries > spec_.options.max_retries) {
        attempt.dead_events.push_back(work->event.get());
        attempt.dead_letters.push_back(make_dead_letter(
            *work->event,
            {"retries_exhausted", result.error.type + " after " + std::to_string(work->retries) + " retries: " + result.error.message},
            work->retries));
        return;
    }
    const auto &delays = spec_.options.retry_delays;
    const auto delay = delays.empty() ? std::chrono::milliseconds(0) : delays[std::min<std::size_t>(retries, delays.size()) - 1];
    attempt.attempts.push_back({work->event->id, retries, work->crashes, event::now() + delay.count() * 1000, result.error.type});
    attempt.waits.push_back({work, retries, delay, false, false});
    log::info("event.retry", "A handler asked for a retry",
              {{"domain", spec_.name},
               {"event_id", work->event->id.text()},
               {"correlation_id", work->event->correlation_id},
               {"event_type", work->event->type},
               {"retry", retries},
               {"delay_ms", delay.count()},
               {"error_type", result.error.type}});
}

void BatchCycle::write(store::Session &session, std::span<const WorkPtr> batch, Attempt &attempt) {
    for (std::size_t i = 0; i < attempt.open.size(); ++i) {
        const Decision decision = attempt.decisions[attempt.open_index[i]];
        if (decision == Decision::none) {
            continue;
        }
        const event::Event &event = *attempt.open[i]->event;
        const store::Outcome outcome = decision == Decision::dead      ? store::Outcome::dead
                                       : decision == Decision::ignored ? store::Outcome::ignored
                                                                       : outcome_of(decision == Decision::stale);
        attempt.ledger.push_back({event.id, event.message->appended_at, outcome});
    }
    std::sort(attempt.ledger.begin(), attempt.ledger.end(), [](const auto &a, const auto &b) { return a.event_id < b.event_id; });
    std::sort(attempt.forgotten.begin(), attempt.forgotten.end());
    attempt.forgotten.erase(std::unique(attempt.forgotten.begin(), attempt.forgotten.end()), attempt.forgotten.end());
    if (!attempt.dead_letters.empty()) {
        session.add_dead_letters(attempt.dead_letters);
    }
    if (!attempt.outbox.empty()) {
        session.add_outbox(attempt.outbox);
    }
    if (!attempt.ledger.empty()) {
        session.record(attempt.ledger);
    }
    if (!attempt.attempts.empty()) {
        session.save_attempts(attempt.attempts);
    }
    if (!attempt.forgotten.empty()) {
        session.forget_attempts(attempt.forgotten);
    }
    // In a parallel domain they only tell how far ids can have been pruned.
    if (spec_.parallel) {
        for (std::size_t i = 0; i < attempt.open.size(); ++i) {
            if (attempt.decisions[attempt.open_index[i]] != Decision::none) {
                partitions_.reach(*attempt.open[i]->event->message, attempt.positions);
            }
        }
    } else {
        std::vector<const event::Message *> decided;
        decided.reserve(batch.size());
        for (std::size_t i = 0; i < batch.size(); ++i) {
            if (attempt.decisions[i] != Decision::none) {
                decided.push_back(batch[i]->event->message.get());
            }
        }
        attempt.positions = partitions_.positions_with(decided);
    }
    if (!attempt.positions.empty()) {
        session.save_positions(attempt.positions);
    }
}

void BatchCycle::say_ignored(const event::Event &event) {
    if (ignored_types_.size() < kIgnoredTypesTold && ignored_types_.insert(event.type).second) {
        log::info("event.ignored", "No handler for this event type; its events are counted as ignored",
                  {{"domain", spec_.name}, {"plugin", description_.name}, {"event_type", event.type}});
    }
}

void BatchCycle::say_doubtful(const Attempt &attempt) const {
    std::uint64_t events = 0;
    const store::DeadLetter *first = nullptr;
    for (const store::DeadLetter &letter : attempt.dead_letters) {
        if (letter.error_type == kBeyondHorizon) {
            ++events;
            first = first ? first : &letter;
        }
    }
    if (first) {
        log::warn("ledger.beyond_horizon",
                  "Events came again whose ids have been pruned; they became dead letters, since they may have been applied",
                  {{"domain", spec_.name},
                   {"events", events},
                   {"topic", first->topic},
                   {"partition", first->partition},
                   {"position", first->position},
                   {"reason", first->error_message}});
    }
}

// For metrics: the same counts by topic, and how large and how long transactions are.
void BatchCycle::tally(std::span<const WorkPtr> batch, const Attempt &attempt, Counts &counts) {
    TopicCounts *topic = nullptr; // events of one topic mostly stand together
    std::size_t decided = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
        if (attempt.decisions[i] == Decision::none) {
            continue;
        }
        ++decided;
        const std::string &name = batch[i]->event->message->topic;
        if (!topic || topic->topic != name) {
            topic = &counts.of(name);
        }
        switch (attempt.decisions[i]) {
        case Decision::applied:
            ++topic->applied;
            break;
        case Decision::stale:
            ++topic->stale;
            break;
        case Decision::ignored:
            ++topic->ignored;
            break;
        case Decision::dead:
            ++topic->dead_letters;
            break;
        case Decision::duplicate:
            ++topic->duplicates;
            break;
        case Decision::none:
            break;
        }
    }
    counts.batch_events.observe(static_cast<double>(decided));
    counts.batch_seconds.observe(std::chrono::duration<double>(attempt.took).count());
}

std::vector<std::shared_ptr<const event::Message>> BatchCycle::complete(std::span<const WorkPtr> batch, Attempt &attempt, Counts &counts) {
    partitions_.saved(attempt.positions);
    if (!attempt.outbox.empty()) {
        relay_.ring();
    }
    count(batch, attempt, counts);
    std::vector<std::shared_ptr<const event::Message>> decided;
    decided.reserve(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
        if (attempt.decisions[i] != Decision::none) {
            decided.push_back(batch[i]->event->message);
            partitions_.decided(*batch[i]->event->message);
            gate_.decided(batch[i]);
        }
    }
    say_doubtful(attempt);
    say_dead(attempt);
    put_behind_gate(batch, attempt, counts);
    return decided;
}

void BatchCycle::count(std::span<const WorkPtr> batch, const Attempt &attempt, Counts &counts) {
    ++counts.batches;
    tally(batch, attempt, counts);
    for (std::size_t i = 0; i < batch.size(); ++i) {
        switch (attempt.decisions[i]) {
        case Decision::none:
            continue;
        case Decision::stale:
            ++counts.stale;
            [[fallthrough]];
        case Decision::applied:
            ++counts.applied;
            break;
        case Decision::duplicate:
            ++counts.duplicates;
            break;
        case Decision::ignored:
            ++counts.ignored;
            say_ignored(*batch[i]->event);
            break;
        case Decision::dead:
            ++counts.dead_letters;
            break;
        }
        ++counts.messages;
    }
}

void BatchCycle::say_dead(const Attempt &attempt) const {
    for (std::size_t i = 0; i < attempt.dead_letters.size(); ++i) {
        const store::DeadLetter &letter = attempt.dead_letters[i];
        if (letter.error_type == kBeyondHorizon) {
            continue; // there may be very many
        }
        log::warn("event.dead_letter", "An event became a dead letter",
                  {{"domain", spec_.name},
                   {"event_id", letter.event_id.text()},
                   {"correlation_id", attempt.dead_events[i]->correlation_id},
                   {"event_type", letter.event_type},
                   {"topic", letter.topic},
                   {"position", letter.position},
                   {"error_type", letter.error_type},
                   {"reason", letter.error_message}});
    }
}

void BatchCycle::put_behind_gate(std::span<const WorkPtr> batch, const Attempt &attempt, Counts &counts) {
    const auto now = KeyGate::Clock::now();
    for (const Attempt::Wait &wait : attempt.waits) {
        if (wait.overdue) {
            gate_.wait_for_handler(wait.work);
        } else if (wait.held) {
            gate_.hold_behind(wait.work);
        } else {
            ++counts.retries;
            wait.work->retries = wait.retries;
            wait.work->has_attempts = true;
            wait.work->late = nullptr;
            gate_.wait_until(wait.work, now + wait.delay);
        }
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
        if (attempt.decisions[i] != Decision::none || attempt.copy_of[i] == i) {
            continue;
        }
        // A copy of one that waits; when it runs, the ledger or the first's fate decides.
        const WorkPtr &first = batch[attempt.copy_of[i]];
        const auto wait = std::find_if(attempt.waits.begin(), attempt.waits.end(), [&](const auto &one) { return one.work == first; });
        const bool retried = wait != attempt.waits.end() && !wait->overdue && !wait->held;
        batch[i]->retries = std::max(batch[i]->retries, first->retries);
        batch[i]->has_attempts = batch[i]->has_attempts || first->has_attempts;
        gate_.wait_with(batch[i], first, now + (retried ? wait->delay : kCopyWaits));
    }
}

} // namespace weir::engine
