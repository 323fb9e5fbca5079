// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/domain.hpp"
#include "engine/handler_lane.hpp"
#include "engine/key_gate.hpp"
#include "engine/outbox_relay.hpp"
#include "engine/partition_keeper.hpp"
#include "engine/settlement.hpp"
#include "engine/work.hpp"
#include "store/store.hpp"

#include <memory>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir::engine {

/// A handler returned WEIR_FATAL: the domain stops with nothing decided.
class PluginFatal : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/**
 * Takes one batch from its events to its commit: begin, drop what is decided, settle, dead letters, outbox, ledger, positions, commit.
 * One batch at a time; `run` on any thread, everything else on the domain's own.
 */
class BatchCycle {
public:
    struct Attempt; ///< what one run came to

    BatchCycle(const DomainSpec &spec, const plugin::Description &description, HandlerLanes &lanes, KeyGate &gate,
               PartitionKeeper &partitions, OutboxRelay &relay);

    /// Runs it once, under these leases, to its commit. Throws what the store throws, and PluginFatal, after a rollback; then nothing was
    /// decided, and the same events can be given again.
    std::shared_ptr<Attempt> run(store::Session &session, std::span<const WorkPtr> batch, std::span<const store::Lease> leases);

    /// Counts and says what a run that was committed came to, and puts what waits behind the gate.
    /// @return the messages of the events that were decided: to be acknowledged
    std::vector<std::shared_ptr<const event::Message>> complete(std::span<const WorkPtr> batch, Attempt &attempt, Counts &counts);

private:
    enum class Decision : std::uint8_t { none, applied, stale, ignored, dead, duplicate };

    static void sort_out(const Settlement &settlement, std::span<const WorkPtr> batch, Attempt &attempt);
    void decide(std::span<const WorkPtr> batch, Attempt &attempt, const std::vector<Ran> &ran, const std::vector<bool> &stale);
    void write(store::Session &session, std::span<const WorkPtr> batch, Attempt &attempt);
    void count(std::span<const WorkPtr> batch, const Attempt &attempt, Counts &counts);
    void say_dead(const Attempt &attempt) const;
    void put_behind_gate(std::span<const WorkPtr> batch, const Attempt &attempt, Counts &counts);
    static void tally(std::span<const WorkPtr> batch, const Attempt &attempt, Counts &counts);
    void plan_retry(Attempt &attempt, std::size_t index, const HandlerResult &result);
    void say_ignored(const event::Event &event);
    void say_doubtful(const Attempt &attempt) const;

    const DomainSpec &spec_;
    const plugin::Description &description_;
    HandlerLanes &lanes_;
    KeyGate &gate_;
    PartitionKeeper &partitions_;
    OutboxRelay &relay_;
    std::set<std::string> ignored_types_; // those the log has told of
};

} // namespace weir::engine
