// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/domain.hpp"
#include "engine/ledger_pace.hpp"
#include "engine/wakeup.hpp"
#include "store/store.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

namespace weir::engine {

/**
 * Keeps a domain's ledger small, and prunes what is beyond the horizon, beside the batches: on a thread and a session of its own, which is
 * only open while there is something to do. Any number of hosts may do it at once.
 */
class LedgerKeeper {
public:
    using Clock = std::chrono::steady_clock;

    /// Forgets what else is kept as long as ids are: all from before `until`, while `goes_on` says so. Called on the keeper's thread.
    using Further = std::function<void(event::Micros until, const std::function<bool()> &goes_on)>;

    /// @param spec, store outlive this
    LedgerKeeper(const DomainSpec &spec, store::DomainStore &store, Further further = {});
    ~LedgerKeeper();
    LedgerKeeper(const LedgerKeeper &) = delete;
    LedgerKeeper &operator=(const LedgerKeeper &) = delete;

    /// Called by the domain's thread between batches: wakes the keeper where enough was decided or time has passed.
    /// @param decided events in all, @param oldest_waiting the append time of the oldest event that waits in memory; only called where it
    /// is needed
    void look(std::uint64_t decided, const std::function<event::Micros()> &oldest_waiting);

private:
    void loop();
    std::chrono::microseconds horizon() const; ///< 0: everything is kept
    /// @return what the store refused, empty: nothing
    std::string keep();
    void keep_further();
    void rest(std::chrono::milliseconds time); ///< whoever rings, unless it is to stop
    void say(const store::LedgerUpkeep &done) const;
    void say_refused(const std::string &reason);

    const DomainSpec &spec_;
    store::DomainStore &store_;
    const LedgerPace pace_;
    const Further further_;
    std::uint64_t decided_ = 0;   // the domain's thread
    Clock::time_point looked_at_; // the domain's thread
    std::string said_;            // the keeper's: the failure that was told last
    std::string further_failed_;  // the keeper's: the same of what else is kept
    std::atomic<event::Micros> keep_from_{event::kLatest};
    std::atomic<bool> stop_{false};
    Wakeup bell_;
    std::thread thread_;
};

} // namespace weir::engine
