// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/domain_worker.hpp"
#include "engine/rebuild.hpp"
#include "engine/rebuild_feed.hpp"
#include "engine/rebuild_shadow.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace weir::engine {

/// With what a shadow is made: two makings are one only where plugin, settings and topics are the same, to the byte.
std::string rebuild_fingerprint(const RebuildSetup &setup);
RebuildSurvey survey_rebuild(const RebuildSetup &setup);
/// "... is being rebuilt by another process ..."
std::string rebuilt_already(const std::string &domain);

/// "of the 2000 events that this domain has decided, ... about 1000 ..."
std::string rebuild_loses(std::uint64_t gone, std::uint64_t decided);
/// Says how many of those gone may be requests to routes, which an earlier version counted with events; empty: none.
/// @param gone without those given up
std::string may_be_requests(const RebuildSetup &setup, store::DomainStore &live, const store::LedgerCounts &counts, std::uint64_t gone,
                            std::uint64_t given_up);

/// One rebuild while its process goes on: a worker on the shadow, the feed that it reads, and the swap. One thread.
class RebuildRun {
public:
    /// @param setup, hooks outlive this
    RebuildRun(const RebuildSetup &setup, const RebuildHooks &hooks);
    ~RebuildRun();
    RebuildRun(const RebuildRun &) = delete;
    RebuildRun &operator=(const RebuildRun &) = delete;

    /// Takes the shadow, or makes it, and begins to read. Throws RebuildRefused; nothing is left then of what was not there before.
    void begin(bool from_what_is_kept);
    /// Until it is swapped or interrupted.
    RebuildResult go();
    /// After which nothing else may be called.
    void remove_shadow();

private:
    using Clock = std::chrono::steady_clock;
    void start();
    void stop();
    void take_shadow(const store::Schema &tables);
    void know_positions(std::vector<store::StoredPosition> positions);
    void leave_out_dropped();
    void keep_tables(bool is_new);
    void check_kept_tables() const;
    std::string refused_swap(const std::string &reason) const;
    void prepend_letters();
    RebuildFeed::Lookup live_lookup();
    void look();
    bool wait(std::chrono::milliseconds time, const std::function<bool()> &done, Clock::time_point deadline);
    bool pass(const RebuildFeed::Lookup &lookup, std::chrono::milliseconds turn, Clock::time_point deadline);
    std::optional<RebuildResult> swap();
    std::uint64_t count_gone(store::Replacement &replacement, std::uint64_t given_up) const;
    std::optional<RebuildResult> try_swap();

    const RebuildSetup &setup_;
    const RebuildHooks &hooks_;
    const store::Schema &tables_;
    DomainSpec spec_; // as the shadow's worker is to take it
    ShadowStore shadow_store_;
    std::unique_ptr<store::DomainStore> live_;
    std::unique_ptr<store::DomainStore> shadow_;
    std::unique_ptr<store::Session> live_session_;
    std::unique_ptr<store::Session> lookup_session_; // the feed's, used under its mutex
    std::unique_ptr<ShadowKeeper> keeper_;
    RebuildFeed feed_;
    std::shared_ptr<KeptTables> kept_;
    ShadowBroker shadow_broker_;
    EventBudget budget_;
    std::unique_ptr<DomainWorker> worker_;
    RebuildProgress progress_;
    std::uint64_t done_before_ = 0;
    bool interrupted_ = false;
    bool gaps_ = false;       // what can't be made again is given up
    bool pass_first_ = false; // a swap took too long: what lies beyond the front is looked through before the next one
    Clock::time_point next_swap_ = Clock::time_point::min();
};

} // namespace weir::engine
