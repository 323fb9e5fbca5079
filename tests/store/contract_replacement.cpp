// SPDX-License-Identifier: Apache-2.0
#include "contract_schema.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <thread>

namespace weir::test {

using namespace store;

namespace {

std::unique_ptr<DomainStore> shadow_domain(Store &store) {
    auto shadow = store.domain(shadow_schema_name("contract"));
    shadow->migrate(contract_schema());
    return shadow;
}

void write(Session &session, const std::vector<TableFlush> &tables) {
    transact(session, [&] { session.flush(tables); });
}

std::vector<Row> all_rows(Session &session, std::uint32_t table) {
    Session::Scan scan;
    scan.table = table;
    scan.limit = 1000;
    return session.scan(scan);
}

Row pet(const std::string &name, const std::string &owner) { return {name, owner}; }

/// Records decisions, and a letter for each that is dead.
void decide(Session &session, const std::vector<std::pair<std::uint64_t, Outcome>> &events, const std::string &reason) {
    transact(session, [&] {
        std::vector<LedgerEntry> entries;
        std::vector<DeadLetter> letters;
        for (const auto &[number, outcome] : events) {
            entries.push_back({id_of(number), 1'700'000'000'000'000, outcome});
            if (outcome == Outcome::dead) {
                DeadLetter &letter = letters.emplace_back();
                letter.event_id = id_of(number);
                letter.topic = "things";
                letter.event_type = "thing.v1";
                letter.error_type = reason;
                letter.error_message = "because";
                letter.created_at = letter.updated_at = 1'700'000'000'000'000;
            }
        }
        std::sort(entries.begin(), entries.end(), [](const auto &a, const auto &b) { return a.event_id < b.event_id; });
        session.record(entries);
        session.add_dead_letters(letters);
    });
}

void settle(Session &session, std::uint64_t number, DeadLetterStatus status) {
    transact(session, [&] { session.settle_dead_letter(*session.dead_letter(id_of(number)), status, Outcome::applied); });
}

} // namespace

std::vector<Promise> replacement_promises() {
    return {
        {"a replacement leaves the shadow's rows, whatever rows were there, and unique values may have moved between them",
         [](StorePlace &place) {
             auto store = place.open();
             auto live = contract_domain(*store)->open();
             write(*live, {created(people::kTable, {person("ada", "one@x.org", 30), person("bob", "two@x.org", 40, "ada"),
                                                    person("eve", "gone@x.org", 50, "bob"), person("sam", "same@x.org", 60)}),
                           created(pets::kTable, {pet("rex", "eve"), pet("tom", "ada")})});
             auto shadow = shadow_domain(*store)->open();
             Row full = full_row("x");
             full[all_types::kCitext] = std::string("Spelt");
             full[all_types::kNumber] = 0.1;
             full[all_types::kDecimal] = std::int64_t{-123456};
             full[all_types::kBoolean] = std::int64_t{1};
             full[all_types::kTime] = std::int64_t{1'763'978'407'040'058};
             full[all_types::kJson] = std::string(R"({"a":[1,2]})");
             full[all_types::kBytes] = std::string("\0\1\xff", 3);
             write(*shadow, {created(all_types::kTable, {full}),
                             created(people::kTable, {person("ada", "two@x.org", 31), person("bob", "one@x.org", 40),
                                                      person("new", {}, 1, "bob"), person("sam", "SAME@x.org", 60)}),
                             created(pets::kTable, {pet("tom", "bob")})});
             auto expected_people = all_rows(*shadow, people::kTable);
             auto expected_every = all_rows(*shadow, all_types::kTable);
             shadow.reset();
             const ReplacementCounts counts = store->replace_by_shadow("contract", contract_schema())->commit();
             CHECK(counts.rows_removed == 2);
             CHECK(counts.rows_changed == 4);
             CHECK(counts.rows_added == 2);
             CHECK(all_rows(*live, people::kTable) == expected_people);
             CHECK(all_rows(*live, all_types::kTable) == expected_every);
             CHECK(all_rows(*live, pets::kTable) == std::vector<Row>{pet("tom", "bob")});
             const ReplacementCounts again = store->replace_by_shadow("contract", contract_schema())->commit();
             CHECK(again.rows_removed + again.rows_changed + again.rows_added == 0);
             CHECK(contract_domain(*store)->migrate(contract_schema()).empty());
             write(*live, {created(pets::kTable, {pet("kit", "new")})}); // a session that was open goes on
         }},
        {"a replacement only adds to tables whose rows routes change, again and again, and where a value is taken it leaves the row out",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = contract_domain(*store);
             auto live = domain->open();
             CHECK(domain->route_tables(contract_schema()).empty());
             transact(*live, [&] { live->note_route_change(people::kTable); });
             transact(*live, [&] { live->note_route_change(people::kTable); });
             live->begin({});
             live->note_route_change(pets::kTable);
             live->rollback(); // with the change that it was noted for
             CHECK(domain->route_tables(contract_schema()) == std::vector<std::string>{"people"});
             write(*live, {created(people::kTable, {person("ada", "ada@x.org", 30), person("eve", "eve@x.org", 50)}),
                           created(pets::kTable, {pet("rex", "eve")})});
             auto shadow = shadow_domain(*store)->open();
             write(*shadow,
                   {created(people::kTable, {person("ada", "other@x.org", 1), person("new", {}, 1, "ada"), person("zoe", "eve@x.org", 1)}),
                    created(pets::kTable, {pet("tom", "new")})});
             shadow.reset();
             for (int time = 0; time < 2; ++time) {
                 const ReplacementCounts counts = store->replace_by_shadow("contract", contract_schema())->commit();
                 CHECK(counts.rows_removed == (time == 0 ? 1 : 0));
                 CHECK(counts.rows_changed == 0);
                 CHECK(counts.rows_added == (time == 0 ? 2 : 0));
                 CHECK(all_rows(*live, people::kTable) ==
                       std::vector<Row>{person("ada", "ada@x.org", 30), person("eve", "eve@x.org", 50), person("new", {}, 1, "ada")});
                 CHECK(all_rows(*live, pets::kTable) == std::vector<Row>{pet("tom", "new")});
             }
             CHECK(domain->route_tables(contract_schema()) == std::vector<std::string>{"people"});
         }},
        {"a replacement keeps rows to which rows of tables that stay refer, also by way of others, and removes what only refers to itself",
         [](StorePlace &place) {
             auto store = place.open();
             auto live = contract_domain(*store)->open();
             transact(*live, [&] { live->note_route_change(pets::kTable); });
             write(*live, {created(people::kTable, {person("ada", {}, 1), person("eve", {}, 1, "mid"), person("lone", {}, 1, "mid"),
                                                    person("mid", {}, 1, "top"), person("own", {}, 1, "own"), person("top", {}, 1, "top"),
                                                    person("zoe", {}, 1, "ada")}),
                           created(pets::kTable, {pet("kit", "zoe"), pet("rex", "eve"), pet("tom", "eve")})});
             auto shadow = shadow_domain(*store)->open();
             write(*shadow, {created(people::kTable, {person("ada", {}, 2), person("new", {}, 1)}),
                             created(pets::kTable, {pet("kit", "new"), pet("pip", "new")})});
             shadow.reset();
             for (int time = 0; time < 2; ++time) {
                 const ReplacementCounts counts = store->replace_by_shadow("contract", contract_schema())->commit();
                 CHECK(counts.rows_kept == 4);
                 CHECK(counts.rows_removed == (time == 0 ? 2 : 0));
                 CHECK(all_rows(*live, people::kTable) == std::vector<Row>{person("ada", {}, 2), person("eve", {}, 1, "mid"),
                                                                           person("mid", {}, 1, "top"), person("new", {}, 1),
                                                                           person("top", {}, 1, "top"), person("zoe", {}, 1, "ada")});
                 CHECK(all_rows(*live, pets::kTable) ==
                       std::vector<Row>{pet("kit", "zoe"), pet("pip", "new"), pet("rex", "eve"), pet("tom", "eve")});
             }
         }},
        {"a replacement that would leave a reference open says between which tables",
         [](StorePlace &place) {
             auto store = place.open();
             auto live = contract_domain(*store)->open();
             transact(*live, [&] { live->note_route_change(people::kTable); });
             write(*live, {created(people::kTable, {person("eve", "taken@x.org", 50)})});
             auto shadow = shadow_domain(*store)->open();
             write(*shadow, {created(people::kTable, {person("zoe", "taken@x.org", 1)}), created(pets::kTable, {pet("tom", "zoe")})});
             shadow.reset();
             try {
                 store->replace_by_shadow("contract", contract_schema())->commit();
                 FAIL("it was made");
             } catch (const DataRefused &refused) {
                 CHECK_THAT(refused.what(), Catch::Contains("pets") && Catch::Contains("people"));
             }
             CHECK(all_rows(*live, people::kTable).size() == 1);
             CHECK(all_rows(*live, pets::kTable).empty());
         }},
        {"letters that a replacement makes say which rows have their event's effect all the same, where the event was applied",
         [](StorePlace &place) {
             auto store = place.open();
             auto live = contract_domain(*store)->open();
             transact(*live, [&] { live->note_route_change(pets::kTable); });
             write(*live,
                   {created(people::kTable, {person("eve", {}, 50), person("sam", {}, 50)}), created(pets::kTable, {pet("rex", "eve")})});
             decide(*live,
                    {{1, Outcome::applied},
                     {2, Outcome::stale},
                     {3, Outcome::ignored},
                     {4, Outcome::dead},
                     {5, Outcome::dead},
                     {6, Outcome::dead},
                     {7, Outcome::dead}},
                    "old");
             settle(*live, 5, DeadLetterStatus::replayed);
             settle(*live, 6, DeadLetterStatus::dropped);
             const auto unapplied = live->unapplied(std::vector{id_of(1), id_of(2), id_of(3), id_of(4), id_of(5), id_of(6), id_of(9)});
             REQUIRE(unapplied.size() == 3);
             CHECK(unapplied[0].event_id == id_of(3));
             CHECK(unapplied[0].context.empty());
             CHECK(unapplied[1].event_id == id_of(4));
             CHECK(unapplied[1].context == "{}");
             CHECK(unapplied[2].event_id == id_of(6));
             auto shadow = shadow_domain(*store)->open();
             decide(*shadow,
                    {{1, Outcome::dead},
                     {2, Outcome::dead},
                     {3, Outcome::dead},
                     {4, Outcome::dead},
                     {5, Outcome::dead},
                     {7, Outcome::applied},
                     {8, Outcome::dead}},
                    "new");
             shadow.reset();
             const std::string said = R"({"kept_tables":["pets"],"kept_rows_of":["people"]})";
             for (int time = 0; time < 2; ++time) {
                 const ReplacementCounts counts = store->replace_by_shadow("contract", contract_schema())->commit();
                 CHECK(counts.rows_kept == 1);
                 CHECK(counts.letters_added == (time == 0 ? 4 : 0));
                 CHECK(counts.letters_resolved == (time == 0 ? 1 : 0));
                 const auto context = [&](std::uint64_t number) { return live->dead_letter(id_of(number))->context; };
                 CHECK(context(1) == said);
                 CHECK(context(2) == said);
                 CHECK(context(3) == "{}");
                 CHECK(context(4) == "{}");
                 CHECK(context(5) == said);
                 CHECK(context(6) == "{}");
                 CHECK(context(8) == said); // decided and forgotten, as far as anybody knows
                 CHECK(live->dead_letter(id_of(5))->status == DeadLetterStatus::pending);
             }
             const auto again = live->unapplied(std::vector{id_of(1), id_of(5)});
             REQUIRE(again.size() == 2);
             CHECK(again[0].context == said);
             CHECK(again[1].context == said);
         }},
        {"a replacement that isn't committed changes nothing",
         [](StorePlace &place) {
             auto store = place.open();
             auto live = contract_domain(*store)->open();
             write(*live, {created(people::kTable, {person("ada", {}, 30)})});
             shadow_domain(*store);
             store->replace_by_shadow("contract", contract_schema()).reset();
             CHECK(all_rows(*live, people::kTable).size() == 1);
             write(*live, {created(people::kTable, {person("bob", {}, 30)})});
         }},
        {"a replacement sees what the domain has decided, and its positions; the domain's outbox, positions, leases and attempts stay",
         [](StorePlace &place) {
             auto store = place.open();
             auto live = contract_domain(*store)->open();
             decide(*live, {{1, Outcome::applied}, {2, Outcome::ignored}}, "");
             const StoredPosition position{"things", 0, "i", {7, 0}};
             live->save_positions(std::span(&position, 1));
             const auto lease = live->acquire_lease("things", 0, "host", std::chrono::seconds(60));
             REQUIRE(lease);
             const Attempts attempts{id_of(5), 1, 0, 0, "later"};
             live->save_attempts(std::span(&attempts, 1));
             OutboxEntry entry;
             entry.event_id = id_of(9);
             entry.topic = "out";
             entry.envelope = "{}";
             live->add_outbox(std::span(&entry, 1));
             auto shadow = shadow_domain(*store)->open();
             decide(*shadow, {{1, Outcome::applied}}, "");
             const StoredPosition other{"things", 0, "i", {3, 0}};
             shadow->save_positions(std::span(&other, 1));
             shadow->add_outbox(std::span(&entry, 1));
             shadow.reset();
             {
                 auto replacement = store->replace_by_shadow("contract", contract_schema());
                 CHECK(replacement->decided(std::vector{id_of(1), id_of(2), id_of(3)}) == std::vector{id_of(1), id_of(2)});
                 REQUIRE(replacement->positions().size() == 1);
                 CHECK(replacement->ledger_counts().applied == 1);
                 replacement->commit();
             }
             REQUIRE(live->positions().size() == 1);
             CHECK(live->positions().front().position == event::Position{7, 0});
             CHECK(live->outbox(10).size() == 1);
             CHECK(live->attempts().size() == 1);
             live->begin(std::span(&*lease, 1));
             live->rollback();
         }},
        {"a replacement brings outcomes and dead letters to what the shadow came to, by what operators decided",
         [](StorePlace &place) {
             auto store = place.open();
             auto live = contract_domain(*store)->open();
             decide(*live,
                    {{1, Outcome::dead},
                     {2, Outcome::dead},
                     {3, Outcome::dead},
                     {4, Outcome::dead},
                     {5, Outcome::dead},
                     {6, Outcome::dead},
                     {7, Outcome::applied},
                     {8, Outcome::applied},
                     {9, Outcome::dead}},
                    "old");
             settle(*live, 3, DeadLetterStatus::dropped);
             settle(*live, 4, DeadLetterStatus::replayed);
             settle(*live, 5, DeadLetterStatus::replayed);
             settle(*live, 9, DeadLetterStatus::dropped);
             const auto id = [&](std::uint64_t number) { return live->dead_letter(id_of(number))->id; };
             const std::int64_t second = id(2);
             auto shadow = shadow_domain(*store)->open();
             decide(*shadow,
                    {{1, Outcome::applied},
                     {2, Outcome::dead},
                     {4, Outcome::stale},
                     {5, Outcome::dead},
                     {7, Outcome::dead},
                     {8, Outcome::ignored},
                     {9, Outcome::applied}},
                    "new");
             shadow.reset();
             const ReplacementCounts counts = store->replace_by_shadow("contract", contract_schema())->commit();
             CHECK(counts.letters_resolved == 1);
             CHECK(counts.letters_renewed == 2);
             CHECK(counts.letters_added == 1);
             CHECK(counts.letters_overtaken == 1);
             CHECK_FALSE(live->dead_letter(id_of(1)));
             CHECK(id(2) == second);
             CHECK(live->dead_letter(id_of(2))->error_type == "new");
             CHECK(live->dead_letter(id_of(2))->created_at == 1'700'000'000'000'000);
             CHECK(live->dead_letter(id_of(3))->status == DeadLetterStatus::dropped);
             CHECK(live->dead_letter(id_of(4))->status == DeadLetterStatus::replayed);
             CHECK(live->dead_letter(id_of(5))->status == DeadLetterStatus::pending);
             CHECK(live->dead_letter(id_of(6))->error_type == "old"); // not in the topic any more
             CHECK(live->dead_letter(id_of(7))->status == DeadLetterStatus::pending);
             CHECK(live->dead_letter(id_of(9))->status == DeadLetterStatus::replayed);
             const LedgerCounts ledger = live->ledger_counts();
             CHECK(ledger.applied == 3); // 1, 4 and 9
             CHECK(ledger.stale == 1);
             CHECK(ledger.ignored == 1);
             CHECK(ledger.dead == 4); // 2, 5, 6 and 7; 3 was dropped
             CHECK(live->decided(std::vector{id_of(1), id_of(3), id_of(6), id_of(8)}).size() == 4);
         }},
        {"a batch that began while a replacement was under way comes after it",
         [](StorePlace &place) {
             auto store = place.open();
             contract_domain(*store);
             auto shadow = shadow_domain(*store)->open();
             decide(*shadow, {{1, Outcome::applied}}, "");
             shadow.reset();
             auto replacement = store->replace_by_shadow("contract", contract_schema());
             std::atomic<bool> began{false};
             std::size_t seen = 0;
             std::thread batch([&] { // with a session of its own, as another process has
                 auto other = place.open();
                 auto domain = other->domain("contract");
                 began = true;
                 for (int run = 0; run < 20; ++run) {
                     const auto session = domain->open();
                     try {
                         session->begin({});
                         seen = session->decided(std::vector{id_of(1)}).size();
                         const std::vector<LedgerEntry> entry = {{id_of(2), 1, Outcome::applied}};
                         session->record(entry);
                         session->commit();
                         return;
                     } catch (const RunAgain &) {
                         session->rollback();
                     }
                 }
             });
             const bool asked = eventually([&] { return began.load(); });
             eventually([] { return false; }, std::chrono::milliseconds(200)); // so that it runs into it
             replacement->commit();
             replacement.reset();
             batch.join();
             CHECK(asked);
             CHECK(seen == 1);
             CHECK(contract_domain(*store)->open()->ledger_counts().applied == 2);
         }},
        {"a shadow is removed with everything in it, and a new one begins empty",
         [](StorePlace &place) {
             auto store = place.open();
             contract_domain(*store);
             store->remove_shadow("contract"); // there is none
             {
                 auto shadow = shadow_domain(*store)->open();
                 write(*shadow, {created(people::kTable, {person("ada", {}, 30)})});
                 CHECK(shadow->acquire_lease("things", 0, "maker", std::chrono::seconds(60)));
             }
             CHECK(store->has_domain(shadow_schema_name("contract")));
             store->remove_shadow("contract");
             CHECK_FALSE(store->has_domain(shadow_schema_name("contract")));
             CHECK(store->has_domain("contract"));
             CHECK(all_rows(*shadow_domain(*store)->open(), people::kTable).empty());
         }},
    };
}

} // namespace weir::test
