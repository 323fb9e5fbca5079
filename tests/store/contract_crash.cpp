// SPDX-License-Identifier: Apache-2.0
#include "child_process.hpp"
#include "contract_schema.hpp"
#include "random.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <unistd.h>

namespace weir::test {

using namespace store;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kRowsPerBatch = 20;

/// Batch n: 20 ids, 20 rows, a position and a dead letter, all of which say n.
void write_batch(Session &session, std::uint64_t n) {
    std::vector<LedgerEntry> entries;
    std::vector<Row> rows;
    for (std::size_t i = 0; i < kRowsPerBatch; ++i) {
        entries.push_back({id_of(n * kRowsPerBatch + i), 1, Outcome::applied});
        rows.push_back(person(std::to_string(n) + "-" + std::to_string(i), Value(), static_cast<std::int64_t>(n)));
    }
    DeadLetter letter;
    letter.event_id = id_of(n * kRowsPerBatch);
    letter.topic = "t";
    const std::vector<DeadLetter> letters = {letter};
    const std::vector<StoredPosition> positions = {{"t", 0, "x", {n + 1, 0}}};
    const std::vector<TableFlush> flush = {created(people::kTable, rows)};
    session.begin({});
    session.flush(flush);
    session.add_dead_letters(letters);
    session.record(entries);
    session.save_positions(positions);
    session.commit();
}

std::uint64_t batches_in(Session &session) {
    const auto positions = session.positions();
    return positions.empty() ? 0 : positions.front().position.high;
}

int rounds() {
    const char *given = std::getenv("WEIR_TEST_KILLS");
    return given ? std::atoi(given) : 20;
}

} // namespace

std::vector<Promise> crash_promises() {
    return {
        {"whenever a process is killed, each of its transactions is there whole or not at all, and none that it saw committed is lost",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = contract_domain(*store);
             Random random(seed());
             std::uint64_t after = 0;
             for (int round = 0; round < rounds(); ++round) {
                 std::uint64_t seen = after;
                 {
                     ChildProcess child([&](const ChildProcess::Say &say) {
                         auto own = place.open()->domain("contract");
                         own->migrate(contract_schema());
                         auto session = own->open();
                         for (std::uint64_t n = batches_in(*session);; ++n) {
                             write_batch(*session, n);
                             say(std::to_string(n + 1));
                         }
                         return 0;
                     });
                     const std::size_t lines = random.between(1, 30);
                     for (std::size_t i = 0; i < lines; ++i) {
                         const std::string line = child.line();
                         REQUIRE_FALSE(line.empty());
                         seen = std::stoull(line);
                     }
                     const auto moment = event::now() + static_cast<event::Micros>(random.below(2000));
                     eventually([&] { return event::now() >= moment; });
                     child.kill();
                 }
                 place.settle();
                 auto session = domain->open();
                 DeadLetterFilter all;
                 all.limit = 1'000'000;
                 after = batches_in(*session);
                 REQUIRE(after >= seen);
                 REQUIRE(session->count_rows(people::kTable) == after * kRowsPerBatch);
                 REQUIRE(session->ledger_counts().applied == after * kRowsPerBatch);
                 REQUIRE(session->dead_letters(all).size() == after);
             }
         }},
        {"a standby writes on at once when the holder of the lease is killed in the middle of a transaction",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = contract_domain(*store);
             ChildProcess child([&](const ChildProcess::Say &say) {
                 auto own = place.open()->domain("contract");
                 own->migrate(contract_schema());
                 auto session = own->open();
                 const auto one = session->acquire_lease("t", 0, "first", 10min);
                 const auto two = session->acquire_lease("t", 1, "first", 10min);
                 session->begin(std::vector{*one, *two});
                 const std::vector<LedgerEntry> entry = {{id_of(1), 1, Outcome::applied}};
                 session->record(entry);
                 say(std::to_string(one->epoch));
                 for (;;) {
                     ::pause();
                 }
                 return 0;
             });
             const std::int64_t epoch = std::stoll(child.line());
             child.kill();
             auto standby = domain->open();
             std::optional<Lease> lease;
             REQUIRE(eventually([&] { return (lease = standby->acquire_lease("t", 0, "second", 10min)).has_value(); }));
             CHECK(lease->epoch > epoch);
             CHECK(standby->acquire_lease("t", 1, "second", 10min)); // each of its partitions
             standby->begin(std::vector{*lease});
             CHECK(standby->decided(std::vector{id_of(1)}).empty());
             standby->commit();
         }},
        {"the lease of a holder that lives is not taken, however often it is asked for",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = contract_domain(*store);
             ChildProcess child([&](const ChildProcess::Say &say) {
                 auto own = place.open()->domain("contract");
                 own->migrate(contract_schema());
                 auto session = own->open();
                 say(session->acquire_lease("t", 0, "first", 10min) ? "has it" : "has it not");
                 for (;;) {
                     ::pause();
                 }
                 return 0;
             });
             REQUIRE(child.line() == "has it");
             auto standby = domain->open();
             for (int i = 0; i < 50; ++i) {
                 REQUIRE_FALSE(standby->acquire_lease("t", 0, "second", 10min));
             }
         }},
    };
}

} // namespace weir::test
