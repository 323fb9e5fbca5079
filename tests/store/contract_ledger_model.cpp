// SPDX-License-Identifier: Apache-2.0
#include "child_process.hpp"
#include "contract_ledger_support.hpp"
#include "random.hpp"
#include "support.hpp"

#include <map>
#include <set>

namespace weir::test {

using namespace upkeep;

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
        REQUIRE(eventually([&] { // a server may still be at the last commit of who was killed
            known = session->ledger_counts().applied;
            return session->decided(ids(known, known + 100)).empty();
        }));
        REQUIRE(known >= said);
        REQUIRE(known % 20 == 0);
        const std::uint64_t from = known > 400 ? known - 400 : 0; // the horizon is as many hours as this has ids
        REQUIRE(session->decided(ids(from, known)).size() == known - from);
        auto keeper = domain->open();
        const LedgerUpkeep done = maintain(*keeper, policy_of(60, 400 * kHour, kStart + static_cast<event::Micros>(known) * kHour));
        CHECK(done.generations < 60);
    }
}

} // namespace weir::test
