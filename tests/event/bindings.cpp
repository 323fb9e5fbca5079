// SPDX-License-Identifier: Apache-2.0
#include "messages.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using namespace weir::event;
using namespace weir::test;
using Catch::Matchers::StartsWith;

namespace {

Binding votes() {
    Binding binding = bare_binding();
    binding.event_id = "position";
    binding.event_type = "=vote.cast.v1";
    return binding;
}

std::string key_of(const std::string &body, std::vector<std::string> keys, const std::string &broker_key = "") {
    Binding binding = votes();
    binding.keys = std::move(keys);
    auto message = make_message(body);
    message->key = broker_key;
    return Decoder(binding, built_in_contracts()).decode(message).key;
}

} // namespace

TEST_CASE("sources point into the message, fix a value or take the position") {
    Binding binding = bare_binding();
    binding.event_id = "/meta/id";
    binding.event_type = "/meta/kind";
    binding.occurred_at = "/meta/at";
    binding.tenant_id = "=Everybody";
    binding.correlation_id = "/meta/trace~1id";
    binding.payload = "/content";
    binding.aliases = {{"VoteCast", "vote.cast.v1"}};
    binding.keys = {"/content/who"};
    const std::string body = R"({"meta":{"id":"17","kind":"VoteCast","at":"2025-11-24T10:00:07Z","trace/id":"x"},"content":{"who":"me"}})";
    const Event event = decode(body, binding);
    REQUIRE(refusal_of(event) == "");
    CHECK(event.id == Uuid::v5(Uuid::v5(weir_namespace(), "identity.user.v1"), "17"));
    CHECK(event.type == "vote.cast.v1");
    CHECK(event.occurred_at == 1'763'978'407'000'000);
    CHECK(event.tenant_id == "Everybody");
    CHECK(event.correlation_id == "x");
    CHECK(event.key == "me");
    CHECK(event.envelope->dump("/payload") == R"({"who":"me"})");

    CHECK(refusal_of(decode(R"({"meta":{"kind":"VoteCast"},"content":1})", binding)) == "missing_member: /meta/id is missing.");
    CHECK(refusal_of(decode(R"({"meta":{"id":17,"kind":"VoteCast"},"content":1})", binding)) ==
          "invalid_member: /meta/id is not a string.");
    CHECK(refusal_of(decode(R"({"meta":{"id":"17"},"content":1})", binding)) == "missing_member: /meta/kind is missing.");
    CHECK(refusal_of(decode(R"({"meta":{"id":"17","kind":"VoteCast"}})", binding)) == "missing_member: /content is missing.");
    CHECK_THAT(refusal_of(decode(R"({"meta":{"id":"17","kind":"VoteCast","at":"now"},"content":1})", binding)),
               StartsWith("invalid_member: /meta/at "));
    const Event timeless = decode(R"({"meta":{"id":"17","kind":"VoteCast"},"content":1})", binding);
    CHECK(refusal_of(timeless) == "");
    CHECK(timeless.occurred_at == timeless.message->appended_at);
}

TEST_CASE("a bare message is its own payload and takes its id from its position") {
    for (const char *body : {R"({"vote":"cats"})", "[1]", "\"cats\"", "7", "null"}) {
        const Event event = decode(body, votes());
        INFO(body);
        CHECK(refusal_of(event) == "");
        CHECK(event.id.text() == "986ab64c-2961-5107-bf85-f9d57cd2eee0");
        CHECK(event.type == "vote.cast.v1");
        CHECK(event.envelope->dump("/payload") == body);
    }
    CHECK(refusal_of(decode(R"({"vote":"cats"})", bare_binding())) == "missing_member: /event_type is missing.");
}

TEST_CASE("what a bare message holds at an envelope's places by accident is no error") {
    Binding binding = votes();
    binding.event_id.clear();
    const Event event =
        decode(R"({"event_id":7,"occurred_at":"noon","tenant_id":[],"schema_version":"x","correlation_id":false})", binding);
    CHECK(refusal_of(event) == "");
    CHECK(event.occurred_at == event.message->appended_at);
    CHECK(event.tenant_id == "");
}

TEST_CASE("an envelope is understood where none is required") {
    const Event event =
        decode(R"({"event_id":"11111111-2222-4333-8444-555555555555","event_type":"a.b.v1","payload":{"x":1}})", bare_binding());
    CHECK(refusal_of(event) == "");
    CHECK(event.id.text() == "11111111-2222-4333-8444-555555555555");
    CHECK(event.envelope->integer("/payload/x") == 1);
    CHECK(refusal_of(decode(R"({"event_id":7,"event_type":"a.b.v1","payload":{}})", bare_binding())) ==
          "invalid_member: /event_id is not a string.");
}

TEST_CASE("one field with JSON is the message; flat fields are an object of texts") {
    for (const char *name : {"event", "data", "payload", "body"}) {
        const Event event = decode_fields({{name, R"({"event_type":"a.b.v1","payload":{"x":1}})"}});
        CHECK(refusal_of(event) == "");
        CHECK(event.envelope->integer("/payload/x") == 1);
    }
    const Event flat = decode_fields({{"vote", "cats"}, {"weight", "2"}}, votes());
    CHECK(flat.envelope->dump("/payload") == R"({"vote":"cats","weight":"2"})");
    CHECK(decode_fields({{"vote", "cats"}}, votes()).envelope->dump("/payload") == R"({"vote":"cats"})");
    CHECK(decode_fields({{"data", "cats"}}, votes()).envelope->dump("/payload") == R"({"data":"cats"})");
    CHECK(decode_fields({{"vote", "cats"}, {"vote", "dogs"}}, votes()).envelope->text("/payload/vote") == "dogs");
    CHECK(refusal_type(decode_fields({{"event", "{\"a\":"}}, votes())) == "malformed_json");
    CHECK(refusal_type(decode_fields({{"event", "cats"}}, identity_binding())) == "malformed_json");
    CHECK(refusal_type(decode_fields({{"vote", "\xff"}}, votes())) == "invalid_utf8");
    CHECK(refusal_type(decode_fields({{"\xff", "x"}}, votes())) == "invalid_utf8");
    CHECK(refusal_type(decode_fields({{"x", std::string(5u << 20, 'x')}}, votes())) == "message_too_large");
}

TEST_CASE("an envelope laid out as flat fields carries its payload as JSON text") {
    Binding binding = bare_binding();
    binding.envelope_required = true;
    const std::vector<Header> fields{{"event_id", "11111111-2222-4333-8444-555555555555"},
                                     {"event_type", "a.b.v1"},
                                     {"occurred_at", "2025-11-24T10:00:07Z"},
                                     {"schema_version", "2"},
                                     {"payload", R"({"x":1})"}};
    const Event event = decode_fields(fields, binding);
    CHECK(refusal_of(event) == "");
    CHECK(event.schema_version == 2);
    CHECK(event.envelope->integer("/payload/x") == 1);
    auto broken = fields;
    broken.back().second = "{\"x\":";
    CHECK_THAT(refusal_of(decode_fields(broken, binding)), StartsWith("malformed_json: /payload: "));
    broken.back().second = std::string(100, '[');
    CHECK(refusal_type(decode_fields(broken, binding)) == "too_deep");
}

TEST_CASE("no two lists of key parts make one key") {
    const auto key = [](const std::string &a, const std::string &b) {
        return key_of("{\"a\":\"" + a + "\",\"b\":\"" + b + "\"}", {"/a", "/b"});
    };
    CHECK(key("x", "y") == "x/y");
    CHECK(key("x/y", "z") != key("x", "y/z"));
    CHECK(key("x~1y", "z") != key("x/y", "z"));
    CHECK(key("x~", "1y") != key("x", "~1y"));
    CHECK(key("", "x/") != key("/x", ""));
    CHECK(key("", "x") != key("x", ""));
}

TEST_CASE("a key's parts are texts, numbers and booleans; UUIDs in lower case") {
    CHECK(key_of(R"({"a":7,"b":true})", {"/a", "/b", "=eu"}) == "7/true/eu");
    CHECK(key_of(R"({"a":"346CA8A9-DA85-4F1A-BBD8-8BBC6A6E74D7"})", {"/a"}) == "346ca8a9-da85-4f1a-bbd8-8bbc6a6e74d7");
    CHECK(key_of(R"({"a":"ABC"})", {"/a"}) == "ABC");
    CHECK(key_of(R"({"a":"x/y~z"})", {"/a"}) == "x/y~z");
}

TEST_CASE("where a key's part is missing the broker's key orders, and without one the partition does") {
    for (const char *body : {R"({"a":"x"})", R"({"a":"x","b":null})", R"({"a":"x","b":{}})", R"({"a":"x","b":[1]})", "[]", "{"}) {
        INFO(body);
        CHECK(key_of(body, {"/a", "/b"}, "k") == "k");
        CHECK(key_of(body, {"/a", "/b"}) == "");
    }
    CHECK(key_of(R"({"a":""})", {"/a"}, "k") == "k");
    CHECK(key_of(R"({"a":"x"})", {}, "k") == "k");
}

TEST_CASE("a binding with a wrong source is refused, naming the member") {
    CHECK(check_binding(identity_binding()) == "");
    CHECK(check_binding(votes()) == "");
    const auto wrong = [](auto change) {
        Binding binding = identity_binding();
        change(binding);
        return check_binding(binding);
    };
    CHECK_THAT(wrong([](Binding &b) { b.topic.clear(); }), StartsWith("topic: "));
    CHECK_THAT(wrong([](Binding &b) { b.event_id = "id"; }), StartsWith("event_id: "));
    CHECK_THAT(wrong([](Binding &b) { b.event_id = "=1"; }), StartsWith("event_id: "));
    CHECK_THAT(wrong([](Binding &b) { b.event_type = "position"; }), StartsWith("event_type: "));
    CHECK_THAT(wrong([](Binding &b) { b.event_type = "=UserCreated"; }), StartsWith("event_type: "));
    CHECK_THAT(wrong([](Binding &b) { b.occurred_at = "=noon"; }), StartsWith("occurred_at: "));
    CHECK_THAT(wrong([](Binding &b) { b.tenant_id = "/a~"; }), StartsWith("tenant_id: "));
    CHECK_THAT(wrong([](Binding &b) { b.correlation_id = "/a~2"; }), StartsWith("correlation_id: "));
    CHECK_THAT(wrong([](Binding &b) { b.payload = "payload"; }), StartsWith("payload: "));
    CHECK_THAT(wrong([](Binding &b) { b.keys = {"/a", ""}; }), StartsWith("keys/1: "));
    CHECK_THAT(wrong([](Binding &b) { b.keys = {"a"}; }), StartsWith("keys/0: "));
    CHECK_THAT(wrong([](Binding &b) { b.aliases = {{"", "a.v1"}}; }), StartsWith("aliases: "));
    CHECK_THAT(wrong([](Binding &b) { b.aliases = {{"A", "A"}}; }), StartsWith("aliases: "));
    CHECK_THAT(wrong([](Binding &b) { b.aliases = {{"A", "a.v1"}, {"A", "b.v1"}}; }), StartsWith("aliases: "));
    CHECK(wrong([](Binding &b) {
              b.aliases = {{"UserCreated", "user.created.v1"}};
              b.event_type = "=UserCreated";
              b.occurred_at = "=2025-01-01T00:00:00Z";
              b.tenant_id = "=";
              b.event_id = "position";
          }) == "");
}
