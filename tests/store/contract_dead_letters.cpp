// SPDX-License-Identifier: Apache-2.0
#include "contract_schema.hpp"

#include <catch2/catch.hpp>

namespace weir::test {

using namespace store;

namespace {

DeadLetter letter(std::uint64_t number, const std::string &topic = "t", const std::string &error_type = "rejected") {
    DeadLetter made;
    made.event_id = id_of(number);
    made.topic = topic;
    made.partition = 3;
    made.position = "17-" + std::to_string(number);
    made.event_type = "user.created.v1";
    made.event_data = R"({"a": "it's"})";
    made.raw = std::string("{\0\xFF", 3);
    made.error_type = error_type;
    made.error_message = "\xC3\xA9 /payload/x";
    made.retry_count = 2;
    made.created_at = 1'700'000'000'000'001;
    made.updated_at = 1'700'000'000'000'002;
    made.context = R"({"key": "k"})";
    return made;
}

void bury(Session &session, const std::vector<DeadLetter> &letters) {
    std::vector<LedgerEntry> entries;
    for (const DeadLetter &one : letters) {
        entries.push_back({one.event_id, 1, Outcome::dead});
    }
    transact(session, [&] {
        session.add_dead_letters(letters);
        session.record(entries);
    });
}

} // namespace

std::vector<Promise> dead_letter_promises() {
    return {
        {"a dead letter is kept with everything that is known of it, its bytes included",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             DeadLetter without = letter(2);
             without.event_data.reset();
             bury(*session, {letter(1), without});
             const auto found = session->dead_letter(id_of(1));
             REQUIRE(found);
             CHECK(found->id > 0);
             CHECK(found->event_id == id_of(1));
             CHECK(found->topic == "t");
             CHECK(found->partition == 3);
             CHECK(found->position == "17-1");
             CHECK(found->event_type == "user.created.v1");
             REQUIRE(found->event_data);
             CHECK(*found->event_data == R"({"a": "it's"})");
             CHECK(found->raw == std::string("{\0\xFF", 3));
             CHECK(found->error_type == "rejected");
             CHECK(found->error_message == "\xC3\xA9 /payload/x");
             CHECK(found->retry_count == 2);
             CHECK(found->status == DeadLetterStatus::pending);
             CHECK(found->created_at == 1'700'000'000'000'001);
             CHECK(found->updated_at == 1'700'000'000'000'002);
             CHECK(found->context == R"({"key": "k"})");
             CHECK_FALSE(session->dead_letter(id_of(2))->event_data);
             CHECK_FALSE(session->dead_letter(id_of(3)));
         }},
        {"a second dead letter of the same event adds nothing",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             bury(*session, {letter(1)});
             const std::vector<DeadLetter> again = {letter(1, "t", "other"), letter(2)};
             transact(*session, [&] { session->add_dead_letters(again); });
             const auto all = session->dead_letters({});
             REQUIRE(all.size() == 2);
             CHECK(all[0].error_type == "rejected");
         }},
        {"dead letters are listed by status, reason and topic, and in pages",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             std::vector<DeadLetter> letters;
             for (std::uint64_t i = 0; i < 250; ++i) {
                 letters.push_back(letter(i, i % 2 ? "odd" : "even", i % 5 ? "rejected" : "malformed"));
             }
             bury(*session, letters);
             DeadLetterFilter filter;
             filter.limit = 100;
             std::size_t seen = 0;
             for (;;) {
                 const auto page = session->dead_letters(filter);
                 if (page.empty()) {
                     break;
                 }
                 seen += page.size();
                 REQUIRE(page.front().id > filter.after_id);
                 filter.after_id = page.back().id;
             }
             CHECK(seen == 250);
             filter = {};
             filter.limit = 1000;
             filter.topic = "odd";
             CHECK(session->dead_letters(filter).size() == 125);
             filter.error_type = "malformed";
             CHECK(session->dead_letters(filter).size() == 25);
             filter.status = DeadLetterStatus::dropped;
             CHECK(session->dead_letters(filter).empty());
             filter.status = DeadLetterStatus::pending;
             CHECK(session->dead_letters(filter).size() == 25);
             filter.event_type = letters.front().event_type;
             CHECK(session->dead_letters(filter).size() == 25);
             filter.event_type = "other.type.v1";
             CHECK(session->dead_letters(filter).empty());
         }},
        {"a replayed dead letter takes its new outcome in the ledger, in one transaction, and can't be locked again",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             bury(*session, {letter(1), letter(2)});
             const std::int64_t id = session->dead_letter(id_of(1))->id;
             session->begin({});
             auto locked = session->lock_dead_letter(id);
             REQUIRE(locked);
             session->settle_dead_letter(*locked, DeadLetterStatus::replayed, Outcome::applied);
             session->rollback();
             CHECK(session->dead_letter(id_of(1))->status == DeadLetterStatus::pending);
             CHECK(session->ledger_counts().dead == 2);
             transact(*session, [&] {
                 locked = session->lock_dead_letter(id);
                 REQUIRE(locked);
                 session->settle_dead_letter(*locked, DeadLetterStatus::replayed, Outcome::stale);
             });
             CHECK(session->dead_letter(id_of(1))->status == DeadLetterStatus::replayed);
             const LedgerCounts counts = session->ledger_counts();
             CHECK(counts.dead == 1);
             CHECK(counts.stale == 1);
             transact(*session, [&] { CHECK_FALSE(session->lock_dead_letter(id)); });
             CHECK(session->decided(std::vector{id_of(1)}).size() == 1);
         }},
        {"a dropped dead letter is not counted as dead, and stays decided",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             bury(*session, {letter(1)});
             transact(*session,
                      [&] { session->settle_dead_letter(*session->dead_letter(id_of(1)), DeadLetterStatus::dropped, Outcome::dead); });
             CHECK(session->ledger_counts().dead == 0);
             CHECK(session->decided(std::vector{id_of(1)}).size() == 1);
             transact(*session, [&] { CHECK_FALSE(session->lock_dead_letter(session->dead_letter(id_of(1))->id)); });
         }},
        {"a replay that failed leaves its reason and counts",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             bury(*session, {letter(1)});
             session->note_replay_failure(*session->dead_letter(id_of(1)), {"still_rejected", "no such plan"});
             const auto found = session->dead_letter(id_of(1));
             CHECK(found->error_type == "still_rejected");
             CHECK(found->error_message == "no such plan");
             CHECK(found->retry_count == 3);
             CHECK(found->status == DeadLetterStatus::pending);
             CHECK(found->updated_at > found->created_at);
         }},
    };
}

} // namespace weir::test
