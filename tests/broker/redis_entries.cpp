// SPDX-License-Identifier: Apache-2.0
// What other producers write into streams, and what becomes of it.
#include "contract_support.hpp"
#include "event/decoder.hpp"
#include "redis_fixture.hpp"

#include <catch2/catch.hpp>

#include <random>

namespace {
using namespace weir;
using Fields = std::vector<std::string>;

void add(const test::RedisServer &server, const Fields &fields, const std::string &id = "*") {
    std::vector<std::string> words{"XADD", "t", id};
    words.insert(words.end(), fields.begin(), fields.end());
    server.command(words);
}

/// The messages as a consumer gets them.
test::Batch read_all(const test::RedisServer &server, const std::string &group = "g") {
    const auto broker = test::open_redis(server);
    const auto consumer = broker->subscribe({group, "c", {"t"}, false});
    test::claim_all(*consumer);
    return test::read_rest(*consumer);
}

event::Event decoded(const std::shared_ptr<const broker::Message> &message, bool envelope_required = false) {
    static const event::Contracts contracts;
    event::Binding binding;
    binding.topic = "t";
    binding.envelope_required = envelope_required;
    if (!envelope_required) {
        binding.event_type = "=vote.cast.v1";
    }
    return event::Decoder(binding, contracts).decode(message);
}

std::string text_at(const event::Event &event, const std::string &pointer) {
    return event.envelope ? std::string(event.envelope->text(pointer).value_or("(nothing)")) : "(no envelope)";
}
} // namespace

TEST_CASE("a field event, data, payload or body holds the message, with a key and headers beside it") {
    const test::RedisServer server;
    const std::string json = R"({"vote":"cats"})";
    for (const std::string name : {"event", "data", "payload", "body"}) {
        add(server, {name, json});
        add(server, {"key", "k1", name, json, "header:trace", "abc", "header:", "empty name", "header:trace", "again"});
    }
    const auto got = read_all(server);
    REQUIRE(got.size() == 8);
    for (std::size_t at = 0; at < got.size(); at += 2) {
        CHECK((got[at]->body == json && got[at]->key.empty() && got[at]->headers.empty() && got[at]->fields.empty()));
        CHECK((got[at + 1]->body == json && got[at + 1]->key == "k1" && got[at + 1]->fields.empty()));
        CHECK(got[at + 1]->headers == std::vector<event::Header>{{"trace", "abc"}, {"", "empty name"}, {"trace", "again"}});
        CHECK(text_at(decoded(got[at]), "/payload/vote") == "cats");
        CHECK(decoded(got[at + 1]).key == "k1");
    }
}

TEST_CASE("flat fields are one object, and a body field that is no JSON is a flat field") {
    const test::RedisServer server;
    add(server, {"vote", "cats"});
    add(server, {"vote", "cats", "key", "voter-7"});
    add(server, {"body", "just text"});
    add(server, {"key", "k", "body", "just text"});
    add(server, {"event", "{}", "data", "{}"});
    const auto got = read_all(server);
    REQUIRE(got.size() == 5);
    CHECK(text_at(decoded(got[0]), "/payload/vote") == "cats");
    CHECK((got[1]->key == "voter-7" && decoded(got[1]).key == "voter-7"));
    CHECK(text_at(decoded(got[1]), "/payload/key") == "voter-7");
    CHECK(text_at(decoded(got[2]), "/payload/body") == "just text");
    CHECK((text_at(decoded(got[3]), "/payload/body") == "just text" && decoded(got[3]).key == "k"));
    CHECK(text_at(decoded(got[4]), "/payload/data") == "{}");
    CHECK(decoded(got[2], true).refusal->type == "malformed_json");
}

