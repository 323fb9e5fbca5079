// SPDX-License-Identifier: Apache-2.0
#include "engine/ledger_keeper.hpp"

#include "engine_fixture.hpp"
#include "log/log.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

using namespace weir;
using namespace weir::test;

namespace {

/// Standard error goes to a file while it lives.
class CaughtLog {
public:
    explicit CaughtLog(const std::filesystem::path &file) : file_(file), before_(::dup(STDERR_FILENO)) {
        const int to = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(to, STDERR_FILENO);
        ::close(to);
    }
    ~CaughtLog() {
        ::dup2(before_, STDERR_FILENO);
        ::close(before_);
    }
    CaughtLog(const CaughtLog &) = delete;
    CaughtLog &operator=(const CaughtLog &) = delete;

    int lines_with(const std::string &word) const {
        const std::string text = read_file(file_);
        int count = 0;
        for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
            ++count;
        }
        return count;
    }

private:
    std::filesystem::path file_;
    int before_;
};

/// What another program does to the domain's file, and the first column of the first row.
std::string other_program(const std::filesystem::path &file, const std::string &sql) {
    sqlite3 *database = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &database) == SQLITE_OK);
    sqlite3_busy_timeout(database, 10'000);
    std::string first;
    const int code = sqlite3_exec(
        database, sql.c_str(),
        [](void *out, int columns, char **values, char **) {
            *static_cast<std::string *>(out) = columns > 0 && values[0] ? values[0] : "";
            return 0;
        },
        &first, nullptr);
    CHECK(code == SQLITE_OK);
    sqlite3_close(database);
    return first;
}

/// The upkeep of a ledger alone, counted.
class Upkeeping final : public store::Session {
public:
    struct Counts {
        std::atomic<int> put_off{0};
        std::atomic<std::int64_t> patience_ms{0};
        std::atomic<bool> fails{false};
    };
    Upkeeping(std::unique_ptr<store::Session> session, Counts &counts) : session_(std::move(session)), counts_(counts) {}

    store::LedgerUpkeep maintain_ledger(const store::LedgerPolicy &policy) override {
        if (counts_.fails) {
            throw store::SchemaWrong("the ledger is somebody else's");
        }
        store::LedgerUpkeep done = session_->maintain_ledger(policy);
        counts_.put_off += done.in_the_way.empty() ? 0 : 1;
        counts_.patience_ms = policy.lock_patience.count();
        return done;
    }

    void begin(std::span<const store::Lease> leases) override { session_->begin(leases); }
    void begin_reading() override { session_->begin_reading(); }
    void commit() override { session_->commit(); }
    void rollback() noexcept override { session_->rollback(); }
    void savepoint(int depth) override { session_->savepoint(depth); }
    void rollback_to(int depth) override { session_->rollback_to(depth); }
    void release(int depth) override { session_->release(depth); }
    std::vector<event::Uuid> decided(std::span<const event::Uuid> ids) override { return session_->decided(ids); }
    const std::vector<store::PrunedRange> &pruned() override { return session_->pruned(); }
    void record(std::span<const store::LedgerEntry> entries) override { session_->record(entries); }
    std::vector<std::optional<store::Row>> fetch(std::uint32_t table, std::span<const store::Key> keys) override {
        return session_->fetch(table, keys);
    }
    void flush(std::span<const store::TableFlush> tables) override { session_->flush(tables); }
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
    void note_route_change(std::uint32_t table) override { session_->note_route_change(table); }
    std::uint64_t count_rows(std::uint32_t table) override { return session_->count_rows(table); }
    std::vector<store::Row> scan(const Scan &scan) override { return session_->scan(scan); }

private:
    std::unique_ptr<store::Session> session_;
    Counts &counts_;
};

class CountingDomain final : public store::DomainStore {
public:
    explicit CountingDomain(std::unique_ptr<store::DomainStore> domain) : domain_(std::move(domain)) {}
    store::MigrationSteps migrate(const store::Schema &schema) override { return domain_->migrate(schema); }
    store::MigrationSteps preview(const store::Schema &schema) override { return domain_->preview(schema); }
    std::unique_ptr<store::Session> open() override { return std::make_unique<Upkeeping>(domain_->open(), counts); }

    Upkeeping::Counts counts;

private:
    std::unique_ptr<store::DomainStore> domain_;
};

} // namespace

