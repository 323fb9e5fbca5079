// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/acknowledger.hpp"
#include "engine/crash_attribution.hpp"
#include "engine/domain_worker.hpp"
#include "engine/event_dealer.hpp"
#include "engine/event_reader.hpp"
#include "engine/ledger_keeper.hpp"
#include "engine/outbox_relay.hpp"
#include "engine/relay_bell.hpp"
#include "engine/shard.hpp"
#include "engine/wakeup.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace weir::engine {

class RouteService;

/// The plugin's `create` or `start` said no.
class PluginDeclined : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/**
 * A domain while its broker and store answer: sessions, reader, shards, partitions. Thrown away whole when one of them fails, and made
 * anew. One thread, but for `drained`.
 */
class DomainService {
public:
    /// Connects, migrates, and begins to read. Throws what stops it.
    DomainService(const DomainSpec &spec, std::shared_ptr<const plugin::Module> module, const Environment &environment, Wakeup &bell);
    ~DomainService();
    DomainService(const DomainService &) = delete;
    DomainService &operator=(const DomainService &) = delete;

    /// One turn: looks at batches that have ended, keeps leases, begins a batch in each shard that is idle and has something to do.
    /// @return when to call again at the latest; the bell may ring before
    std::chrono::steady_clock::time_point step(Counts &counts);

    /// Takes over a new generation, when the batches that run have ended. False where it is refused (and said); the old one goes on.
    bool swap(const std::shared_ptr<const plugin::Module> &next, Counts &counts);
    /// Whether the generation wants more shards or fewer than there are: make another service.
    bool is_outgrown() const { return shards_wanted() != shards_.size(); }
    /// What the last refused one was, and why.
    const std::string &refused() const { return refused_; }

    /// Ends the batches that run, waits for overdue handlers until the drain timeout, commits what they came to, gives leases back.
    void drain(Counts &counts);

    /// Before it is thrown away: waits for the batches that run, counts and acknowledges what they committed, and gives back what the event
    /// budget had granted for the rest.
    void abandon(Counts &counts) noexcept;
    /// After that, where no other service of the domain follows: handlers that still run don't count as crashes when the process ends.
    void leave_handlers_behind() noexcept { marks_->end_orderly(); }

    DomainStatus status() const; ///< without counts
    std::size_t overdue() const { return overdue_handlers().size(); }
    bool drained();

private:
    using Clock = std::chrono::steady_clock;
    struct LateBox; // what overdue handlers came to, until the thread takes it

    std::size_t shards_wanted() const;
    void make_shards(std::size_t number);
    void serve_with(const std::shared_ptr<plugin::Instance> &instance);
    store::Schema schema_of(const plugin::Module &module) const;
    std::shared_ptr<plugin::Instance> make_instance() const;
    RouteBoard *board() const;
    bool has_routes() const;
    std::shared_ptr<plugin::Instance> take_up_routes();
    std::shared_ptr<RouteService> make_routes(const std::shared_ptr<plugin::Instance> &instance) const;
    void serve_routes_early(const std::shared_ptr<plugin::Instance> &instance);
    void serve_routes(const std::shared_ptr<plugin::Instance> &instance);
    LedgerKeeper::Further further_upkeep() const;
    HandlerLanes::Setup handlers_setup(std::shared_ptr<plugin::Instance> instance) const;
    void take_late();
    void note_in_hand(std::size_t about_to_run = 0);
    bool may_run_another() const;
    void choose_shards();
    bool begin_batches();
    bool is_running() const;
    void look_at_ended(Counts &counts);
    void settle_down(Counts &counts);
    void take_end(Shard::Ended ended, bool &fenced, std::exception_ptr &failure);
    void finish_unfinished(Counts &counts, Clock::time_point deadline);
    void on_fenced();
    void save_positions();
    bool is_idle() const;
    std::vector<Overdue> overdue_handlers() const;

    const DomainSpec &spec_;
    const Environment &environment_;
    Wakeup &bell_;
    std::shared_ptr<const plugin::Module> module_;
    std::shared_ptr<store::DomainStore> domain_store_;
    std::shared_ptr<CrashMarks> marks_;
    CrashAttribution crashes_;
    std::shared_ptr<LateBox> late_;
    std::shared_ptr<RelayBell> relay_bell_; // for what routes have emitted
    std::map<std::string, std::unique_ptr<event::Decoder>> decoders_;
    std::unique_ptr<store::Session> session_; // for leases and what is known of attempts; batches have their shards'
    std::unique_ptr<broker::Consumer> consumer_;
    std::unique_ptr<Acknowledger> acknowledger_;
    std::unique_ptr<EventReader> reader_;
    std::vector<std::unique_ptr<Shard>> shards_;
    std::size_t next_shard_ = 0; ///< whose turn it is
    std::unique_ptr<PartitionKeeper> partitions_;
    std::unique_ptr<EventDealer> dealer_;
    std::unique_ptr<OutboxRelay> relay_;
    std::unique_ptr<LedgerKeeper> ledger_keeper_;
    std::vector<broker::Partition> noted_leases_;
    std::string refused_;
};

} // namespace weir::engine