TEST_CASE("an envelope comes as JSON, as flat fields, or as a CloudEvent") {
    const test::RedisServer server;
    const std::string id = "0d6a2c5e-5a2b-4f7e-9a51-0c6a3a3f2b11";
    add(server, {"data", R"({"event_id":")" + id + R"(","event_type":"vote.cast.v1","tenant_id":"t1","correlation_id":"c",)" +
                             R"("occurred_at":"2025-01-01T00:00:00Z","schema_version":1,"payload":{"vote":"cats"}})"});
    add(server, {"event_id", id, "event_type", "vote.cast.v1", "tenant_id", "t1", "correlation_id", "c", "occurred_at",
                 "2025-01-01T00:00:00Z", "schema_version", "1", "payload", R"({"vote":"cats"})", "key", "k"});
    add(server, {"event", R"({"specversion":"1.0","id":"1","source":"/votes","type":"vote.cast.v1","data":{"vote":"cats"}})"});
    const auto got = read_all(server);
    REQUIRE(got.size() == 3);
    for (const auto &message : got) {
        const event::Event event = decoded(message, true);
        INFO((event.refusal ? event.refusal->message : ""));
        CHECK(!event.refusal);
        CHECK(event.type == "vote.cast.v1");
        CHECK(text_at(event, "/payload/vote") == "cats");
    }
    CHECK((decoded(got[0], true).id.text() == id && decoded(got[1], true).id.text() == id));
}

TEST_CASE("odd and binary fields become refusals with the position's id, byte for byte, and nothing ends") {
    const test::RedisServer server;
    const std::string binary("\0\xff\xfe\n\"", 5);
    add(server, {binary, binary});
    add(server, {"event", binary});
    add(server, {"", ""});
    add(server, {"a", "1", "a", "2"});
    add(server, {"event", ""});
    add(server, {"event", std::string(5u << 20, 'x')});
    Fields many;
    for (int number = 0; number < 3000; ++number) {
        many.insert(many.end(), {"f" + std::to_string(number), binary});
    }
    add(server, many);
    const auto got = read_all(server);
    REQUIRE(got.size() == 7);
    CHECK(got[0]->fields == std::vector<event::Header>{{binary, binary}});
    CHECK(got[1]->body == binary);
    CHECK(got[6]->fields.size() == 3000);
    CHECK(decoded(got[0]).refusal->type == "invalid_utf8");
    CHECK(decoded(got[1], true).refusal);
    CHECK(decoded(got[2], true).refusal);
    CHECK(text_at(decoded(got[3]), "/payload/a") == "2");
    CHECK(decoded(got[4], true).refusal);
    CHECK(decoded(got[5]).refusal->type == "message_too_large");
    CHECK(decoded(got[6]).refusal->type == "invalid_utf8");
    const auto again = read_all(server, "another");
    for (std::size_t at = 0; at < got.size(); ++at) {
        CHECK(decoded(got[at], true).id == decoded(again[at], true).id);
    }
    CHECK(decoded(got[0], true).id != decoded(got[1], true).id);
}

TEST_CASE("positions are the entries' ids and times are the server's, also where ids were made up") {
    const test::RedisServer server;
    add(server, {"event", "1"}, "1-1");
    add(server, {"event", "2"}, "1-2");
    add(server, {"event", "3"}, "1700000000123-7");
    add(server, {"event", "4"}, "18446744073709551615-18446744073709551614");
    const auto got = read_all(server);
    REQUIRE(got.size() == 4);
    CHECK((got[0]->position == broker::Position{1, 1} && got[0]->appended_at == 1000 && got[0]->two_part_position));
    CHECK((got[2]->position == broker::Position{1700000000123, 7} && got[2]->appended_at == 1700000000123000));
    CHECK(got[3]->position == broker::Position{UINT64_MAX, UINT64_MAX - 1});
    CHECK((got[3]->appended_at > got[2]->appended_at && got[3]->appended_at <= event::kLatest));
    const auto broker = test::open_redis(server);
    CHECK(broker->browse({"t", 0}, broker::Position{1, 1}, 10).size() == 3);
    CHECK(broker->newest({"t", 0}, 2).front().body == "3");
}

TEST_CASE("what publish writes is what docs/redis.md says") {
    const test::RedisServer server;
    test::open_redis(server)->publish("t", std::vector<broker::Outgoing>{{"k", {{"trace", "1"}}, "{}"}, {"", {}, "text"}});
    const std::string listing = server.command({"XRANGE", "t", "-", "+"});
    CHECK(listing.find("event\n{}\nkey\nk\nheader:trace\n1") != std::string::npos);
    CHECK(listing.find("event\ntext") != std::string::npos);
}
