// SPDX-License-Identifier: Apache-2.0
// A domain's batches: when they begin, and what is done when they have ended.
#include "engine/domain_service.hpp"

#include "engine/late_box.hpp"
#include "log/log.hpp"

#include <algorithm>
#include <iterator>

namespace weir::engine {

void DomainService::take_late() {
    std::vector<std::pair<WorkPtr, std::shared_ptr<const HandlerResult>>> arrived;
    {
        const std::lock_guard lock(late_->mutex);
        // One that came before its batch has ended stays: the batch's thread reads it, and the gate doesn't know of it yet.
        const auto mine = std::stable_partition(late_->arrived.begin(), late_->arrived.end(), [this](const auto &entry) {
            return std::any_of(shards_.begin(), shards_.end(), [&](const auto &shard) { return shard->works_at(entry.first); });
        });
        arrived.assign(std::make_move_iterator(mine), std::make_move_iterator(late_->arrived.end()));
        late_->arrived.erase(mine, late_->arrived.end());
    }
    for (auto &[work, result] : arrived) {
        work->running_alone = false;
        work->late = std::move(result);
        for (const auto &shard : shards_) {
            shard->gate().returned(work); // the others don't know it
        }
    }
}

std::chrono::steady_clock::time_point DomainService::step(Counts &counts) {
    look_at_ended(counts);
    const auto now = Clock::now();
    if (now >= partitions_->next()) {
        try {
            partitions_->keep(*session_);
            if (spec_.parallel) {
                save_positions();
            }
        } catch (const store::Fenced &) {
            settle_down(counts);
            on_fenced();
        }
    }
    if (ledger_keeper_) {
        ledger_keeper_->look(counts.messages, [this] {
            event::Micros oldest = event::kLatest;
            for (const auto &shard : shards_) {
                oldest = std::min(oldest, shard->oldest_appended());
            }
            return oldest;
        });
    }
    take_late();
    if (std::any_of(shards_.begin(), shards_.end(), [](const auto &shard) { return shard->handlers().exhausted(); })) {
        reader_->pause(true); // nothing further is begun until one returns or another generation comes
        return partitions_->next();
    }
    const bool ended = begin_batches();
    note_in_hand();
    if (ended) {
        return Clock::time_point::min();
    }
    if (is_idle()) {
        save_positions();
    }
    auto wake = partitions_->next();
    const bool must_wait = is_running() && !may_run_another();
    for (const auto &shard : shards_) {
        if (!shard->is_idle() || must_wait) {
            continue; // it will ring
        }
        if (shard->has_unfinished()) {
            wake = std::min(wake, shard->again_at());
        } else if (const auto due = shard->gate().next_due()) {
            wake = std::min(wake, *due);
        }
    }
    return wake;
}

/// @param about_to_run events that are in no shard now
void DomainService::note_in_hand(std::size_t about_to_run) {
    std::size_t events = about_to_run;
    for (const auto &shard : shards_) {
        events += shard->in_hand();
    }
    environment_.in_hand->dealt(events);
    const std::vector<store::Lease> &leases = partitions_->leases();
    const auto is_noted = [](const store::Lease &lease, const broker::Partition &partition) {
        return lease.partition == partition.number && lease.topic == partition.topic;
    };
    if (!std::equal(leases.begin(), leases.end(), noted_leases_.begin(), noted_leases_.end(), is_noted)) {
        noted_leases_.clear();
        for (const store::Lease &lease : leases) {
            noted_leases_.push_back({lease.topic, lease.partition});
        }
        environment_.in_hand->lease(noted_leases_);
    }
}

bool DomainService::is_running() const {
    return std::any_of(shards_.begin(), shards_.end(), [](const auto &shard) { return !shard->is_idle() && !shard->has_ended(); });
}

bool DomainService::may_run_another() const {
    return environment_.under_way->has_room() && !(environment_.under_way->is_one_each() && shards_.size() > 1);
}

// Where a domain's batches run one at a time, shards bring nothing: small batches in turns, twice as much laid aside, and a second
// connection. One takes all keys then. Changed between batches alone; keys that wait stay with the shard that they wait in (EventDealer).
void DomainService::choose_shards() {
    const std::size_t wanted = environment_.under_way->is_one_each() ? 1 : shards_.size();
    if (wanted != dealer_->in_use() && is_idle()) {
        dealer_->use(shards_, wanted);
    }
}

// @return whether one has ended already
bool DomainService::begin_batches() {
    bool ended = false;
    choose_shards();
    for (bool begun = true; begun;) { // what one takes may make room for another's
        begun = false;
        const std::size_t first = next_shard_; // each gets its turn where one batch is all that there is room for
        for (std::size_t i = 0; i < shards_.size(); ++i) {
            const std::size_t at = (first + i) % shards_.size();
            const auto &shard = shards_[at];
            if (!shard->is_idle() || (shard->has_unfinished() && Clock::now() < shard->again_at())) {
                continue;
            }
            if (is_running() && !may_run_another()) {
                return ended; // the one that runs rings when it has ended
            }
            // Large batches cost the store less an event, and memory: not where many domains are busy, or as many as there are processors.
            const bool large = environment_.under_way->has_room() && !environment_.under_way->is_crowded();
            const std::size_t most = large ? spec_.options.batch_max_events : (spec_.options.batch_max_events + 1) / 2;
            std::vector<WorkPtr> batch = shard->has_unfinished() ? shard->take_unfinished() : dealer_->assemble(shards_, *shard, most);
            if (!batch.empty()) {
                note_in_hand(batch.size()); // it may run on this thread
                shard->start(std::move(batch), partitions_->leases());
                next_shard_ = (at + 1) % shards_.size();
                begun = true;
                ended = ended || shard->has_ended();
            }
        }
    }
    return ended;
}

void DomainService::look_at_ended(Counts &counts) {
    bool fenced = false;
    std::exception_ptr failure;
    for (const auto &shard : shards_) {
        if (shard->has_ended()) {
            take_end(shard->look(counts), fenced, failure);
        }
    }
    if (fenced || failure) { // what others have done is counted before anything is dropped
        for (const auto &shard : shards_) {
            shard->wait();
            if (shard->has_ended()) {
                take_end(shard->look(counts), fenced, failure);
            }
        }
    }
    if (fenced) {
        on_fenced();
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
}

// Afterwards no batch runs.
void DomainService::settle_down(Counts &counts) {
    for (const auto &shard : shards_) {
        shard->wait();
    }
    look_at_ended(counts);
}

void DomainService::take_end(Shard::Ended ended, bool &fenced, std::exception_ptr &failure) {
    environment_.budget->give_back(ended.undecided);
    fenced = fenced || ended.fenced;
    failure = failure ? failure : ended.failure;
    if (!ended.decided.empty()) {
        try {
            acknowledger_->push({std::move(ended.decided), std::move(ended.batch)});
        } catch (...) {
            failure = failure ? failure : std::current_exception();
        }
    }
}

void DomainService::on_fenced() {
    const std::vector<store::Lease> lost = partitions_->leases();
    partitions_->fenced();
    for (const auto &shard : shards_) {
        for (const store::Lease &lease : lost) {
            shard->gate().drop_claims_before(lease.topic, lease.partition, reader_->claim_of(lease.topic, lease.partition));
        }
        environment_.budget->give_back(shard->drop_unfinished());
    }
}

bool DomainService::is_idle() const {
    return std::all_of(shards_.begin(), shards_.end(), [](const auto &shard) { return shard->is_idle() && !shard->has_unfinished(); });
}

// Each batch saves what it reaches by itself; of two that ended together, neither knew of the other's events. In a parallel domain the
// broker tells how far all hosts have come.
void DomainService::save_positions() {
    if (!spec_.parallel && shards_.size() == 1) {
        return;
    }
    if (const auto positions = spec_.parallel ? partitions_->done() : partitions_->positions_with({}); !positions.empty()) {
        try {
            session_->begin(partitions_->leases());
            session_->save_positions(positions);
            session_->commit();
            partitions_->saved(positions);
        } catch (const store::RunAgain &) { // the next idle turn does it
            session_->rollback();
        } catch (const store::InDoubt &) {
            session_ = domain_store_->open();
        } catch (const store::Fenced &) {
            session_->rollback();
            on_fenced();
        }
    }
}

std::vector<Overdue> DomainService::overdue_handlers() const {
    std::vector<Overdue> all;
    for (const auto &shard : shards_) {
        const std::vector<Overdue> some = shard->handlers().overdue();
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

// Batches that have to run again do so before a domain leaves.
void DomainService::finish_unfinished(Counts &counts, Clock::time_point deadline) {
    const auto is_left = [](const auto &shard) { return shard->has_unfinished(); };
    while (!is_outgrown() && std::any_of(shards_.begin(), shards_.end(), is_left) && Clock::now() < deadline) {
        auto next = deadline;
        for (const auto &shard : shards_) {
            if (shard->has_unfinished() && shard->again_at() <= Clock::now()) {
                shard->start(shard->take_unfinished(), partitions_->leases());
            } else if (shard->has_unfinished()) {
                next = std::min(next, shard->again_at());
            }
        }
        settle_down(counts);
        if (std::any_of(shards_.begin(), shards_.end(), is_left)) {
            bell_.wait_until(next == deadline ? Clock::now() : next);
        }
    }
    for (const auto &shard : shards_) {
        environment_.budget->give_back(shard->drop_unfinished());
    }
}

void DomainService::drain(Counts &counts) {
    const auto deadline = Clock::now() + spec_.options.drain_timeout;
    reader_->pause(true);
    settle_down(counts);
    finish_unfinished(counts, deadline);
    while (overdue() > 0 && Clock::now() < deadline) {
        bell_.wait_until(std::min(deadline, Clock::now() + std::chrono::milliseconds(100)));
        take_late();
    }
    for (const auto &shard : shards_) {
        if (is_outgrown()) {
            break; // not in so many shards
        }
        std::vector<WorkPtr> returned = shard->gate().due(Clock::now(), spec_.options.batch_max_events);
        if (std::any_of(returned.begin(), returned.end(), [](const WorkPtr &work) { return work->late != nullptr; })) {
            if (const std::size_t granted = environment_.budget->take(returned.size()); granted < returned.size()) {
                environment_.budget->give_back(granted);
                continue;
            }
            shard->start(std::move(returned), partitions_->leases());
        }
    }
    settle_down(counts);
    finish_unfinished(counts, deadline);
    marks_->end_orderly(); // before the servers are asked, which may take long
    save_positions();
    acknowledger_->flush();
    for (const Overdue &left : overdue_handlers()) {
        log::error("handler.abandoned", "A handler did not return before the drain timeout; its event stays unacknowledged",
                   {{"domain", spec_.name}, {"handler", left.handler}, {"event_id", left.event_id.text()}});
    }
    partitions_->release(*session_);
}

void DomainService::abandon(Counts &counts) noexcept {
    try {
        settle_down(counts);
    } catch (const std::exception &) { // what ended badly will be delivered again; the cause is told by whoever abandons
    }
    for (const auto &shard : shards_) {
        environment_.budget->give_back(shard->drop_unfinished());
    }
}

} // namespace weir::engine
