// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/event.hpp"
#include "event/time.hpp"
#include "event/uuid.hpp"
#include "store/changes.hpp"
#include "store/errors.hpp"
#include "store/schema.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::store {

enum class Outcome : std::uint8_t { applied, stale, ignored, dead };
std::string_view outcome_name(Outcome outcome) noexcept;

struct LedgerEntry {
    event::Uuid event_id;
    event::Micros received_at = 0; ///< the broker's append time
    Outcome outcome = Outcome::applied;
    bool is_request = false; ///< to a route: counted apart from events
};

enum class DeadLetterStatus : std::uint8_t { pending, replayed, dropped };

struct DeadLetter {
    std::int64_t id = 0; ///< given by the store
    event::Uuid event_id;
    std::string topic;
    std::uint32_t partition = 0;
    std::string position;
    std::string event_type;
    std::optional<std::string> event_data; ///< the message as JSON, where it is JSON
    std::string raw;                       ///< its bytes
    std::string error_type;
    std::string error_message;
    std::uint32_t retry_count = 0;
    DeadLetterStatus status = DeadLetterStatus::pending;
    event::Micros created_at = 0;
    event::Micros updated_at = 0;
    std::string context; ///< JSON: key, headers, append time, incarnation: what a replay needs to decode it as it was
};

struct DeadLetterFilter {
    std::optional<DeadLetterStatus> status;
    std::string error_type; ///< empty: any
    std::string event_type; ///< empty: any
    std::string topic;      ///< empty: any
    std::int64_t after_id = 0;
    std::size_t limit = 100;
};

struct OutboxEntry {
    std::int64_t id = 0; ///< given by the store; ascending in the order of the commits
    event::Uuid event_id;
    std::string topic;
    std::string key;
    std::string event_type;
    std::string envelope; ///< JSON
    std::vector<event::Header> headers;
    event::Micros created_at = 0;
};

/// How far a partition is decided: every position up to `position` is in the ledger or was before; nothing where that is zero.
struct StoredPosition {
    std::string topic;
    std::uint32_t partition = 0;
    std::string incarnation;
    event::Position position;
    event::Position reached{}; ///< the furthest that was decided, where that is further: behind an event that waits, or by another host
};

/// The right to read a partition for a domain. Expires unless renewed; a higher epoch fences the lower.
struct Lease {
    std::string topic;
    std::uint32_t partition = 0;
    std::int64_t epoch = 0;
    std::string holder;
};

/// What is known of an event that isn't decided: attempts that ended in `retry`, and crashes of the host while its handler ran.
struct Attempts {
    event::Uuid event_id;
    std::uint32_t retries = 0;
    std::uint32_t crashes = 0;
    event::Micros retry_at = 0;
    std::string last_error;
};

/// How many events were ever decided, those included whose ids have been pruned.
struct LedgerCounts {
    std::uint64_t applied = 0; ///< stale ones included
    std::uint64_t stale = 0;
    std::uint64_t ignored = 0;
    std::uint64_t dead = 0;      ///< decided as dead letters, the replayed and dropped ones not included
    std::uint64_t requests = 0;  ///< to routes, in none of the others
    std::uint64_t undivided = 0; ///< of those applied: from when requests were counted with them, so that each may be either
};

/// What a domain has at one moment. [metrics]
struct Figures {
    std::uint64_t ledger_events = 0; ///< whose ids are known
    std::uint64_t dead_letters_pending = 0;
    std::uint64_t outbox_pending = 0;
};

/// How a ledger is to be kept. Times in microseconds; `now` is the wall clock's, a parameter so that tests need not wait.
struct LedgerPolicy {
    std::chrono::microseconds horizon{
        0}; ///< how long an id is known at least, by its event's append time and by the wall clock; 0: for ever
    event::Micros now = 0;
    event::Micros keep_from = event::kLatest;    ///< ids of events appended since then stay, such as those behind an event that waits
    std::uint64_t generation_events = 0;         ///< a generation is sealed at so many; 0: what the store finds best
    std::chrono::milliseconds lock_patience{20}; ///< how long a step may wait for a lock, where everybody else waits behind it
};

