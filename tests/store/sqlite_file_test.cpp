// SPDX-License-Identifier: Apache-2.0
#include "child_process.hpp"
#include "contract_schema.hpp"
#include "sqlite_files.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace weir;
using namespace weir::store;
using namespace weir::test;

namespace {

mode_t mode_of(const std::filesystem::path &path) {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 0777;
}

void record(Session &session, std::uint64_t number) {
    const std::vector<LedgerEntry> entry = {{id_of(number), 1'700'000'000'000'000, Outcome::applied}};
    session.begin({});
    session.record(entry);
    session.commit();
}

/// Writes batches until the disk is full, makes room, and goes on. @return what is broken, or nothing
std::string fill_the_disk(const std::filesystem::path &directory, const std::function<void()> &make_room) {
    auto store = open_at(directory);
    auto domain = contract_domain(*store);
    auto session = domain->open();
    std::uint64_t batches = 0;
    const auto write = [&](std::uint64_t n) {
        std::vector<LedgerEntry> entries;
        for (std::uint64_t i = 0; i < 500; ++i) {
            entries.push_back({id_of(n * 500 + i), 1, Outcome::applied});
        }
        DeadLetter letter;
        letter.event_id = id_of(n);
        letter.raw = std::string(100'000, 'x');
        session->begin({});
        session->record(entries);
        session->add_dead_letters(std::vector{letter});
        session->commit();
    };
    bool was_full = false;
    for (; batches < 10'000 && !was_full; ++batches) {
        try {
            write(batches);
        } catch (const Unavailable &error) {
            was_full = true;
            if (std::string(error.what()).find("contract.db") == std::string::npos) {
                return std::string("the message doesn't name the file: ") + error.what();
            }
            --batches;
        } catch (const InDoubt &) {
            was_full = true;
        }
    }
    if (!was_full) {
        return "the disk was never full";
    }
    session->rollback();
    for (int again = 0; again < 3; ++again) { // it stays full: the same again, and nothing else
        try {
            write(batches);
            break;
        } catch (const Unavailable &) {
            session->rollback();
        }
    }
    make_room();
    session->rollback();
    session = domain->open();
    std::uint64_t held = session->ledger_counts().applied;
    if (held % 500 != 0) {
        return "half a batch is there";
    }
    if (held / 500 < batches) {
        return "a committed batch is lost";
    }
    for (std::uint64_t n = held / 500; n < held / 500 + 3; ++n) {
        write(n);
    }
    return session->ledger_counts().applied == held + 1500 ? "" : "it doesn't go on when there is room again";
}

} // namespace

TEST_CASE("the store's directory and files belong to their user alone") {
    const TemporaryDirectory directory;
    const auto place = directory / "deep";
    auto store = open_at(place / "store");
    auto session = contract_domain(*store)->open();
    record(*session, 1);
    CHECK(mode_of(place / "store") == 0700);
    CHECK(mode_of(place / "store" / "contract.db") == 0600);
    CHECK(mode_of(place / "store" / "contract.db-wal") == 0600);
}

TEST_CASE("a directory or file that every user may write to is refused, with what to do") {
    const TemporaryDirectory directory;
    ::chmod(directory.path().c_str(), 0777);
    const std::string open_directory = message_of<SchemaWrong>([&] { contract_domain(*open_at(directory.path())); });
    CHECK(open_directory.find("chmod o-w " + directory.path().string()) != std::string::npos);
    ::chmod(directory.path().c_str(), 0700);
    contract_domain(*open_at(directory.path()));
    ::chmod((directory / "contract.db").c_str(), 0666);
    CHECK(message_of<SchemaWrong>([&] { contract_domain(*open_at(directory.path())); }).find("contract.db") != std::string::npos);
}

TEST_CASE("the rows can be read with the sqlite3 shell: uuids and times as text") {
    const TemporaryDirectory directory;
    {
        auto session = contract_domain(*open_at(directory / "s"))->open();
        record(*session, 255);
    }
    const auto file = directory / "s" / "contract.db";
    CHECK(one_text(file, "select event_id || ' ' || received_at || ' ' || outcome from event_ledger") ==
          "00000000-0000-0000-0000-0000000000ff 2023-11-14T22:13:20.000000Z applied");
    CHECK(one_text(file, "pragma integrity_check") == "ok");
    CHECK(one_text(file, "select count(*) from pragma_table_list where schema = 'main' and type = 'table' and strict = 0 and name not like "
                         "'sqlite_%'") == "0");
}

TEST_CASE("a file that is no database is refused with what to do, and left as it is") {
    const TemporaryDirectory directory;
    write_file(directory / "contract.db", std::string(8192, 'x'));
    const std::string message = message_of<SchemaWrong>([&] { contract_domain(*open_at(directory.path())); });
    CHECK(message.find("restore") != std::string::npos);
    CHECK(message.find("contract.db") != std::string::npos);
    CHECK(read_file(directory / "contract.db") == std::string(8192, 'x'));
}

TEST_CASE("a damaged file is told from an outage") {
    const TemporaryDirectory directory;
    {
        auto session = contract_domain(*open_at(directory.path()))->open();
        for (std::uint64_t i = 0; i < 50; ++i) {
            std::vector<LedgerEntry> entries;
            for (std::uint64_t k = 0; k < 100; ++k) {
                entries.push_back({id_of(i * 100 + k), 1, Outcome::applied});
            }
            session->begin({});
            session->record(entries);
            session->commit();
        }
    }
    std::string content = read_file(directory / "contract.db");
    REQUIRE(content.size() > 20 * 4096);
    for (std::size_t page = 2; page < content.size() / 4096; ++page) {
        content.replace(page * 4096, 64, 64, '\xAA');
    }
    write_file(directory / "contract.db", content);
    CHECK_FALSE(message_of<SchemaWrong>([&] {
                    auto domain = open_at(directory.path())->domain("contract");
                    auto session = domain->open();
                    session->ledger_counts();
                }).empty());
}

TEST_CASE("a file that is taken away while it is in use is an outage, not a new beginning") {
    const TemporaryDirectory directory;
    auto store = open_at(directory / "s");
    auto session = contract_domain(*store)->open();
    record(*session, 1);
    std::filesystem::rename(directory / "s" / "contract.db", directory / "s" / "elsewhere.db");
    CHECK_THROWS_AS(session->begin({}), Unavailable);
    session->rollback();
    std::filesystem::rename(directory / "s" / "elsewhere.db", directory / "s" / "contract.db");
    record(*session, 2);
}

TEST_CASE("on a full disk nothing is torn, and the domain goes on when there is room again") {
    const TemporaryDirectory directory;
    const auto small = directory / "small";
    std::filesystem::create_directory(small);
    if (::mount("none", small.c_str(), "tmpfs", 0, "size=6m,mode=0700") == 0) {
        const std::string broken = fill_the_disk(
            small / "store", [&] { REQUIRE(::mount("none", small.c_str(), "tmpfs", MS_REMOUNT, "size=64m,mode=0700") == 0); });
        ::umount2(small.c_str(), MNT_DETACH);
        CHECK(broken == "");
        return;
    }
    WARN("no file system can be mounted here: a limit on the size of files stands in for the full disk");
    ChildProcess child([&](const ChildProcess::Say &say) {
        ::signal(SIGXFSZ, SIG_IGN);
        rlimit limit{6u << 20, RLIM_INFINITY};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        say(fill_the_disk(directory / "store", [] {
            rlimit none{RLIM_INFINITY, RLIM_INFINITY};
            ::setrlimit(RLIMIT_FSIZE, &none);
        }));
        return 0;
    });
    CHECK(child.line() == "");
    CHECK(child.wait() == 0);
}

TEST_CASE("a store that can't be written is an outage that names the directory and the setting") {
    const TemporaryDirectory directory;
    const auto place = directory / "store";
    contract_domain(*open_at(place));
    if (::geteuid() == 0) { // root may write anywhere: as somebody else, who may read
        ::chmod(directory.path().c_str(), 0755);
        ::chmod(place.c_str(), 0755);
        ::chmod((place / "contract.db").c_str(), 0644);
    } else {
        ::chmod((place / "contract.db").c_str(), 0400);
        ::chmod(place.c_str(), 0500);
    }
    ChildProcess child([&](const ChildProcess::Say &say) {
        if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) {
            say("no other user");
            return 1;
        }
        try {
            contract_domain(*open_at(place))->open()->begin({});
            say("it was written");
        } catch (const Unavailable &error) {
            say(error.what());
        }
        try {
            contract_domain(*open_at(place / "below"));
            say("it was made");
        } catch (const Unavailable &error) {
            say(error.what());
        }
        return 0;
    });
    const std::string message = child.line();
    CHECK(message.find(place.string()) != std::string::npos);
    CHECK(message.find("WEIR_STORE_URL") != std::string::npos);
    CHECK(child.line().find((place / "below").string()) != std::string::npos);
    CHECK(child.wait() == 0);
    ::chmod(place.c_str(), 0700);
}

TEST_CASE("a session can't reach another schema's file") {
    // One file is attached a connection, and room for a second is closed: a table of the other schema has no name here. All that a plugin
    // says are table and column numbers of its own schema; even a declared name that spells the other's table stays a name.
    const TemporaryDirectory directory;
    auto store = open_at(directory.path());
    auto other = store->domain("other");
    other->migrate(contract_schema());
    const std::string before = read_file(directory / "other.db");
    Table table;
    table.name = "other\".\"people";
    table.columns.resize(1);
    table.columns[0].name = "name\" text); attach database 'other.db' as other; --";
    table.primary_key = {0};
    auto domain = store->domain("mine");
    CHECK_THROWS_AS(domain->migrate(Schema{{table}}), SchemaWrong);
    domain->migrate({});
    auto session = domain->open();
    CHECK_THROWS_AS(session->count_rows(people::kTable), SchemaWrong);
    CHECK_THROWS_AS(session->fetch(people::kTable, std::vector<Key>{{std::string("ada")}}), SchemaWrong);
    record(*session, 1);
    CHECK(read_file(directory / "other.db") == before);
    CHECK(other->open()->ledger_counts().applied == 0);
    CHECK_THROWS_AS(store->domain("main")->migrate({}), SchemaWrong);
}

TEST_CASE("a transaction that waits longer than the busy timeout is told to run again") {
    const TemporaryDirectory directory;
    sqlite::SqliteOptions options;
    options.directory = directory.path();
    options.busy_timeout = std::chrono::milliseconds(20);
    const auto store = sqlite::open_sqlite_store(options);
    const auto domain = contract_domain(*store);
    auto a = domain->open();
    auto b = domain->open();
    a->begin({});
    CHECK_THROWS_AS(b->begin({}), RunAgain);
    b->rollback();
    a->commit();
    record(*b, 1);
}

TEST_CASE("files of holders that are gone are swept when no lease names them") {
    const TemporaryDirectory directory;
    const auto holders = directory / ".holders";
    const auto files = [&] {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator(holders)) {
            ++count;
        }
        return count;
    };
    contract_domain(*open_at(directory.path()));
    {
        ChildProcess child([&](const ChildProcess::Say &say) {
            auto domain = contract_domain(*open_at(directory.path()));
            auto session = domain->open();
            session->acquire_lease("t", 0, "killed / with a \"strange\" name", std::chrono::minutes(10));
            session->acquire_lease("t", 1, "killed-too", std::chrono::minutes(10));
            say("holds");
            ChildProcess::wait_for_parent();
            return 0;
        });
        CHECK(child.line() == "holds");
        CHECK(files() == 2);
        child.kill();
    }
    CHECK(files() == 2);
    auto domain = contract_domain(*open_at(directory.path()));
    {
        auto session = domain->open();
        CHECK(session->acquire_lease("t", 0, "heir", std::chrono::minutes(10)));
        CHECK(files() == 2); // the first one's is gone; the second's is still named by a lease
        CHECK(session->acquire_lease("t", 1, "heir", std::chrono::minutes(10)));
    }
    CHECK(domain->open()->acquire_lease("t", 0, "heir", std::chrono::minutes(10)));
    CHECK(files() == 1);
    domain.reset();
    CHECK(files() == 0);
}

TEST_CASE("store urls name a directory and options, and what is wrong with them is said") {
    std::string reason;
    const auto plain = sqlite::parse_sqlite_url("sqlite:///var/lib/weir", reason);
    REQUIRE(plain);
    CHECK(plain->directory == "/var/lib/weir");
    CHECK(plain->synchronous == sqlite::Synchronous::full);
    const auto options = sqlite::parse_sqlite_url("sqlite://./data?synchronous=normal&busy_timeout_ms=250", reason);
    REQUIRE(options);
    CHECK(options->directory == "./data");
    CHECK(options->synchronous == sqlite::Synchronous::normal);
    CHECK(options->busy_timeout == std::chrono::milliseconds(250));
    for (const char *bad :
         {"", "sqlite://", "sqlite://?synchronous=full", "sqlite:/x", "postgresql://x", "sqlite://x?synchronous=off",
          "sqlite://x?sync=full", "sqlite://x?busy_timeout_ms=", "sqlite://x?busy_timeout_ms=-1", "sqlite://x?busy_timeout_ms=5s"}) {
        INFO(bad);
        reason.clear();
        CHECK_FALSE(sqlite::parse_sqlite_url(bad, reason));
        CHECK(reason.find("sqlite://DIRECTORY") != std::string::npos);
    }
}
