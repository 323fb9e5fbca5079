// SPDX-License-Identifier: Apache-2.0
#include "child_process.hpp"
#include "contract_schema.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

namespace weir::test {

using namespace store;
using namespace std::chrono_literals;

std::vector<Promise> lease_promises() {
    return {
        {"a lease is one holder's until it is released; each change of hands bumps the epoch",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = contract_domain(*store);
             auto a = domain->open();
             auto b = domain->open();
             const auto first = a->acquire_lease("t", 0, "a", 60s);
             REQUIRE(first);
             CHECK(first->topic == "t");
             CHECK(first->holder == "a");
             CHECK_FALSE(b->acquire_lease("t", 0, "b", 60s));
             CHECK(b->acquire_lease("t", 1, "b", 60s)); // another partition
             const auto again = a->acquire_lease("t", 0, "a", 60s);
             REQUIRE(again);
             CHECK(again->epoch == first->epoch);
             a->release_leases(std::vector{*first});
             const auto second = b->acquire_lease("t", 0, "b", 60s);
             REQUIRE(second);
             CHECK(second->epoch > first->epoch);
             a->release_leases(std::vector{*first}); // another's by now: left alone
             CHECK_FALSE(a->acquire_lease("t", 0, "a", 60s));
         }},
        {"an expired lease can be taken, and its holder is fenced from then on",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = contract_domain(*store);
             auto a = domain->open();
             auto b = domain->open();
             const auto first = a->acquire_lease("t", 0, "a", 1ms);
             REQUIRE(first);
             std::optional<Lease> second;
             REQUIRE(eventually([&] { return (second = b->acquire_lease("t", 0, "b", 60s)).has_value(); }));
             CHECK(second->epoch > first->epoch);
             CHECK_THROWS_AS(a->begin(std::vector{*first}), Fenced);
             a->rollback();
             CHECK_THROWS_AS(a->renew_leases(std::vector{*first}, 60s), Fenced);
             b->begin(std::vector{*second});
             b->commit();
             transact(*a, [] {}); // of use for everything else
         }},
        {"renewing puts the expiry off",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = contract_domain(*store);
             auto a = domain->open();
             auto b = domain->open();
             const auto lease = a->acquire_lease("t", 0, "a", 1ms);
             REQUIRE(lease);
             a->renew_leases(std::vector{*lease}, 60s); // late, but nobody took it
             const event::Micros later = event::now() + 20'000;
             REQUIRE(eventually([&] { return event::now() > later; }));
             CHECK_FALSE(b->acquire_lease("t", 0, "b", 60s));
             a->begin(std::vector{*lease});
             a->commit();
         }},
        {"a transaction checks every lease it is given",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = contract_domain(*store);
             auto a = domain->open();
             const auto one = a->acquire_lease("t", 0, "a", 60s);
             const auto two = a->acquire_lease("t", 1, "a", 60s);
             REQUIRE((one && two));
             Lease older = *two;
             --older.epoch;
             CHECK_THROWS_AS(a->begin(std::vector{*one, older}), Fenced);
             a->rollback();
             Lease unknown = *one;
             unknown.topic = "nowhere";
             CHECK_THROWS_AS(a->begin(std::vector{unknown}), Fenced);
             a->rollback();
         }},
        {"while a transaction holds its lease, nobody takes it over",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = contract_domain(*store);
             ChildProcess child([&](const ChildProcess::Say &say) {
                 ChildProcess::wait_for_parent();
                 auto session = place.open()->domain("contract")->open();
                 say("tries");
                 const bool taken = eventually([&] { // a lease that has expired, whose row is locked
                     try {
                         return session->acquire_lease("t", 0, "b", 60s).has_value();
                     } catch (const RunAgain &) {
                         session->rollback();
                         return false;
                     }
                 });
                 return taken ? 7 : 1;
             });
             auto a = domain->open();
             const auto lease = a->acquire_lease("t", 0, "a", 1ms);
             REQUIRE(lease);
             a->begin(std::vector{*lease});
             child.tell();
             CHECK(child.line() == "tries");
             std::vector<LedgerEntry> entry = {{id_of(1), 1, Outcome::applied}};
             a->record(entry);
             a->commit(); // succeeds: whatever the child waits for, it hasn't got
             CHECK(child.wait() == 7);
             CHECK_THROWS_AS(a->begin(std::vector{*lease}), Fenced);
             a->rollback();
         }},
    };
}

} // namespace weir::test
