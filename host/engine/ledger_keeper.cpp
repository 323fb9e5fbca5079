// SPDX-License-Identifier: Apache-2.0
#include "engine/ledger_keeper.hpp"

#include "engine/thread_name.hpp"
#include "log/log.hpp"

#include <algorithm>

namespace weir::engine {

namespace {

constexpr auto kStepPause = std::chrono::milliseconds(20); // batches that wait for the file or a lock go first
// Where others hold a table, each attempt has all batches wait behind it: attempts become rarer, and a little more patient, since batches
// may just be long.
constexpr auto kLongestPause = std::chrono::milliseconds(5120);
constexpr int kPauseToPatience = 25;

} // namespace

LedgerKeeper::LedgerKeeper(const DomainSpec &spec, store::DomainStore &store, Further further)
    : spec_(spec), store_(store), pace_(ledger_pace(spec.name)), further_(std::move(further)), looked_at_(Clock::now()),
      thread_([this] { loop(); }) {}

LedgerKeeper::~LedgerKeeper() {
    stop_ = true;
    bell_.ring();
    thread_.join();
}

void LedgerKeeper::look(std::uint64_t decided, const std::function<event::Micros()> &oldest_waiting) {
    const auto now = Clock::now();
    if (decided - decided_ < pace_.events && now - looked_at_ < pace_.look) {
        return;
    }
    decided_ = decided;
    looked_at_ = now;
    keep_from_ = oldest_waiting();
    bell_.ring();
}

void LedgerKeeper::loop() {
    name_thread("ledger", spec_.name);
    while (!stop_) {
        bell_.wait_for(2 * pace_.look);
        if (stop_) {
            return;
        }
        std::string failed;
        try {
            failed = keep();
        } catch (const store::Unavailable &) { // the domain's own to tell
        } catch (const std::exception &failure) {
            failed = failure.what();
        }
        say_refused(failed);
        if (!stop_) {
            keep_further();
        }
    }
}

void LedgerKeeper::rest(std::chrono::milliseconds time) {
    const auto until = Clock::now() + time;
    while (!stop_ && Clock::now() < until) {
        bell_.wait_until(until);
    }
}

std::chrono::microseconds LedgerKeeper::horizon() const {
    return pace_.horizon.count() > 0 ? pace_.horizon : std::chrono::microseconds(spec_.options.ledger_horizon);
}

void LedgerKeeper::keep_further() {
    if (!further_ || horizon().count() == 0) {
        return;
    }
    try {
        further_(event::now() - horizon().count(), [this] {
            bell_.wait_for(kStepPause);
            return !stop_;
        });
        further_failed_.clear();
    } catch (const store::RunAgain &) {    // others are in the way: at the next look
    } catch (const store::Unavailable &) { // the domain's own to tell
    } catch (const std::exception &failure) {
        if (further_failed_ != failure.what()) {
            further_failed_ = failure.what();
            log::warn("ledger.not_kept", "Requests under an Idempotency-Key can't be forgotten; they are kept, and events go on",
                      {{"domain", spec_.name}, {"reason", further_failed_}});
        }
    }
}

std::string LedgerKeeper::keep() {
    const auto session = store_.open();
    std::string refused;
    auto pause = kStepPause;
    bool is_told = false;
    auto further_at = Clock::now();
    for (bool more = true; more && !stop_;) {
        store::LedgerPolicy policy;
        policy.horizon = horizon();
        policy.generation_events = pace_.generation_events;
        policy.now = event::now();
        policy.keep_from = keep_from_;
        policy.lock_patience = std::max(kStepPause, pause / kPauseToPatience);
        const store::LedgerUpkeep done = session->maintain_ledger(policy);
        say(done);
        more = done.more;
        refused = done.refused;
        const bool is_further = done.sealed > 0 || done.indexed > 0 || done.pruned_events > 0;
        if (done.in_the_way.empty()) {
            pause = kStepPause;
            is_told = false;
        } else if (!is_further) {
            say_refused(refused); // it may be long until all is done
            pause = std::min(2 * pause, kLongestPause);
            if (pause == kLongestPause && !is_told) {
                is_told = true;
                log::warn(
                    "ledger.waiting",
                    "The ledger can't be kept small while something holds its tables, such as a backup or a transaction that was left "
                    "open; it is tried every few seconds, and events go on",
                    {{"domain", spec_.name}, {"reason", done.in_the_way}});
            }
            if (pause == kLongestPause && Clock::now() >= further_at) { // what holds the ledger may stay for hours, and holds that alone
                keep_further();
                further_at = Clock::now() + pace_.look;
            }
        }
        if (more) {
            rest(is_further ? kStepPause : pause);
        }
    }
    return refused;
}

void LedgerKeeper::say_refused(const std::string &reason) {
    if (!reason.empty() && reason != said_) {
        log::warn("ledger.not_kept", "The ledger can't be kept small; it keeps everything, and events go on",
                  {{"domain", spec_.name}, {"reason", reason}});
    }
    said_ = reason;
}

void LedgerKeeper::say(const store::LedgerUpkeep &done) const {
    if (done.sealed > 0) {
        log::debug("ledger.sealed", "A generation of the ledger is full; the next one takes the events",
                   {{"domain", spec_.name}, {"generation", done.sealed}, {"generations", done.generations}});
    }
    if (done.pruned_events > 0) {
        log::info("ledger.pruned", "Ids beyond the horizon are no longer known",
                  {{"domain", spec_.name}, {"events", done.pruned_events}, {"appended_through", event::format_time(done.pruned_through)}});
    }
}

} // namespace weir::engine