TEST_CASE(
    "while something holds the ledger, upkeep is tried ever more rarely and more patiently, told once, and done when the way is free") {
    EngineFixture fixture(std::chrono::milliseconds(20));
    CountingDomain domain(fixture.store->domain("items"));
    domain.migrate({});
    const auto holder = domain.open();
    const auto record = [&] {
        holder->begin({});
        holder->record(std::vector{store::LedgerEntry{event::Uuid::random(), event::now(), store::Outcome::applied}});
        holder->commit();
    };
    record();
    ::setenv("WEIR_TEST_LEDGER", "1", 1);
    const TemporaryDirectory directory;
    const CaughtLog log(directory / "log");
    log::configure(log::Level::debug, log::Format::json);
    engine::DomainSpec spec;
    spec.name = "items";
    std::vector<event::Uuid> ids{event::Uuid::random()};
    holder->begin({});    // SQLite: nobody else writes
    holder->decided(ids); // PostgreSQL: a share of the young ledger, as a backup has it
    {
        std::atomic<int> further{0};
        engine::LedgerKeeper keeper(spec, domain, [&](event::Micros, const std::function<bool()> &) { ++further; });
        ::unsetenv("WEIR_TEST_LEDGER");
        std::uint64_t decided = 0;
        const auto look = [&] { keeper.look(decided += 1'000'000, [] { return event::kLatest; }); };
        REQUIRE(eventually(
            [&] {
                look(); // as it does while events come
                return log.lines_with("ledger.waiting") > 0;
            },
            std::chrono::seconds(120)));
        CHECK(domain.counts.put_off <= 10);
        CHECK(domain.counts.patience_ms > 50);
        CHECK(log.lines_with("ledger.sealed") == 0);
        CHECK(eventually([&] { return further >= 2; }, std::chrono::seconds(60))); // meanwhile, again and again
        holder->rollback();
        CHECK(eventually(
            [&] {
                look();
                return log.lines_with("ledger.sealed") > 0;
            },
            std::chrono::seconds(60)));
        CHECK(log.lines_with("ledger.waiting") == 1);
    }
}

TEST_CASE("what else is kept is forgotten though the ledger can't be kept small, and either failure is told once") {
    EngineFixture fixture;
    CountingDomain domain(fixture.store->domain("items"));
    domain.migrate({});
    domain.counts.fails = true;
    ::setenv("WEIR_TEST_LEDGER", "1", 1);
    const TemporaryDirectory directory;
    const CaughtLog log(directory / "log");
    log::configure(log::Level::debug, log::Format::json);
    engine::DomainSpec spec;
    spec.name = "items";
    std::atomic<int> further{0};
    engine::LedgerKeeper keeper(spec, domain, [&](event::Micros, const std::function<bool()> &) {
        if (++further <= 2) {
            throw store::SchemaWrong("the requests are somebody else's");
        }
    });
    ::unsetenv("WEIR_TEST_LEDGER");
    std::uint64_t decided = 0;
    CHECK(eventually([&] {
        keeper.look(decided += 1'000'000, [] { return event::kLatest; });
        return further >= 4;
    }));
    CHECK(log.lines_with("the ledger is somebody else's") == 1);
    CHECK(log.lines_with("the requests are somebody else's") == 1);
}

TEST_CASE("what holds a pruned generation's table is told once, the ledger is kept small all the same, and the table goes when it can") {
    const TemporaryDirectory directory;
    const auto file = directory / "domain.db";
    store::sqlite::SqliteOptions options;
    options.directory = directory.path();
    const auto store = store::sqlite::open_sqlite_store(options);
    const auto domain = store->domain("domain");
    domain->migrate({});
    const auto ask = [&](const std::string &sql) { return other_program(file, sql); };
    ask("create table audit (event_id text references event_ledger (event_id))");
    const event::Micros long_ago = event::now() - 3'600'000'000;
    const auto decide = [&](int number) {
        const auto session = domain->open();
        session->record(std::vector{store::LedgerEntry{event::Uuid::random(), long_ago + number * 10'000'000, store::Outcome::applied}});
    };
    decide(1);
    ask("insert into audit select event_id from event_ledger");

    const CaughtLog log(directory / "log");
    log::configure(log::Level::warn, log::Format::json);
    engine::DomainSpec spec;
    spec.name = "domain";
    spec.options.ledger_horizon = std::chrono::seconds(1);
    engine::LedgerKeeper keeper(spec, *domain);
    std::uint64_t decided = 0;
    int generation = 0;
    const auto let_it_look = [&] {
        const std::string young = std::to_string(++generation + 1);
        REQUIRE(eventually([&] {
            keeper.look(decided += 1'000'000, [] { return event::kLatest; });
            return ask("select max(generation) from event_ledger_generations") == young;
        }));
    };
    let_it_look();
    for (int number = 2; number <= 5; ++number) { // seals, and prunes what is before
        decide(number);
        let_it_look();
    }
    REQUIRE(eventually([&] { return log.lines_with("ledger.not_kept") > 0; }));
    CHECK(eventually([&] { // the others are gone
        keeper.look(decided += 1'000'000, [] { return event::kLatest; });
        return ask("select group_concat(generation) from event_ledger_remains") == "1" &&
               ask("select count(*) from event_ledger_generations") == "2";
    }));
    CHECK(log.lines_with("ledger.not_kept") == 1);
    CHECK(log.lines_with("event_ledger_1") == 1);
    ask("drop table audit");
    CHECK(eventually([&] {
        keeper.look(decided += 1'000'000, [] { return event::kLatest; });
        return ask("select count(*) from event_ledger_remains") == "0";
    }));
    CHECK(log.lines_with("ledger.not_kept") == 1);
}