/// What one call of `maintain_ledger` did.
struct LedgerUpkeep {
    std::int64_t sealed = 0;          ///< the number of the generation that takes no more events; 0: none
    std::uint64_t indexed = 0;        ///< sealed generations that have got their filter
    std::uint64_t pruned_events = 0;  ///< ids that are no longer known
    event::Micros pruned_through = 0; ///< where any were: the append time of the last event among them
    std::uint64_t generations = 0;    ///< sealed ones that are kept
    bool more = false;                ///< something is left, or was put off because others were in the way: call again soon
    std::string in_the_way;           ///< why something was put off because others were in the way; empty: nothing was
    std::string refused; ///< what the store won't let happen, and what to do about it; the rest was done all the same. Empty: nothing
};

/// Where in a partition ids have been pruned, as far as it was `reached` then: an event that stands at or before `position`, was appended
/// at or before `appended_through`, and isn't in the ledger may have been decided.
struct PrunedRange {
    std::string topic;
    std::uint32_t partition = 0;
    std::string incarnation;
    event::Position position;
    event::Micros appended_through = 0;
};

/// An event that is decided and yet has no effect in the domain's rows: ignored, or a dead letter that nobody has replayed.
struct UnappliedEvent {
    event::Uuid event_id;
    std::string context; ///< of its dead letter; empty where it has none
};

struct FlushedAround; // in refused_row.hpp

/**
 * One connection to a domain's schema, used by one thread at a time. Everything between `begin` and `commit` is one transaction; any
 * exception but DataRefused leaves it to be ended by `rollback`. Never holds a statement open between calls.
 */
class Session {
public:
    virtual ~Session() = default;

    /// Begins, locks the lease rows and checks their epochs; throws Fenced. Leases may be empty (routes, replay).
    virtual void begin(std::span<const Lease> leases) = 0;
    /// Begins a transaction that only reads: all of it sees what was committed when it first reads, and it waits for nobody. What writes or
    /// locks throws Unavailable in it. Ended by `rollback`.
    virtual void begin_reading() = 0;
    /// Commits; returns only where the server said that it did. Throws InDoubt where that is not known.
    virtual void commit() = 0;
    /// Ends the transaction, if there is one; never throws. A broken session stays broken: open another.
    virtual void rollback() noexcept = 0;

    /// Savepoints nest; `rollback_to` leaves the savepoint open, as SQL does.
    virtual void savepoint(int depth) = 0;
    virtual void rollback_to(int depth) = 0;
    virtual void release(int depth) = 0;

    /// Which of these ids the ledger or the dead-letter queue holds. Ids are sorted and unique; so is the result.
    virtual std::vector<event::Uuid> decided(std::span<const event::Uuid> ids) = 0;
    /// What the last `decided` could not know any more. Empty where nothing was ever pruned.
    virtual const std::vector<PrunedRange> &pruned();
    /// Which of these ids are unapplied. Ids are sorted and unique; so is the result. A store that makes no domain anew needn't know.
    virtual std::vector<UnappliedEvent> unapplied(std::span<const event::Uuid> ids);
    /// Writes decided events; ids are sorted and unique. RunAgain where one is there already, or the ledger has changed since `decided`.
    virtual void record(std::span<const LedgerEntry> entries) = 0;
    /**
     * Keeps the ledger small where events are recorded, and prunes what is beyond the horizon: one step a call, in a short transaction of
     * its own. To be called now and then, by any host, on a session that runs no batches. Ids with dead letters stay known. Harmless to
     * repeat, and to be killed in. A store that doesn't do it keeps everything.
     */
    virtual LedgerUpkeep maintain_ledger(const LedgerPolicy &policy);

    /// Rows by key, locked until the transaction ends. Keys are sorted and unique; the result is in their order.
    virtual std::vector<std::optional<Row>> fetch(std::uint32_t table, std::span<const Key> keys) = 0;
    /// Writes a batch's rows. Throws DataRefused (constraints), RunAgain (a created row exists).
    virtual void flush(std::span<const TableFlush> tables) = 0;
    /// Flushes `first`, then `second` within a savepoint. @return why the second was refused, of which nothing is left then
    virtual std::optional<DataRefused> flush_both(std::span<const TableFlush> first, std::span<const TableFlush> second, int depth);
    /// Flushes `first`; tries `doubtful` upon it, which is to be refused, and leaves nothing of it; flushes `last` upon `first`. What is
    /// refused of `last` leaves `first`. Where `doubtful` is taken after all, `last` may be there or not: the caller rolls all of it back.
    virtual FlushedAround flush_around(std::span<const TableFlush> first, std::span<const TableFlush> doubtful,
                                       std::span<const TableFlush> last, int depth);

