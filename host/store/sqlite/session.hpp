// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"
#include "holders.hpp"

#include "store/ledger_generations.hpp"

#include <memory>

namespace weir::store::sqlite {

/// A session on one file. Where its parts are: session.cpp transactions, ledger.cpp, ledger_upkeep.cpp, rows.cpp, flush.cpp, scan.cpp,
/// leases.cpp, dead_letters.cpp, bookkeeping.cpp.
class SqliteSession final : public Session {
public:
    SqliteSession(const Place &place, std::shared_ptr<const Schema> schema, std::shared_ptr<Holders> holders,
                  std::shared_ptr<LedgerFilters> filters);

    Connection &connection() noexcept { return connection_; }

    void begin(std::span<const Lease> leases) override;
    void begin_reading() override;
    void commit() override;
    void rollback() noexcept override;
    void savepoint(int depth) override;
    void rollback_to(int depth) override;
    void release(int depth) override;

    std::vector<event::Uuid> decided(std::span<const event::Uuid> ids) override;
    std::vector<UnappliedEvent> unapplied(std::span<const event::Uuid> ids) override;
    const std::vector<PrunedRange> &pruned() override { return pruned_; }
    void record(std::span<const LedgerEntry> entries) override;
    LedgerUpkeep maintain_ledger(const LedgerPolicy &policy) override;
    LedgerCounts ledger_counts() override;
    Figures figures() override;

    std::vector<std::optional<Row>> fetch(std::uint32_t table, std::span<const Key> keys) override;
    void flush(std::span<const TableFlush> tables) override;
    std::uint64_t count_rows(std::uint32_t table) override;
    std::vector<Row> scan(const Scan &scan) override;

    void add_outbox(std::span<const OutboxEntry> entries) override;
    std::vector<OutboxEntry> outbox(std::size_t limit) override;
    void remove_outbox(std::span<const std::int64_t> ids) override;
    void save_positions(std::span<const StoredPosition> positions) override;
    std::vector<StoredPosition> positions() override;
    void save_attempts(std::span<const Attempts> attempts) override;
    void forget_attempts(std::span<const event::Uuid> ids) override;
    std::vector<Attempts> attempts() override;
    std::vector<Attempts> attempts_of(std::span<const event::Uuid> ids) override;
    void note_route_change(std::uint32_t table) override;

    std::optional<Lease> acquire_lease(const std::string &topic, std::uint32_t partition, const std::string &holder,
                                       std::chrono::milliseconds time_to_live) override;
    void renew_leases(std::span<const Lease> leases, std::chrono::milliseconds time_to_live) override;
    void release_leases(std::span<const Lease> leases) override;

    void add_dead_letters(std::span<const DeadLetter> letters) override;
    std::vector<DeadLetter> dead_letters(const DeadLetterFilter &filter) override;
    std::optional<DeadLetter> dead_letter(const event::Uuid &event_id) override;
    std::optional<DeadLetter> lock_dead_letter(std::int64_t id) override;
    void settle_dead_letter(const DeadLetter &letter, DeadLetterStatus status, Outcome outcome) override;
    void note_replay_failure(const DeadLetter &letter, const event::Refusal &refusal) override;

private:
    const Table &table_of(std::uint32_t table) const;
    std::string name_of(std::uint32_t table) const;
    /// Whether the stored lease is the one given; for that transaction.
    bool holds(const Lease &lease);
    void sweep_holders();
    void count_outcome(Outcome outcome, std::int64_t difference, std::int64_t requests = 0);

    void see_generations();
    std::vector<event::Uuid> in_ledger(std::span<const event::Uuid> ids);
    void find_in(std::string_view table, std::span<const event::Uuid> ids, std::vector<event::Uuid> &found);
    std::vector<event::Uuid> candidates(std::int64_t generation, std::span<const event::Uuid> ids);
    bool change_outcome(const event::Uuid &id, Outcome outcome);
    std::vector<LedgerGeneration> generations();
    bool remove_remains(LedgerUpkeep &done);
    bool index_generation(const std::vector<LedgerGeneration> &generations);
    bool prune(const LedgerPolicy &policy, LedgerUpkeep &done);
    bool seal(const LedgerPolicy &policy, LedgerUpkeep &done);

    void erase_rows(const TableFlush &flush);
    void write_changed(const TableFlush &flush);
    void write_changed_anew(const TableFlush &flush);
    void insert_rows(std::uint32_t table, std::span<const Row> rows, KeyConflict conflict);
    void write_blind(std::uint32_t table, const BlindWrite &write);

    Connection connection_;
    std::shared_ptr<const Schema> schema_;
    std::shared_ptr<Holders> holders_;
    std::shared_ptr<LedgerFilters> filters_;
    std::int64_t oldest_ = -1; ///< the generations that `decided` saw last; the young one is the last, 0: no generations yet
    std::int64_t young_ = -1;
    std::vector<PrunedRange> pruned_;
    bool has_references_ = false;
    bool swept_ = false;
};

} // namespace weir::store::sqlite
