// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "layout.hpp"
#include "place.hpp"
#include "presence.hpp"

#include "store/ledger_generations.hpp"
#include "store/store.hpp"

#include <memory>

namespace weir::store::postgresql {

class FlushStatements;

/**
 * A session on one schema. It borrows a connection for each transaction, takes on the domain's role in it, and gives it back. What needs no
 * answer waits for the next statement that does, and travels with it. Where its parts are: session.cpp transactions, ledger.cpp,
 * ledger_upkeep.cpp, rows.cpp, flush.cpp, scan.cpp, leases.cpp, dead_letters.cpp, bookkeeping.cpp, outbox.cpp.
 */
class PostgresqlSession final : public Session {
public:
    /// @param owner whatever has to live as long: a session may outlive the store that opened it
    PostgresqlSession(Place place, std::shared_ptr<const Layout> layout, Presence &presence, std::shared_ptr<LedgerFilters> filters,
                      std::shared_ptr<void> owner);
    ~PostgresqlSession() override { rollback(); }

    /// The connection for statements of SOCI, when everything that waited is done. In a transaction.
    Connection &connection();
    /// Where the connection is still held.
    void restore_reply_timeout(std::chrono::milliseconds timeout) noexcept {
        if (connection_) {
            connection_->set_reply_timeout(timeout);
        }
    }

    void begin(std::span<const Lease> leases) override;
    void begin_reading() override { open_transaction("begin isolation level repeatable read read only"); }
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
    std::optional<DataRefused> flush_both(std::span<const TableFlush> first, std::span<const TableFlush> second, int depth) override;
    FlushedAround flush_around(std::span<const TableFlush> first, std::span<const TableFlush> doubtful, std::span<const TableFlush> last,
                               int depth) override;
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
    void open_transaction(const char *begin);
    const TableLayout &table_of(std::uint32_t table) const;
    void write(std::span<const TableFlush> tables, FlushStatements &statements);
    std::string qualified(const char *table) const { return place_.qualified(table); }

    /// Keeps a command that needs no answer for the next exchange.
    void defer(Command command) { waiting_.push_back(std::move(command)); }
    void defer(std::string sql) { waiting_.push_back({std::move(sql), {}, false}); }
    /// Sends what waits and these commands. @return the answers to these
    std::vector<Reply> exchange(std::vector<Command> commands);
    /// The same of two, in one trip, in a transaction in which something was done. Not retried.
    Connection::Both exchange_both(std::vector<Command> first, std::vector<Command> second);
    Connection &live() { return connection(); }

    /// Runs `work` in the transaction that was begun, or in one of its own.
    template <class Work> decltype(auto) within_transaction(Work &&work) {
        struct Own {
            PostgresqlSession &session;
            bool open = false;
            ~Own() {
                if (open) {
                    session.rollback();
                }
            }
        } own{*this};
        if (!connection_) {
            begin({});
            own.open = true;
        }
        if constexpr (std::is_void_v<decltype(work())>) {
            work();
            if (own.open) {
                commit();
                own.open = false;
            }
        } else {
            auto result = work();
            if (own.open) {
                commit();
                own.open = false;
            }
            return result;
        }
    }

    void see_generations(std::int64_t oldest, std::int64_t young);
    void load_filters();
    std::vector<event::Uuid> candidates(std::int64_t generation, std::span<const event::Uuid> ids) const;
    std::vector<event::Uuid> in_ledger(std::span<const event::Uuid> ids, bool letters);
    bool change_outcome(const event::Uuid &id, Outcome outcome);
    Command count_outcomes(Parameter outcomes, Parameter differences, Parameter requests) const;
    std::vector<DeadLetter> read_dead_letters(const std::string &condition, const std::vector<std::string> &values);

    std::shared_ptr<void> owner_; // first: goes last
    Place place_;
    std::shared_ptr<const Layout> layout_;
    Presence &presence_;
    std::shared_ptr<LedgerFilters> filters_;
    std::int64_t oldest_ = -1; ///< the generations that `decided` saw last; the young one is the last, 0: no generations yet
    std::int64_t young_ = -1;
    std::int64_t missed_ = -1; ///< the oldest generation when the table of one wasn't there
    bool has_asked_ = false;   ///< whether it saw them in this transaction
    std::vector<PrunedRange> pruned_;
    Pool::Lent connection_; ///< while a transaction is open
    std::uint64_t last_connection_ = 0;
    bool has_begun_ = false;    ///< whether the server knows of the transaction
    bool is_immediate_ = false; ///< whether a flush of this transaction has had all constraints looked at
    bool wants_new_ = false;    ///< the last connection broke, perhaps for statements that were out of date: the next one knows none
    std::vector<Command> waiting_;
};

} // namespace weir::store::postgresql
