// SPDX-License-Identifier: Apache-2.0
#include "installation.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace weir::test;

namespace {

std::vector<Backends> both_pairs() { return {Backends{}, on_servers()}; }

std::map<std::string, std::int64_t> counts(const Installation &installation) {
    return tally(installation.domain("votes"), "select option, count from vote_counts");
}

std::string id_of(int number) {
    char text[37];
    std::snprintf(text, sizeof text, "6f9619ff-8b86-4011-b42d-%012d", number);
    return text;
}

} // namespace

TEST_CASE("a hundred thousand votes are counted, each once") {
    const int votes = knob("WEIR_TEST_VOTES", 100000);
    for (const Backends &backends : both_pairs()) {
        INFO(backends.name());
        Installation installation({"votes"}, backends);
        std::mt19937_64 random(seed());
        std::map<std::string, std::int64_t> expected;
        std::vector<Text> messages;
        for (int i = 0; i < votes; ++i) {
            const std::string option = random() % 3 ? "cats" : "dogs";
            ++expected[option];
            messages.push_back({"", R"({"vote":")" + option + "\"}"});
        }
        installation.publish("votes", messages);
        const auto report = installation.drain();
        CHECK(counts(installation) == expected);
        CHECK(report.at("votes").counts.applied == votes);
        CHECK(report.at("votes").counts.dead_letters == 0);
        CHECK(installation.pending("votes", "vote-processors") == 0);
        CHECK(installation.backlog("votes", "vote-processors") == 0);
    }
}

TEST_CASE("an entry with an id counts once however often it comes, one without counts each time") {
    for (const Backends &backends : both_pairs()) {
        INFO(backends.name());
        Installation installation({"votes"}, backends);
        std::vector<Text> messages;
        for (int i = 0; i < 30; ++i) {
            messages.push_back({"", R"({"vote":"cats","event_id":")" + id_of(i % 10) + "\"}"});
            messages.push_back({"", R"({"vote":"dogs"})"});
        }
        // the same in an envelope of our own, and in a CloudEvent
        messages.push_back({"", R"({"event_id":")" + id_of(1000) + R"(","payload":{"vote":"dogs"}})"});
        messages.push_back({"", R"({"specversion":"1.0","id":"a","source":"/booth","type":"vote","data":{"vote":"dogs"}})"});
        installation.publish("votes", messages);
        const auto report = installation.drain();
        CHECK(counts(installation) == std::map<std::string, std::int64_t>{{"cats", 10}, {"dogs", 32}});
        CHECK(report.at("votes").counts.duplicates == 20);
    }
}

TEST_CASE("an invalid vote is a dead letter at once, and the votes around it count") {
    for (const Backends &backends : both_pairs()) {
        INFO(backends.name());
        Installation installation({"votes"}, backends);
        installation.publish(
            "votes",
            {{"", R"({"vote":"cats"})"}, {"", R"({"vote":"birds"})"}, {"", R"({"vote":7})"}, {"", R"(cats)"}, {"", R"({"vote":"dogs"})"}});
        const auto report = installation.drain();
        CHECK(counts(installation) == std::map<std::string, std::int64_t>{{"cats", 1}, {"dogs", 1}});
        CHECK(report.at("votes").counts.dead_letters == 3);
        CHECK(number(installation.domain("votes"), "select count(*) from dead_letter_queue where retry_count > 0") == 0);
        CHECK(number(installation.domain("votes"), "select count(*) from dead_letter_queue where error_type = 'invalid_vote'") == 1);
    }
}

TEST_CASE("entries that other clients add to the stream as flat fields count the same") {
    const Backends backends = on_servers();
    Installation installation({"votes"}, backends);
    const auto add = [&](std::vector<std::string> fields) {
        fields.insert(fields.begin(), {"XADD", "votes", "*"});
        backends.redis->command(fields);
    };
    add({"vote", "cats"});
    add({"vote", "cats"});
    add({"vote", "dogs", "voter_id", "17", "timestamp", "2025-11-24T00:00:00"});
    add({"data", R"({"vote":"dogs"})"});
    add({"vote", "cats", "event_id", id_of(1)});
    add({"vote", "cats", "event_id", id_of(1)});
    add({"vote", "fish"});
    add({"choice", "cats"});
    const auto report = installation.drain();
    CHECK(counts(installation) == std::map<std::string, std::int64_t>{{"cats", 3}, {"dogs", 2}});
    CHECK(report.at("votes").counts.dead_letters == 2);
    CHECK(report.at("votes").counts.duplicates == 1);
}

TEST_CASE("counts of another program go on where they were, and its clients' function counts beside the host") {
    const Backends backends = on_servers();
    Installation installation({"votes"}, backends);
    const auto ask = [&](const std::string &sql) {
        return backends.postgresql->query("set role weir; " + sql, installation.database_name());
    };
    SECTION("in a table that is there, with a function of ours") {
        ask("create schema votes; create table votes.vote_counts (option varchar(50) primary key, count integer not null default 0, "
            "updated_at timestamp not null default now()); insert into votes.vote_counts values ('cats', 1000, '2024-01-01'), ('birds', 7, "
            "now())");
        installation.publish("votes", {{"", R"({"vote":"cats"})"}, {"", R"({"vote":"dogs"})"}});
        installation.drain();
        CHECK(ask("select votes.increment_vote('cats')").at(0).at(0) == "1002");
        CHECK(ask("select votes.increment_vote('dogs')").at(0).at(0) == "2");
        CHECK(ask("select votes.increment_vote('fish')").at(0).at(0) == "1");
        CHECK(counts(installation) == std::map<std::string, std::int64_t>{{"cats", 1002}, {"dogs", 2}, {"birds", 7}, {"fish", 1}});
        // times without a zone are in UTC, whatever zone the client is in
        CHECK(ask("set timezone = 'Asia/Tokyo'; select votes.increment_vote('fish'); "
                  "select abs(extract(epoch from (now() at time zone 'UTC') - updated_at)) < 600 from votes.vote_counts where option = "
                  "'fish'")
                  .at(0)
                  .at(0) == "t");
    }
    SECTION("with a function that is there already, which stays as it is") {
        ask("create schema votes; create function votes.increment_vote(text) returns text language sql as 'select upper($1)'");
        installation.publish("votes", {{"", R"({"vote":"cats"})"}});
        installation.drain();
        CHECK(ask("select votes.increment_vote('cats')").at(0).at(0) == "CATS");
        CHECK(counts(installation) == std::map<std::string, std::int64_t>{{"cats", 1}});
    }
    SECTION("in a table that the host makes, and once more at the next start") {
        installation.publish("votes", {{"", R"({"vote":"cats"})"}});
        installation.drain();
        CHECK(ask("select votes.increment_vote(option => 'cats')").at(0).at(0) == "2");
        installation.publish("votes", {{"", R"({"vote":"cats"})"}});
        installation.drain();
        CHECK(ask("select votes.increment_vote('cats')").at(0).at(0) == "4");
    }
}

TEST_CASE("a stream of another name is read as the plugin's own") {
    Installation installation({"votes"});
    write_file(installation.domains() / "votes.json", R"({"service":{"domain":"votes","schema":"votes"},"topics":["ballots"]})");
    installation.publish("ballots", {{"", R"({"vote":"cats"})"}, {"", R"({"vote":"dogs"})"}});
    const auto report = installation.drain();
    CHECK(report.at("votes").counts.applied == 2);
    CHECK(counts(installation) == std::map<std::string, std::int64_t>{{"cats", 1}, {"dogs", 1}});
}
