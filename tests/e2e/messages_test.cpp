// SPDX-License-Identifier: Apache-2.0
#include "sample.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <set>

using namespace weir::test;

namespace {

const std::string kTopic = "probe.thing.v1";
constexpr std::size_t kMebibyte = std::size_t{1} << 20;

/// Every e-mail address in a text, and what looks like one.
std::set<std::string> addresses_in(const std::string &text) {
    std::set<std::string> found;
    for (std::size_t at = text.find('@'); at != std::string::npos; at = text.find('@', at + 1)) {
        std::size_t begin = at;
        std::size_t end = at + 1;
        const auto part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_'; };
        while (begin > 0 && part(text[begin - 1])) {
            --begin;
        }
        while (end < text.size() && part(text[end])) {
            ++end;
        }
        if (begin < at && end > at + 1) {
            found.insert(text.substr(begin, end - begin));
        }
    }
    return found;
}

/// Values of a member in the sample's lines, long enough not to turn up by chance.
std::set<std::string> values_of(const std::string &member) {
    std::set<std::string> found;
    const std::string before = "\"" + member + "\": \"";
    for (const Text &message : sample()) {
        const std::size_t at = message.body.find(before);
        if (at != std::string::npos) {
            const std::size_t begin = at + before.size();
            const std::string value = message.body.substr(begin, message.body.find('"', begin) - begin);
            if (value.size() >= 6) {
                found.insert(value);
            }
        }
    }
    return found;
}

} // namespace

TEST_CASE("large messages are applied, too large ones are dead letters, and unknown types are counted as ignored") {
    Installation installation({"probe"});
    std::vector<Text> events;
    events.push_back(probe_event("thing.counted.v1", "one", 1, std::string(kMebibyte + 1, 'x')));
    events.push_back(probe_event("thing.counted.v1", "one", 2, std::string(5 * kMebibyte, 'y')));
    events.push_back(probe_event("thing.forgotten.v1", "one", 3));
    events.push_back(probe_event("thing.counted.v7", "one", 4)); // a version that there is no handler for
    events.push_back(probe_event("no type at all", "one", 5));
    events.push_back(probe_event("thing.counted.v1", "one", 6));
    for (int i = 0; i < 12; ++i) {
        events.push_back(probe_event("thing.counted.v1", "two", i, std::string(3 * kMebibyte, 'z'))); // each nearly a batch of its own
    }
    for (const Text &event : events) {
        installation.publish(kTopic, {event});
    }
    const auto report = installation.drain();
    const DomainCounts &counts = report.at("probe").counts;
    CHECK(counts.messages == 18);
    CHECK(counts.applied == 14);
    CHECK(counts.ignored == 1);
    CHECK(counts.dead_letters == 3);
    const auto database = installation.database("probe");
    CHECK(number(database, "select max(size) from seen") == static_cast<std::int64_t>(3 * kMebibyte));
    CHECK(number(database, "select times from subjects where subject = 'two'") == 12);
    CHECK(number(database, "select count(*) from dead_letter_queue where error_type = 'message_too_large'") == 1);
    CHECK(number(database, "select sum(disorder) from subjects") == 0);
    CHECK(number(database, "select count(*) from dead_letter_queue where error_message like '%thing.counted.v7%' or event_type = "
                           "'thing.counted.v7'") == 1);
}

TEST_CASE("the log holds no e-mail address and no name of the sample, at any level") {
    Installation installation({"linting", "spellcheck"});
    installation.set("log.level", "debug");
    installation.publish(kIdentityTopic, sample());
    std::string log;
    for (int i = 0; i < 2; ++i) { // killed amid it, then to the end
        const auto host = installation.start(i == 0 ? std::vector<std::string>{} : std::vector<std::string>{"--until-drained"});
        if (i == 0) {
            REQUIRE(eventually([&] { return number(installation.database("linting"), "select count(*) from event_ledger") > 0; }));
            host->kill();
        } else {
            REQUIRE(host->wait());
        }
        log += host->log() + host->output();
    }
    REQUIRE(log.find("event.dead_letter") != std::string::npos); // it did tell of them
    CHECK(addresses_in(log).empty());
    std::string all;
    for (const Text &message : sample()) {
        all += message.body + "\n";
    }
    const auto addresses = addresses_in(all);
    REQUIRE(addresses.size() > 500);
    for (const std::string &address : addresses) {
        REQUIRE(log.find(address) == std::string::npos);
    }
    for (const std::string &name : values_of("display_name")) {
        REQUIRE(log.find(name) == std::string::npos);
    }
}
