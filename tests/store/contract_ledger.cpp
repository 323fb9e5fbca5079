// SPDX-License-Identifier: Apache-2.0
#include "contract_schema.hpp"

#include <catch2/catch.hpp>

#include <limits>

namespace weir::test {

using namespace store;

namespace {

std::vector<LedgerEntry> entries(std::uint64_t from, std::uint64_t to, Outcome outcome) {
    std::vector<LedgerEntry> made;
    for (std::uint64_t i = from; i < to; ++i) {
        made.push_back({id_of(i), 1'700'000'000'000'000, outcome});
    }
    return made;
}

} // namespace

std::vector<Promise> ledger_promises() {
    return {
        {"the ledger tells which of thousands of ids are decided",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             const auto written = entries(0, 3000, Outcome::applied);
             transact(*session, [&] { session->record(written); });
             std::vector<event::Uuid> asked;
             for (std::uint64_t i = 1500; i < 4500; ++i) {
                 asked.push_back(id_of(i));
             }
             const auto decided = session->decided(asked);
             REQUIRE(decided.size() == 1500);
             CHECK(decided.front() == id_of(1500));
             CHECK(decided.back() == id_of(2999));
             CHECK(std::is_sorted(decided.begin(), decided.end()));
             CHECK(session->decided({}).empty());
         }},
        {"an id that is recorded a second time means to run the batch again",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             const auto written = entries(0, 2, Outcome::applied);
             transact(*session, [&] { session->record(written); });
             session->begin({});
             CHECK_THROWS_AS(session->record(written), RunAgain);
             session->rollback();
             CHECK(session->ledger_counts().applied == 2);
         }},
        {"requests to routes are counted apart from events, and stand in the ledger and its whole count with them",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             auto all = entries(0, 9, Outcome::applied);
             for (const std::size_t request : {1, 2, 4, 8}) {
                 all[request].is_request = true;
             }
             all[0].outcome = all[1].outcome = Outcome::stale;
             all[5].outcome = Outcome::ignored;
             transact(*session, [&] { session->record(std::span(all).first(6)); });
             transact(*session, [&] { session->record(std::span(all).subspan(6)); });
             const LedgerCounts counts = session->ledger_counts();
             CHECK(counts.requests == 4);
             CHECK(counts.applied == 4);
             CHECK(counts.stale == 1);
             CHECK(counts.ignored == 1);
             CHECK(counts.undivided == 0);
             CHECK(session->figures().ledger_events == 9);
             CHECK(session->decided(std::vector{id_of(1), id_of(8), id_of(9)}).size() == 2);
         }},
        {"counts of a time when requests were counted as events are undivided, before and after a host migrates them, and no later ones "
         "are",
         [](StorePlace &place) {
             {
                 auto store = place.open();
                 auto session = contract_domain(*store)->open();
                 auto all = entries(0, 5, Outcome::applied);
                 all[0].is_request = all[1].is_request = true;
                 all[2].outcome = Outcome::stale;
                 all[3].outcome = Outcome::ignored;
                 transact(*session, [&] { session->record(all); });
             }
             place.as_another("contract", "alter table event_ledger_counts drop column requests");
             place.as_another("contract", "alter table event_ledger_counts drop column undivided");
             auto store = place.open();
             const auto check = [](const LedgerCounts &counts, std::uint64_t more) {
                 CHECK(counts.applied == 4 + more);
                 CHECK(counts.stale == 1);
                 CHECK(counts.ignored == 1);
                 CHECK(counts.undivided == 4);
                 CHECK(counts.requests == more);
             };
             check(store->domain("contract")->open()->ledger_counts(), 0);
             auto session = contract_domain(*store)->open();
             check(session->ledger_counts(), 0);
             auto later = entries(5, 9, Outcome::applied);
             later[0].is_request = later[1].is_request = true;
             transact(*session, [&] { session->record(later); });
             check(session->ledger_counts(), 2);
             CHECK(contract_domain(*store)->migrate(contract_schema()).empty());
             check(session->ledger_counts(), 2);
         }},
        {"outcomes are counted, the stale ones among the applied",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             std::vector<LedgerEntry> all;
             for (const auto &part : {entries(0, 5, Outcome::applied), entries(5, 7, Outcome::stale), entries(7, 10, Outcome::ignored),
                                      entries(10, 14, Outcome::dead)}) {
                 all.insert(all.end(), part.begin(), part.end());
             }
             transact(*session, [&] { session->record(all); });
             const LedgerCounts counts = session->ledger_counts();
             CHECK(counts.applied == 7);
             CHECK(counts.stale == 2);
             CHECK(counts.ignored == 3);
             CHECK(counts.dead == 4);
         }},
        {"positions are kept by topic and partition, all 64 bits of both halves",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();
             const std::vector<StoredPosition> first = {{"a", 0, "x", {1, 2}}, {"a", 1, "x", {kAll, kAll - 1}}, {"b", 0, "y", {5, 0}}};
             transact(*session, [&] { session->save_positions(first); });
             const std::vector<StoredPosition> second = {{"a", 0, "z", {9, 0}}};
             transact(*session, [&] { session->save_positions(second); });
             const auto positions = session->positions();
             REQUIRE(positions.size() == 3);
             CHECK(positions[0].incarnation == "z");
             CHECK(positions[0].position == event::Position{9, 0});
             CHECK(positions[1].position == event::Position{kAll, kAll - 1});
             CHECK(positions[2].topic == "b");
         }},
        {"of a position and how far a partition was reached, each stays at the furthest that was said of an incarnation",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             const auto after = [&](const StoredPosition &said) {
                 transact(*session, [&] { session->save_positions(std::span(&said, 1)); });
                 const auto positions = session->positions();
                 REQUIRE(positions.size() == 1);
                 CHECK(positions[0].incarnation == said.incarnation);
                 return std::pair(positions[0].position, positions[0].reached);
             };
             using Both = std::pair<event::Position, event::Position>;
             CHECK(after({"a", 0, "x", {0, 0}, {9, 1}}) == Both{{0, 0}, {9, 1}}); // the first event waits
             CHECK(after({"a", 0, "x", {5, 0}, {7, 0}}) == Both{{5, 0}, {9, 1}});
             CHECK(after({"a", 0, "x", {4, 0}, {9, 2}}) == Both{{5, 0}, {9, 2}});
             CHECK(after({"a", 0, "x", {4, 0}, {4, 0}}) == Both{{5, 0}, {9, 2}});
             CHECK(after({"a", 0, "x", {9, 2}, {9, 2}}) == Both{{9, 2}, {9, 2}});
             CHECK(after({"a", 0, "y", {1, 0}, {2, 0}}) == Both{{1, 0}, {2, 0}});
         }},
        {"attempts are kept until they are forgotten, and what several hosts know of one adds up to the most",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             const std::vector<Attempts> first = {{id_of(1), 1, 0, 5'000'000, "it's late"}, {id_of(2), 0, 1, 0, ""}};
             transact(*session, [&] { session->save_attempts(first); });
             const std::vector<Attempts> second = {{id_of(1), 2, 1, 6'000'000, "again"}};
             session->save_attempts(second); // in a transaction of its own
             auto attempts = session->attempts();
             REQUIRE(attempts.size() == 2);
             CHECK(attempts[0].event_id == id_of(1));
             CHECK(attempts[0].retries == 2);
             CHECK(attempts[0].crashes == 1);
             CHECK(attempts[0].retry_at == 6'000'000);
             CHECK(attempts[0].last_error == "again");
             const std::vector<Attempts> late = {{id_of(1), 1, 3, 9'000'000, "who knew less"}, {id_of(2), 1, 0, 8'000'000, "later"}};
             transact(*session, [&] { session->save_attempts(late); });
             attempts = session->attempts();
             REQUIRE(attempts.size() == 2);
             CHECK((attempts[0].retries == 2 && attempts[0].crashes == 3 && attempts[0].retry_at == 6'000'000));
             CHECK((attempts[1].retries == 1 && attempts[1].crashes == 1 && attempts[1].retry_at == 8'000'000));
             const std::vector<event::Uuid> wanted = {id_of(2), id_of(5)};
             attempts = session->attempts_of(wanted);
             REQUIRE(attempts.size() == 1);
             CHECK((attempts[0].event_id == id_of(2) && attempts[0].retries == 1 && attempts[0].last_error == "later"));
             CHECK(session->attempts_of({}).empty());
             const std::vector<event::Uuid> gone = {id_of(1), id_of(77)};
             transact(*session, [&] { session->forget_attempts(gone); });
             attempts = session->attempts();
             REQUIRE(attempts.size() == 1);
             CHECK(attempts[0].crashes == 1);
         }},
        {"the outbox takes entries with their state, or not at all",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             const std::vector<OutboxEntry> out = {{0, id_of(1), "topic", "key", "a.v1", "{}", {{"h", "\"1\""}, {"h", "\xFF"}}, 7},
                                                   {0, id_of(2), "topic", "", "a.v1", R"({"a":1})", {{"n", "2"}, {"n", "1"}}, 8}};
             session->begin({});
             session->add_outbox(out);
             session->rollback();
             CHECK(session->outbox(10).empty());
             transact(*session, [&] { session->add_outbox(out); });
             const std::vector<OutboxEntry> kept = session->outbox(10);
             REQUIRE(kept.size() == 2);
             CHECK(kept[0].id < kept[1].id);
             CHECK(kept[0].event_id == id_of(1));
             CHECK(kept[0].key == "key");
             CHECK(kept[1].envelope == R"({"a":1})");
             CHECK(kept[1].headers == out[1].headers); // in their order, names repeated
             CHECK(kept[1].created_at == 8);
             CHECK(session->outbox(1).size() == 1);
             const std::vector<std::int64_t> published = {kept[0].id, kept[0].id + 1000};
             transact(*session, [&] { session->remove_outbox(published); });
             REQUIRE(session->outbox(10).size() == 1);
             CHECK(session->outbox(10)[0].event_id == id_of(2));
         }},
    };
}

} // namespace weir::test