    virtual void add_dead_letters(std::span<const DeadLetter> letters) = 0;
    virtual void add_outbox(std::span<const OutboxEntry> entries) = 0;
    /// What is stored and further on, of the same incarnation, stays: either of the two for itself.
    virtual void save_positions(std::span<const StoredPosition> positions) = 0;
    /// Counts that are stored and higher stay, as does the time of more retries: several hosts may know of one event.
    virtual void save_attempts(std::span<const Attempts> attempts) = 0;
    virtual void forget_attempts(std::span<const event::Uuid> ids) = 0;
    /// Notes, once a table, that a route changes its rows, which no event makes again. Within the transaction.
    virtual void note_route_change(std::uint32_t table) = 0;

    /* Each of the following is a transaction of its own, unless one was begun. */

    virtual std::vector<Attempts> attempts() = 0;
    /// Those of these events, as far as there are any. This one looks through all.
    virtual std::vector<Attempts> attempts_of(std::span<const event::Uuid> ids);
    virtual std::vector<StoredPosition> positions() = 0;
    /// How much of each there is; reads the same on any session of the domain.
    virtual Figures figures() = 0;

    /// The oldest entries of the outbox, in order.
    virtual std::vector<OutboxEntry> outbox(std::size_t limit) = 0;
    /// Removes entries that have been published.
    virtual void remove_outbox(std::span<const std::int64_t> ids) = 0;

    /// Takes the lease where it is free, expired, its holder's already, or its holder is known to be gone; bumps the epoch unless it was
    /// the holder's. Nothing where another holds it.
    virtual std::optional<Lease> acquire_lease(const std::string &topic, std::uint32_t partition, const std::string &holder,
                                               std::chrono::milliseconds time_to_live) = 0;
    /// Puts the expiry off. Throws Fenced.
    virtual void renew_leases(std::span<const Lease> leases, std::chrono::milliseconds time_to_live) = 0;
    /// Gives leases back; those that are another's by now are left alone.
    virtual void release_leases(std::span<const Lease> leases) = 0;

    virtual std::vector<DeadLetter> dead_letters(const DeadLetterFilter &filter) = 0;
    virtual std::optional<DeadLetter> dead_letter(const event::Uuid &event_id) = 0;
    /// Locks a pending dead letter within the transaction; nothing where it isn't pending any more.
    virtual std::optional<DeadLetter> lock_dead_letter(std::int64_t id) = 0;
    /// Marks it, and where `replayed`, changes the ledger's outcome from dead to `outcome`. Within the transaction.
    virtual void settle_dead_letter(const DeadLetter &letter, DeadLetterStatus status, Outcome outcome) = 0;
    /// Notes a replay that failed: its new reason and one more retry.
    virtual void note_replay_failure(const DeadLetter &letter, const event::Refusal &refusal) = 0;

    virtual LedgerCounts ledger_counts() = 0;
    virtual std::uint64_t count_rows(std::uint32_t table) = 0;

    /// Up to `limit` rows along an index (no index: the primary key), inclusive prefix bounds, after a full position or from the start.
    struct Scan {
        std::uint32_t table = 0;
        std::optional<std::uint32_t> index;
        Key from;
        Key to;
        Key after;
        std::uint32_t limit = 100;
    };
    virtual std::vector<Row> scan(const Scan &scan) = 0;
};

/// What a migration did, for the log: "created table user_prefs", "added column identity_projection.status".
using MigrationSteps = std::vector<std::string>;

/// One domain's schema in a store. Thread-safe.
class DomainStore {
public:
    virtual ~DomainStore() = default;

    /// Creates and additively changes the tables, the standard ones included, in one transaction. Throws SchemaWrong, with everything that
    /// doesn't fit, before it changed anything. Sessions opened afterwards know the schema. Harmless to repeat, and for two at once.
    virtual MigrationSteps migrate(const Schema &schema) = 0;
    /// What `migrate` would do now, without doing it; empty: nothing, so that it would change nothing either. Throws SchemaWrong where it
    /// would, with everything that doesn't fit. The domain's schema has to be there.
    virtual MigrationSteps preview(const Schema &schema) = 0;

    /// Opens a session for the schema last migrated (or, for operators' commands before any migration, for the standard tables alone).
    virtual std::unique_ptr<Session> open() = 0;

    /// How many sessions are worth having a batch under way at once, each with other keys.
    virtual std::size_t batches_at_once() const { return 1; }

