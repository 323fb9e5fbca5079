// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/acknowledger.hpp"
#include "engine/batch_cycle.hpp"
#include "engine/domain_worker.hpp"
#include "engine/event_reader.hpp"
#include "engine/ledger_keeper.hpp"
#include "engine/outbox_relay.hpp"
#include "engine/wakeup.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace weir::engine {

/// The plugin's `create` or `start` said no.
class PluginDeclined : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/**
 * A domain while its broker and store answer: sessions, reader, handlers, partitions. Thrown away whole when one of them fails, and made
 * anew. One thread, but for `drained`.
 */
class DomainService {
public:
    /// Connects, migrates, and begins to read. Throws what stops it.
    DomainService(const DomainSpec &spec, std::shared_ptr<const plugin::Module> module, const Environment &environment, Wakeup &bell);
    ~DomainService();
    DomainService(const DomainService &) = delete;
    DomainService &operator=(const DomainService &) = delete;

    /// One turn: leases, then a batch where there is one. @return when to call again at the latest; the bell may ring before
    std::chrono::steady_clock::time_point step(Counts &counts);

    /// Takes over a new generation. False where it is refused (and said); the old one goes on.
    bool swap(const std::shared_ptr<const plugin::Module> &next);
    /// What the last refused one was, and why.
    const std::string &refused() const { return refused_; }

    /// Waits for overdue handlers until the drain timeout, commits what they came to, gives leases back.
    void drain(Counts &counts);

    DomainStatus status() const; ///< without counts
    std::size_t overdue() const { return lanes_ ? lanes_->overdue().size() : 0; }
    bool drained();

private:
    using Clock = std::chrono::steady_clock;
    struct LateBox; // what overdue handlers came to, until the thread takes it

    void make_lanes(std::unique_ptr<plugin::Instance> instance);
    void attribute_crashes();
    void load_attempts();
    void take_late();
    std::vector<WorkPtr> assemble();
    void admit(EventReader::Read read, std::vector<WorkPtr> &batch);
    void run_batch(std::vector<WorkPtr> batch, Counts &counts);
    void on_fenced();

    const DomainSpec &spec_;
    const Environment &environment_;
    Wakeup &bell_;
    std::shared_ptr<const plugin::Module> module_;
    std::shared_ptr<store::DomainStore> domain_store_;
    std::shared_ptr<CrashMarks> marks_;
    std::shared_ptr<LateBox> late_;
    std::map<std::string, std::unique_ptr<event::Decoder>> decoders_;
    std::unique_ptr<store::Session> session_;
    std::unique_ptr<broker::Consumer> consumer_;
    std::unique_ptr<Acknowledger> acknowledger_;
    std::unique_ptr<EventReader> reader_;
    std::unique_ptr<HandlerLanes> lanes_;
    KeyGate gate_;
    std::unique_ptr<PartitionKeeper> partitions_;
    std::unique_ptr<BatchCycle> cycle_;
    std::unique_ptr<OutboxRelay> relay_;
    std::unique_ptr<LedgerKeeper> ledger_keeper_;
    std::map<event::Uuid, store::Attempts> attempts_;
    std::vector<WorkPtr> unfinished_; // a batch that has to run again
    std::uint32_t run_again_ = 0;
    std::string refused_;
    bool more_ = false; // the last batch was full
};

} // namespace weir::engine
