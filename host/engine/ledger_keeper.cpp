// SPDX-License-Identifier: Apache-2.0
#include "engine/ledger_keeper.hpp"

#include "engine/thread_name.hpp"
#include "log/log.hpp"

namespace weir::engine {

namespace {

constexpr auto kStepPause = std::chrono::milliseconds(20); // batches that wait for the file or a lock go first

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
            keep_further();
        } catch (const store::Unavailable &) { // the domain's own to tell
        } catch (const std::exception &failure) {
            failed = failure.what();
        }
        if (!failed.empty() && failed != said_) {
            log::warn("ledger.not_kept", "The ledger can't be kept small; it keeps everything, and events go on",
                      {{"domain", spec_.name}, {"reason", failed}});
        }
        said_ = failed;
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
    } catch (const store::RunAgain &) { // others are in the way: at the next look
    }
}

std::string LedgerKeeper::keep() {
    const auto session = store_.open();
    std::string refused;
    for (bool more = true; more && !stop_;) {
        store::LedgerPolicy policy;
        policy.horizon = horizon();
        policy.generation_events = pace_.generation_events;
        policy.now = event::now();
        policy.keep_from = keep_from_;
        const store::LedgerUpkeep done = session->maintain_ledger(policy);
        say(done);
        more = done.more;
        refused = done.refused;
        if (more) {
            bell_.wait_for(kStepPause);
        }
    }
    return refused;
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