    /// Those of a plugin's tables that another program had made, and that were not made anew from events since: their rows may come from no
    /// event.
    virtual std::vector<std::string> adopted_tables(const Schema &) { return {}; }
    /// Those of a plugin's tables of which `Session::note_route_change` says so.
    virtual std::vector<std::string> route_tables(const Schema &) { return {}; }
};

/// What a replacement wrote.
struct ReplacementCounts {
    std::uint64_t rows_removed = 0;
    std::uint64_t rows_changed = 0;
    std::uint64_t rows_added = 0;
    std::uint64_t rows_kept = 0;        ///< that the shadow hasn't, because rows of tables that stay refer to them
    std::uint64_t outcomes_changed = 0; ///< of events that the ledger held already
    std::uint64_t letters_resolved = 0; ///< events that were dead and aren't any more
    std::uint64_t letters_renewed = 0;  ///< dead again: id and time stay, the reason is the new one
    std::uint64_t letters_added = 0;
    std::uint64_t letters_overtaken = 0; ///< dropped by an operator after the shadow had applied them: said to be replayed
};

/// Members of a dead letter's context, arrays of names: tables whose rows stayed when a replacement made the letter, and have its event's
/// effect; tables of which rows were kept that may have it.
inline constexpr std::string_view kKeptTables = "kept_tables";
inline constexpr std::string_view kKeptRowsOf = "kept_rows_of";

/**
 * Puts what a shadow holds in the place of what a domain holds, in one transaction. From the time it is made to its end no other session
 * commits a batch to the domain; readers go on reading what was there. One thread at a time. Where `commit` hasn't returned, the domain is
 * as it was.
 */
class Replacement {
public:
    virtual ~Replacement() = default;

    /// As the domain's own session says it, within the transaction.
    virtual std::vector<event::Uuid> decided(std::span<const event::Uuid> ids) = 0;
    virtual const std::vector<PrunedRange> &pruned() = 0;
    virtual std::vector<UnappliedEvent> unapplied(std::span<const event::Uuid> ids) = 0;
    virtual std::vector<StoredPosition> positions() = 0;
    virtual LedgerCounts ledger_counts() = 0;

    /**
     * Writes what differs, and commits. Rows of the domain's own tables are the shadow's afterwards; columns that no plugin declared stay
     * in the rows that stay. Tables that routes change stay: missing rows are added, and rows of other tables to which theirs refer are
     * kept, also by way of others. Ledger: what the shadow has decided, decided so; ids that the shadow doesn't know stay. Dead letters:
     * see ReplacementCounts; what an operator dropped stays dropped, what was replayed and is dead in the shadow is pending again, and
     * letters of events that the shadow has not decided stay. A letter of an event that was applied says in its context which rows have
     * its effect all the same: see `kKeptTables`. Outbox, positions, leases and attempts stay. Throws what `Session::commit` throws,
     * Unavailable, RunAgain, SchemaWrong; DataRefused names the tables.
     *
     * The shadow holds no effect of an unapplied event on a table that stays: whoever makes it sees to that.
     */
    virtual ReplacementCounts commit() = 0;
};

/// The schema in which a domain is made anew: `<schema>__rebuild`, cut with a hash where that is too long.
std::string shadow_schema_name(const std::string &schema_name);
/// Whether a name is one that `shadow_schema_name` gives; no domain may be called so.
bool is_shadow_schema(const std::string &schema_name);

/// A place where domains' schemas live. Thread-safe.
class Store {
public:
    virtual ~Store() = default;

    /// Begins to replace what a domain holds by its shadow. Both have been migrated to `tables`. Throws what `Session::begin` throws;
    /// RunAgain where others hold the domain for too long.
    virtual std::unique_ptr<Replacement> replace_by_shadow(const std::string &schema_name, const Schema &tables);
    /// Removes a domain's shadow with everything in it; harmless where there is none. Nobody has it open.
    virtual void remove_shadow(const std::string &schema_name);

    /// @param schema_name `[a-z_][a-z0-9_]{0,62}`
    virtual std::unique_ptr<DomainStore> domain(const std::string &schema_name) = 0;
    /// Whether a schema is there already, so that operators' commands don't make one by a typing error.
    virtual bool has_domain(const std::string &schema_name) = 0;
    /// For a process that ends: no call of this store waits for a server any longer, on any thread. Those that wait throw, as do all that
    /// come.
    virtual void give_up() noexcept {}
    /// One sentence on what a commit survives, for `config check`.
    virtual std::string guarantee() const = 0;
};

} // namespace weir::store
