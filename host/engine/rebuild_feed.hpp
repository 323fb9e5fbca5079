// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "engine/domain.hpp"
#include "engine/kept_tables.hpp"
#include "event/contracts.hpp"
#include "event/decoder.hpp"
#include "store/store.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace weir::engine {

/**
 * What a rebuild reads: the events that the live domain has decided, in topic order, without its group. The worker on the shadow reads
 * through `consumer`, another thread steers. Thread-safe.
 *
 * Following, a partition is read up to the first event that the live domain has not decided. A pass goes on to the end and leaves such
 * events out, for events beyond one that waits may be decided; where a pass began is its floor, from which a later one has to begin again.
 */
class RebuildFeed {
public:
    /// What the live domain knows of some ids.
    struct Known {
        std::vector<event::Uuid> decided;       ///< sorted and unique, as what was asked for
        std::vector<store::PrunedRange> pruned; ///< where it has forgotten what it decided
    };
    /// How the live domain is asked. Ids are sorted and unique.
    struct Lookup {
        std::function<Known(std::span<const event::Uuid>)> known;
        std::function<std::vector<store::UnappliedEvent>(std::span<const event::Uuid>)> unapplied;
    };

    /// @param broker, spec, contracts outlive this
    RebuildFeed(broker::Broker &broker, const DomainSpec &spec, const event::Contracts &contracts);
    ~RebuildFeed();

    /// The worker's side. There is one at a time: an earlier one is forgotten with everything that it was given.
    std::unique_ptr<broker::Consumer> consumer();

    /// Events that are never handed out: operators gave them up.
    void leave_out(std::set<event::Uuid> ids);
    /// Who is to know which of the messages that are handed out have an event that the live domain has not applied.
    void tell(std::shared_ptr<KeptTables> kept);
    /// Messages that the topics don't keep any more, to be handed out before those that they keep.
    void prepend(std::vector<std::shared_ptr<const event::Message>> messages);
    /// Gaps in a topic are taken for granted: what was there is given up.
    void allow_gaps();
    /// Where a pass begins, or that of an earlier process began.
    void set_floors(const std::vector<store::StoredPosition> &floors);

    /// How far the live domain is decided without a gap.
    void set_decided_through(std::vector<store::StoredPosition> positions);

    void follow(Lookup lookup); ///< from the floors, where there was a pass
    void hold();                ///< hands out nothing more, and calls no lookup any more
    void pass(Lookup lookup);   ///< from the floors

    /// Where a pass that began now would begin.
    std::vector<store::StoredPosition> floors() const;
    /// Every partition was followed up to where the live domain is.
    bool at_front() const;
    /// Every partition was read to its end by this pass.
    bool passed() const;
    /// Handed out and not yet decided in the shadow.
    std::size_t outstanding() const;
    /// Decided in the shadow since this object was made.
    std::uint64_t done() const;
    /// Messages went out of a topic before they were read: which; empty where none did.
    std::string trimmed() const;
    /// What the broker said when it last could not be read; empty after it could.
    std::string error() const;

private:
    enum class Mode : std::uint8_t { following, holding, passing };
    struct Stream;
    class Reader;

    std::vector<broker::Partition> partitions();
    std::string incarnation(const broker::Partition &partition);
    void claim(const broker::Partition &partition, std::optional<event::Position> stored);
    void release(const broker::Partition &partition);
    std::vector<std::shared_ptr<const event::Message>> read(const broker::ReadLimits &limits, std::chrono::milliseconds wait);
    void ack(std::span<const std::shared_ptr<const event::Message>> messages);
    void wake();

    std::vector<std::shared_ptr<const event::Message>> collect(const broker::ReadLimits &limits);
    void collect_from(Stream &stream, const broker::ReadLimits &limits, std::vector<std::shared_ptr<const event::Message>> &out,
                      std::size_t &bytes);
    std::vector<bool> wanted(const std::vector<std::shared_ptr<const event::Message>> &page, std::vector<bool> &undecided);
    void tell_of(const std::vector<std::shared_ptr<const event::Message>> &messages);
    void change(Mode mode, Lookup lookup);
    void to_floors();

    broker::Broker &broker_;
    const DomainSpec &spec_;
    std::map<std::string, std::unique_ptr<event::Decoder>> decoders_; // by topic

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool woken_ = false;
    Mode mode_ = Mode::holding;
    Lookup lookup_;
    std::set<event::Uuid> left_out_;
    std::shared_ptr<KeptTables> kept_; // null: no table is kept
    std::vector<store::StoredPosition> through_;
    std::map<broker::Partition, std::unique_ptr<Stream>> streams_;
    std::map<broker::Partition, store::StoredPosition> floors_;
    std::map<broker::Partition, std::vector<std::shared_ptr<const event::Message>>> earlier_;
    std::uint64_t done_ = 0;
    bool gaps_allowed_ = false;
    bool looked_ = false; // for partitions
    std::string trimmed_;
    std::string error_;
};

} // namespace weir::engine
