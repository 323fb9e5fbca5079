// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/refused_row.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace weir::test {

/// A session that hands everything on to another, counts what a settlement asks of it, and may name other rows than the store does.
class WatchedSession final : public store::Session {
public:
    explicit WatchedSession(std::unique_ptr<store::Session> session) : session_(std::move(session)) {}

    std::size_t flushes = 0;
    std::size_t refusals = 0;
    std::size_t trips = 0; ///< in which something is flushed; a store may need more for two flushes at once
    /// Called before a transaction begins, on the caller's thread; it may throw.
    std::function<void()> before_begin;
    /// Which row a refused flush is said to be refused for, instead of the store's guess; nothing: it can't be told.
    std::function<std::optional<store::RefusedRow>(std::span<const store::TableFlush>)> name_row;

    /// Called before each look at the attempts of events.
    std::function<void()> before_attempts;

    std::vector<store::Attempts> attempts_of(std::span<const event::Uuid> ids) override {
        if (before_attempts) {
            before_attempts();
        }
        return session_->attempts_of(ids);
    }
    store::LedgerUpkeep maintain_ledger(const store::LedgerPolicy &policy) override { return session_->maintain_ledger(policy); }

    void flush(std::span<const store::TableFlush> tables) override {
        ++trips;
        ++flushes;
        try {
            session_->flush(tables);
        } catch (const store::DataRefused &refused) {
            throw_refusal(refused, tables);
        }
    }

    std::optional<store::DataRefused> flush_both(std::span<const store::TableFlush> first, std::span<const store::TableFlush> second,
                                                 int depth) override {
        ++trips;
        flushes += 2;
        try {
            auto refusal = session_->flush_both(first, second, depth);
            refusals += refusal ? 1 : 0;
            return refusal;
        } catch (const store::DataRefused &refused) {
            --flushes;
            throw_refusal(refused, first);
        }
    }

    store::FlushedAround flush_around(std::span<const store::TableFlush> first, std::span<const store::TableFlush> doubtful,
                                      std::span<const store::TableFlush> last, int depth) override {
        ++trips;
        flushes += 3;
        try {
            auto done = session_->flush_around(first, doubtful, last, depth);
            refusals += (done.doubtful ? 1 : 0) + (done.last ? 1 : 0);
            if (name_row && done.last) {
                done.last_row = name_row(last);
            }
            return done;
        } catch (const store::DataRefused &refused) {
            flushes -= 2;
            throw_refusal(refused, first);
        }
    }

    void begin(std::span<const store::Lease> leases) override {
        if (before_begin) {
            before_begin();
        }
        session_->begin(leases);
    }
    void begin_reading() override { session_->begin_reading(); }
    void commit() override { session_->commit(); }
    void rollback() noexcept override { session_->rollback(); }
    void savepoint(int depth) override { session_->savepoint(depth); }
    void rollback_to(int depth) override { session_->rollback_to(depth); }
    void release(int depth) override { session_->release(depth); }
    std::vector<event::Uuid> decided(std::span<const event::Uuid> ids) override { return session_->decided(ids); }
    const std::vector<store::PrunedRange> &pruned() override { return session_->pruned(); }
    std::vector<store::UnappliedEvent> unapplied(std::span<const event::Uuid> ids) override { return session_->unapplied(ids); }
    void record(std::span<const store::LedgerEntry> entries) override { session_->record(entries); }
    std::vector<std::optional<store::Row>> fetch(std::uint32_t table, std::span<const store::Key> keys) override {
        return session_->fetch(table, keys);
    }
    void note_route_change(std::uint32_t table) override { session_->note_route_change(table); }
    void add_dead_letters(std::span<const store::DeadLetter> letters) override { session_->add_dead_letters(letters); }
    void add_outbox(std::span<const store::OutboxEntry> entries) override { session_->add_outbox(entries); }
    void save_positions(std::span<const store::StoredPosition> positions) override { session_->save_positions(positions); }
    void save_attempts(std::span<const store::Attempts> attempts) override { session_->save_attempts(attempts); }
    void forget_attempts(std::span<const event::Uuid> ids) override { session_->forget_attempts(ids); }
    std::vector<store::Attempts> attempts() override { return session_->attempts(); }
    std::vector<store::StoredPosition> positions() override { return session_->positions(); }
    store::Figures figures() override { return session_->figures(); }
    std::vector<store::OutboxEntry> outbox(std::size_t limit) override { return session_->outbox(limit); }
    void remove_outbox(std::span<const std::int64_t> ids) override { session_->remove_outbox(ids); }
    std::optional<store::Lease> acquire_lease(const std::string &topic, std::uint32_t partition, const std::string &holder,
                                              std::chrono::milliseconds time_to_live) override {
        return session_->acquire_lease(topic, partition, holder, time_to_live);
    }
    void renew_leases(std::span<const store::Lease> leases, std::chrono::milliseconds time_to_live) override {
        session_->renew_leases(leases, time_to_live);
    }
    void release_leases(std::span<const store::Lease> leases) override { session_->release_leases(leases); }
    std::vector<store::DeadLetter> dead_letters(const store::DeadLetterFilter &filter) override { return session_->dead_letters(filter); }
    std::optional<store::DeadLetter> dead_letter(const event::Uuid &id) override { return session_->dead_letter(id); }
    std::optional<store::DeadLetter> lock_dead_letter(std::int64_t id) override { return session_->lock_dead_letter(id); }
    void settle_dead_letter(const store::DeadLetter &letter, store::DeadLetterStatus status, store::Outcome outcome) override {
        session_->settle_dead_letter(letter, status, outcome);
    }
    void note_replay_failure(const store::DeadLetter &letter, const event::Refusal &refusal) override {
        session_->note_replay_failure(letter, refusal);
    }
    store::LedgerCounts ledger_counts() override { return session_->ledger_counts(); }
    std::uint64_t count_rows(std::uint32_t table) override { return session_->count_rows(table); }
    std::vector<store::Row> scan(const Scan &scan) override { return session_->scan(scan); }

private:
    // Called from within a handler of the refusal.
    [[noreturn]] void throw_refusal(const store::DataRefused &refused, std::span<const store::TableFlush> tables) {
        ++refusals;
        if (!name_row) {
            throw;
        }
        if (auto row = name_row(tables)) {
            throw store::RowRefused(refused.what(), std::move(*row));
        }
        throw store::DataRefused(refused.what());
    }

    std::unique_ptr<store::Session> session_;
};

} // namespace weir::test
