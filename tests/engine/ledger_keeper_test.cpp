// SPDX-License-Identifier: Apache-2.0
#include "engine/ledger_keeper.hpp"

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

} // namespace

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
