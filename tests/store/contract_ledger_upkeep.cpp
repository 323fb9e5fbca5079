// SPDX-License-Identifier: Apache-2.0
#include "child_process.hpp"
#include "contract_schema.hpp"
#include "random.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <thread>

namespace weir::test {

using namespace store;

namespace {

constexpr event::Micros kStart = 1'700'000'000'000'000;
constexpr event::Micros kHour = 3'600'000'000;

LedgerPolicy policy_of(std::uint64_t generation_events, event::Micros horizon = 0, event::Micros now = kStart) {
    LedgerPolicy policy;
    policy.generation_events = generation_events;
    policy.horizon = std::chrono::microseconds(horizon);
    policy.now = now;
    return policy;
}

/// Calls until nothing is left to be done; the sum of what was done.
LedgerUpkeep maintain(Session &session, const LedgerPolicy &policy) {
    LedgerUpkeep all;
    for (int step = 0; step < 10'000; ++step) {
        const LedgerUpkeep done = session.maintain_ledger(policy);
        all.sealed = std::max(all.sealed, done.sealed);
        all.indexed += done.indexed;
        all.pruned_events += done.pruned_events;
        all.pruned_through = std::max(all.pruned_through, done.pruned_through);
        all.generations = done.generations;
        if (!done.more) {
            return all;
        }
    }
    FAIL("the ledger's upkeep never comes to an end");
    return all;
}

std::vector<LedgerEntry> entries(std::uint64_t from, std::uint64_t to, event::Micros received_at = kStart,
                                 Outcome outcome = Outcome::applied) {
    std::vector<LedgerEntry> made;
    for (std::uint64_t i = from; i < to; ++i) {
        made.push_back({id_of(i), received_at, outcome});
    }
    return made;
}

std::vector<event::Uuid> ids(std::uint64_t from, std::uint64_t to) {
    std::vector<event::Uuid> made;
    for (std::uint64_t i = from; i < to; ++i) {
        made.push_back(id_of(i));
    }
    return made;
}

void record(Session &session, const std::vector<LedgerEntry> &written) {
    transact(session, [&] { session.record(written); });
}

DeadLetter letter_of(std::uint64_t number) {
    DeadLetter letter;
    letter.event_id = id_of(number);
    letter.topic = "t";
    letter.context = R"({"appended_at":1})";
    return letter;
}

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
    const std::vector<StoredPosition> positions = {{"t", 0, "x", {100, 3}}, {"u", 2, "y", {7, 0}}};
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
    REQUIRE(session->pruned().size() == 2);
    CHECK(session->pruned()[0].topic == "t");
    CHECK(session->pruned()[0].incarnation == "x");
    CHECK(session->pruned()[0].position == event::Position{100, 3});
    CHECK(session->pruned()[0].appended_through == kStart);
    CHECK(session->pruned()[1].partition == 2);
    CHECK(session->ledger_counts().applied == 200);                                           // counts are of all that was ever decided
    CHECK(maintain(*keeper, policy_of(100, kHour, kStart + 100 * kHour)).pruned_events == 0); // the newest always stay
    auto late = domain->open();
    CHECK(late->decided(ids(0, 200)) == ids(100, 200));
    CHECK(late->pruned().size() == 2);
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

/// Random append times, horizons, redeliveries, and dead letters against a model that forgets nothing.
void model_of_the_horizon(StorePlace &place) {
    auto store = place.open();
    auto domain = contract_domain(*store);
    Random random(seed());
    auto first = domain->open();
    auto second = place.open()->domain("contract")->open();
    auto keeper = domain->open();
    std::map<event::Uuid, event::Micros> recorded;
    std::map<event::Uuid, event::Micros> last_sealed;
    std::set<event::Uuid> dead;
    event::Micros now = kStart;
    event::Micros pruned_through = event::kEarliest;
    std::uint64_t next = 0;
    const event::Micros horizon = kHour * static_cast<event::Micros>(random.between(1, 20));
    for (int turn = 0; turn < 150; ++turn) {
        now += static_cast<event::Micros>(random.below(2 * kHour));
        Session &session = random.chance(50) ? *first : *second;
        if (random.chance(70)) {
            std::map<event::Uuid, event::Micros> batch;
            const std::size_t fresh = random.between(1, 40);
            for (std::size_t i = 0; i < fresh; ++i) { // up to five hours late
                batch[id_of(next++)] = now - static_cast<event::Micros>(random.below(5 * kHour));
            }
            transact(session, [&] {
                std::vector<LedgerEntry> written;
                std::vector<DeadLetter> letters;
                for (const auto &[id, received_at] : batch) {
                    const bool bad = random.chance(5);
                    written.push_back({id, received_at, bad ? Outcome::dead : Outcome::applied});
                    if (bad) {
                        letters.push_back(letter_of(0));
                        letters.back().event_id = id;
                        dead.insert(id);
                    }
                }
                session.record(written);
                session.add_dead_letters(letters);
                session.save_positions(std::vector<StoredPosition>{{"t", 0, "x", {next, 0}}});
            });
            recorded.insert(batch.begin(), batch.end());
        } else {
            const LedgerUpkeep done = maintain(*keeper, policy_of(random.between(20, 200), horizon, now));
            if (done.pruned_events > 0) {
                pruned_through = std::max(pruned_through, done.pruned_through);
                event::Micros newest = event::kEarliest;
                for (const auto &[id, received_at] : recorded) {
                    newest = std::max(newest, received_at);
                }
                REQUIRE(newest - done.pruned_through >= horizon);
            }
        }
        std::vector<event::Uuid> asked;
        for (std::uint64_t i = next > 600 ? next - 600 : 0; i < next + 50; ++i) {
            asked.push_back(id_of(i));
        }
        const auto decided = session.decided(asked);
        for (const event::Uuid &id : asked) {
            const bool known = std::binary_search(decided.begin(), decided.end(), id);
            const auto found = recorded.find(id);
            if (found == recorded.end()) {
                REQUIRE_FALSE(known);
            } else if (found->second > pruned_through || dead.contains(id)) {
                REQUIRE(known);
            } else if (!known) { // it can be told that it may have been decided
                REQUIRE(session.pruned().size() == 1);
                REQUIRE(session.pruned().front().appended_through >= found->second);
                REQUIRE(session.pruned().front().position.high > 0);
            }
        }
    }
    CHECK(first->ledger_counts().applied == recorded.size() - dead.size());
    CHECK(first->ledger_counts().dead == dead.size());
}

void killed_in_upkeep(StorePlace &place) {
    auto store = place.open();
    auto domain = contract_domain(*store);
    Random random(seed());
    std::uint64_t known = 0;
    for (int round = 0; round < 12; ++round) {
        std::uint64_t said = known;
        {
            ChildProcess child([&](const ChildProcess::Say &say) {
                auto own = place.open()->domain("contract");
                own->migrate(contract_schema());
                auto session = own->open();
                auto keeper = own->open();
                for (std::uint64_t n = session->ledger_counts().applied;; n += 20) {
                    const event::Micros now = kStart + static_cast<event::Micros>(n) * kHour;
                    record(*session, entries(n, n + 20, now));
                    keeper->maintain_ledger(policy_of(60, 400 * kHour, now));
                    say(std::to_string(n + 20));
                }
                return 0;
            });
            const std::size_t lines = random.between(1, 25);
            for (std::size_t i = 0; i < lines; ++i) {
                const std::string line = child.line();
                REQUIRE_FALSE(line.empty());
                said = std::stoull(line);
            }
            const auto moment = event::now() + static_cast<event::Micros>(random.below(4000));
            eventually([&] { return event::now() >= moment; });
            child.kill();
        }
        auto session = domain->open();
        known = session->ledger_counts().applied;
        REQUIRE(known >= said);
        REQUIRE(known % 20 == 0);
        const std::uint64_t from = known > 400 ? known - 400 : 0; // the horizon is as many hours as this has ids
        REQUIRE(session->decided(ids(from, known)).size() == known - from);
        REQUIRE(session->decided(ids(known, known + 100)).empty());
        auto keeper = domain->open();
        const LedgerUpkeep done = maintain(*keeper, policy_of(60, 400 * kHour, kStart + static_cast<event::Micros>(known) * kHour));
        CHECK(done.generations < 60);
    }
}

} // namespace

std::vector<Promise> ledger_upkeep_promises() {
    return {
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
