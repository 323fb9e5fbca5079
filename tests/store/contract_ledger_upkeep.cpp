// SPDX-License-Identifier: Apache-2.0
#include "contract_ledger_support.hpp"
#include "random.hpp"
#include "support.hpp"

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

namespace weir::test {

using namespace upkeep;

namespace {

/// One host's way of taking events: what is not decided is recorded, and each of it counts as applied when the transaction has been
/// committed.
void take(Session &session, std::span<const event::Uuid> wanted, event::Micros received_at,
          const std::function<void(const event::Uuid &)> &applied) {
    for (;;) {
        try {
            session.begin({});
            const std::vector<event::Uuid> decided = session.decided(wanted);
            std::vector<LedgerEntry> fresh;
            for (const event::Uuid &id : wanted) {
                if (!std::binary_search(decided.begin(), decided.end(), id)) {
                    fresh.push_back({id, received_at, Outcome::applied});
                }
            }
            session.record(fresh);
            session.commit();
            for (const LedgerEntry &entry : fresh) {
                applied(entry.event_id);
            }
            return;
        } catch (const RunAgain &) {
            session.rollback();
        }
    }
}

void sealed_generations_answer(StorePlace &place) {
    auto store = place.open();
    auto domain = contract_domain(*store);
    auto session = domain->open();
    auto other = domain->open(); // of a host that finds generations and filters made by another
    auto keeper = domain->open();
    for (std::uint64_t batch = 0; batch < 30; ++batch) {
        record(*session, entries(batch * 100, batch * 100 + 100));
        if (batch % 3 == 2) { // also with a generation that has no filter yet
            keeper->maintain_ledger(policy_of(200));
        }
        REQUIRE(session->decided(ids(0, 4000)).size() == (batch + 1) * 100);
    }
    const LedgerUpkeep done = maintain(*keeper, policy_of(200));
    CHECK(done.generations >= 5);
    CHECK(session->decided(ids(0, 4000)) == ids(0, 3000));
    CHECK(other->decided(ids(1500, 3500)) == ids(1500, 3000));
    CHECK(session->decided(ids(3000, 9000)).empty());
    CHECK(session->ledger_counts().applied == 3000);
    CHECK(session->pruned().empty());
    auto late = place.open()->domain("contract");
    late->migrate(contract_schema()); // sealed generations don't trouble a host that starts
    CHECK(late->open()->decided(ids(0, 4000)).size() == 3000);
}

void pruned_by_the_horizon(StorePlace &place) {
    auto store = place.open();
    auto domain = contract_domain(*store);
    auto session = domain->open();
    auto keeper = domain->open();
    const std::vector<StoredPosition> positions = {{"t", 0, "x", {100, 3}, {100, 3}}, {"u", 2, "y", {7, 0}, {9, 4}}, {"v", 0, "z", {8, 1}}};
    transact(*session, [&] {
        session->record(entries(0, 100));
        session->save_positions(positions);
    });
    maintain(*keeper, policy_of(100, kHour, kStart));
    CHECK(maintain(*keeper, policy_of(100, kHour, kStart + 10 * kHour)).pruned_events == 0); // an outage: nothing newer was decided
    CHECK(session->decided(ids(0, 200)).size() == 100);
    record(*session, entries(100, 200, kStart + 10 * kHour));
    LedgerPolicy early = policy_of(100, kHour, kStart + kHour / 2); // the newest event's append time is far ahead of the clock
    CHECK(maintain(*keeper, early).pruned_events == 0);
    LedgerPolicy holding = policy_of(100, kHour, kStart + 10 * kHour);
    holding.keep_from = kStart;
    CHECK(maintain(*keeper, holding).pruned_events == 0);
    const LedgerUpkeep done = maintain(*keeper, policy_of(100, kHour, kStart + 10 * kHour));
    CHECK(done.pruned_events == 100);
    CHECK(done.pruned_through == kStart);
    CHECK(session->decided(ids(0, 200)) == ids(100, 200));
    REQUIRE(session->pruned().size() == 3);
    CHECK(session->pruned()[0].topic == "t");
    CHECK(session->pruned()[0].incarnation == "x");
    CHECK(session->pruned()[0].position == event::Position{100, 3});
    CHECK(session->pruned()[0].appended_through == kStart);
    CHECK(session->pruned()[1].partition == 2);
    CHECK(session->pruned()[1].position == event::Position{9, 4});                            // what was decided behind an event that waits
    CHECK(session->pruned()[2].position == event::Position{8, 1});                            // as an older host left it
    CHECK(session->ledger_counts().applied == 200);                                           // counts are of all that was ever decided
    CHECK(maintain(*keeper, policy_of(100, kHour, kStart + 100 * kHour)).pruned_events == 0); // the newest always stay
    auto late = domain->open();
    CHECK(late->decided(ids(0, 200)) == ids(100, 200));
    CHECK(late->pruned().size() == 3);
    record(*session, entries(0, 100, kStart + 10 * kHour)); // an id that isn't known any more can be recorded again
    CHECK(session->decided(ids(0, 200)).size() == 200);
}

void kept_for_ever(StorePlace &place) {
    auto store = place.open();
    auto domain = contract_domain(*store);
    auto session = domain->open();
    auto keeper = domain->open();
    for (std::uint64_t batch = 0; batch < 4; ++batch) {
        const event::Micros now = kStart + static_cast<event::Micros>(batch) * 100'000 * kHour;
        record(*session, entries(batch * 100, batch * 100 + 100, now));
        CHECK(maintain(*keeper, policy_of(100, 0, now)).pruned_events == 0);
    }
    CHECK(session->decided(ids(0, 500)).size() == 400);
}

void dead_letters_stay_known(StorePlace &place) {
    auto store = place.open();
    auto domain = contract_domain(*store);
    auto session = domain->open();
    auto keeper = domain->open();
    const std::vector<DeadLetter> letters = {letter_of(3), letter_of(5), letter_of(103)};
    transact(*session, [&] {
        auto all = entries(0, 100);
        all[3].outcome = all[5].outcome = Outcome::dead;
        session->record(all);
        session->add_dead_letters(letters);
    });
    maintain(*keeper, policy_of(100, kHour, kStart));
    transact(*session, [&] {
        auto all = entries(100, 200, kStart + 10 * kHour);
        all[3].outcome = Outcome::dead;
        session->record(all);
    });
    // One is replayed while its generation is sealed, one after it was pruned.
    const auto replay = [&](std::uint64_t number) {
        transact(*session, [&] {
            const auto letter = session->dead_letter(id_of(number));
            REQUIRE(letter);
            session->settle_dead_letter(*session->lock_dead_letter(letter->id), DeadLetterStatus::replayed, Outcome::applied);
        });
    };
    CHECK(session->ledger_counts().dead == 3);
    replay(5);
    CHECK(session->ledger_counts().dead == 2);
    CHECK(maintain(*keeper, policy_of(100, kHour, kStart + 10 * kHour)).pruned_events == 100);
    CHECK(session->decided(ids(0, 100)) == std::vector{id_of(3), id_of(5)});
    replay(3);
    CHECK(session->ledger_counts().dead == 1);
    CHECK(session->ledger_counts().applied == 199);
    replay(103);
    CHECK(session->ledger_counts().dead == 0);
    CHECK(session->ledger_counts().applied == 200);
    CHECK(session->decided(ids(0, 200)).size() == 102);
}

void exactly_once_beside_upkeep(StorePlace &place) {
    constexpr std::uint64_t kIds = 2000;
    constexpr std::size_t kBatch = 25;
    auto store = place.open();
    auto domain = contract_domain(*store);
    const std::uint64_t base = seed();
    std::vector<std::atomic<int>> applied(kIds);
    std::atomic<std::int64_t> sealed{0};
    std::vector<std::thread> hosts;
    std::atomic<bool> failed{false};
    const auto say = [&](const std::exception &failure) {
        std::fprintf(stderr, "%s\n", failure.what());
        failed = true;
    };
    for (std::uint64_t host = 0; host < 3; ++host) {
        hosts.emplace_back([&, host] {
            try {
                auto own = place.open()->domain("contract"); // filters of its own, like another process
                auto session = own->open();
                auto keeper = own->open();
                Random random(base + host);
                for (int batch = 0; batch < 150; ++batch) {
                    std::set<std::uint64_t> numbers; // near each other in time, so that hosts meet
                    while (numbers.size() < kBatch) {
                        numbers.insert(std::min<std::uint64_t>(kIds - 1, static_cast<std::uint64_t>(batch) * 12 + random.below(100)));
                    }
                    std::vector<event::Uuid> wanted;
                    std::transform(numbers.begin(), numbers.end(), std::back_inserter(wanted), id_of);
                    take(*session, wanted, kStart, [&](const event::Uuid &id) {
                        std::uint64_t number = 0;
                        for (std::size_t i = 8; i < 16; ++i) {
                            number = number << 8 | id.bytes[i];
                        }
                        ++applied[number];
                    });
                    if (batch % 3 == 0) { // all of them do it, at whatever moment of the others
                        const LedgerUpkeep done = keeper->maintain_ledger(policy_of(60));
                        if (done.sealed > sealed) {
                            sealed = done.sealed;
                        }
                    }
                }
            } catch (const std::exception &failure) {
                say(failure);
            }
        });
    }
    for (std::thread &host : hosts) {
        host.join();
    }
    REQUIRE_FALSE(failed);
    auto session = domain->open();
    std::uint64_t total = 0;
    for (std::uint64_t i = 0; i < kIds; ++i) {
        REQUIRE(applied[i] <= 1);
        total += static_cast<std::uint64_t>(applied[i]);
        REQUIRE(session->decided(std::vector{id_of(i)}).size() == static_cast<std::size_t>(applied[i]));
    }
    CHECK(session->ledger_counts().applied == total);
    CHECK(sealed > 3);
}

void others_tables(StorePlace &place) {
    contract_domain(*place.open());
    const std::vector<std::string> tables = {"event_ledger_0", "event_ledger_3", "event_ledger_40"};
    for (const std::string &table : tables) {
        place.as_another("contract", "create table " + table + " (note text); insert into " + table + " values ('kept')");
    }
    {
        auto store = place.open();
        auto domain = contract_domain(*store);
        auto session = domain->open();
        auto keeper = domain->open();
        record(*session, entries(0, 100));
        CHECK(maintain(*keeper, policy_of(100, kHour, kStart)).sealed == 1);
        record(*session, entries(100, 200, kStart + 10 * kHour));
        LedgerUpkeep done = maintain(*keeper, policy_of(100, kHour, kStart + 10 * kHour));
        CHECK(done.sealed == 2);
        CHECK(done.pruned_events == 100);
        CHECK(done.refused.empty());
        record(*session, entries(200, 300, kStart + 20 * kHour));
        done = maintain(*keeper, policy_of(100, kHour, kStart + 20 * kHour));
        CHECK(done.sealed == 0);
        CHECK(done.refused.find("event_ledger_3") != std::string::npos);
        CHECK(session->decided(ids(0, 400)) == ids(100, 300));
        auto shadow = store->domain(shadow_schema_name("contract"));
        shadow->migrate(contract_schema());
        record(*shadow->open(), entries(150, 250, kStart, Outcome::ignored));
        CHECK(store->replace_by_shadow("contract", contract_schema())->commit().outcomes_changed == 100);
    }
    for (const std::string &table : tables) {
        CHECK(place.ask("contract", "select note from " + table) == "kept");
    }
    place.as_another("contract", "alter table event_ledger_3 rename to ledger_of_another");
    auto keeper = place.open()->domain("contract")->open();
    const LedgerUpkeep done = maintain(*keeper, policy_of(100, kHour, kStart + 20 * kHour));
    CHECK(done.sealed == 3);
    CHECK(done.refused.empty());
    CHECK(keeper->decided(ids(0, 400)) == ids(200, 300));
}

void held_by_another_table(StorePlace &place) {
    record(*contract_domain(*place.open())->open(), entries(0, 100));
    // It follows the generation that is sealed.
    place.as_another("contract", "create table audit (event_id uuid references event_ledger (event_id)); insert into audit values ('" +
                                     id_of(7).text() + "')");
    for (int round = 1; round <= 3; ++round) {
        auto domain = place.open()->domain("contract");
        auto keeper = domain->open();
        const event::Micros now = kStart + round * 10 * kHour;
        const auto at = static_cast<std::uint64_t>(round) * 100;
        const LedgerUpkeep done = maintain(*keeper, policy_of(100, kHour, now));
        CHECK(done.sealed == round);
        CHECK(done.pruned_events == (round == 1 ? 0 : 100));
        CHECK(done.refused.empty() == (round == 1));
        record(*keeper, entries(at, at + 100, now));
        CHECK(keeper->decided(ids(0, 1000)).size() == 200);
    }
    {
        auto keeper = place.open()->domain("contract")->open();
        const std::string refused = maintain(*keeper, policy_of(100, kHour, kStart + 30 * kHour)).refused;
        CHECK(refused.find("event_ledger_1") != std::string::npos);
        CHECK(refused.find("drop") != std::string::npos);
    }
    CHECK(place.ask("contract", "select count(*) from event_ledger_1") == "100");
    place.as_another("contract", "drop table audit");
    {
        auto keeper = place.open()->domain("contract")->open();
        CHECK(maintain(*keeper, policy_of(100, kHour, kStart + 30 * kHour)).refused.empty());
    }
    CHECK(place.ask("contract", "select count(*) from event_ledger_remains") == "0");
    place.as_another("contract", "create table event_ledger_1 (note text)"); // the name is free
}

} // namespace

std::vector<Promise> ledger_upkeep_promises() {
    return {
        {"a table of another program's that is called like a generation is never dropped, read or written", others_tables},
        {"what depends on a pruned generation keeps its table, and nothing else: the ledger is sealed and pruned, and catches up when it "
         "is gone",
         held_by_another_table},
        {"the ids of sealed generations are known, to every session and to a host that starts", sealed_generations_answer},
        {"ids are pruned when they are beyond the horizon by append time and by clock, and it is told where", pruned_by_the_horizon},
        {"without a horizon ids are kept for ever", kept_for_ever},
        {"ids with dead letters stay known, and a replay counts wherever the id is", dead_letters_stay_known},
        {"hosts that take the same events at once, while generations are sealed, apply each of them once", exactly_once_beside_upkeep},
        {"whatever the append times, an id is known while it is within the horizon, and can be told to be doubtful afterwards",
         model_of_the_horizon},
        {"a host killed while it keeps the ledger loses no id, and the next one goes on", killed_in_upkeep},
    };
}

} // namespace weir::test
