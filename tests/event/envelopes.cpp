// SPDX-License-Identifier: Apache-2.0
#include "messages.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using namespace weir::event;
using namespace weir::test;
using Catch::Matchers::StartsWith;

namespace {

constexpr const char *kId = "11111111-2222-4333-8444-555555555555";

/// An envelope whose member `name` has another value; removed where that is empty.
std::string envelope_with(const std::string &name, const std::string &value) {
    const std::pair<std::string, std::string> members[] = {
        {"event_id", "\"11111111-2222-4333-8444-555555555555\""},
        {"event_type", "\"user.logged_in.v1\""},
        {"tenant_id", "\"AAAAAAAA-bbbb-4ccc-8ddd-eeeeeeeeeeee\""},
        {"correlation_id", "\"Trace-1\""},
        {"occurred_at", "\"2025-11-24T15:30:07.040058+05:30\""},
        {"schema_version", "3"},
        {"payload", "{\"user_id\":\"u/1\"}"},
    };
    std::string text;
    for (const auto &[member, standard] : members) {
        const std::string &used = member == name ? value : standard;
        if (!used.empty()) {
            text += (text.empty() ? "{\"" : ",\"") + member + "\":" + used;
        }
    }
    return text + "}";
}

const std::string kUsersEvent =
    R"({"specversion":"1.0","id":"A-1","source":"/shop/orders","type":"order.placed.v1","time":"2025-11-24T10:00:07Z","tenantid":"T1","correlationid":"C1","data":{"user_id":"u1"}})";

std::string replaced(std::string text, const std::string &from, const std::string &to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

} // namespace

TEST_CASE("an envelope's members become the event's, in their normal form") {
    const Event event = decode(envelope_with("", ""));
    REQUIRE(refusal_of(event) == "");
    CHECK(event.id.text() == kId);
    CHECK(event.type == "user.logged_in.v1");
    CHECK(event.tenant_id == "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee");
    CHECK(event.correlation_id == "Trace-1");
    CHECK(event.occurred_at == 1'763'978'407'040'058);
    CHECK(event.schema_version == 3);
    CHECK(event.key == "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee/u~11");
    CHECK(
        event.envelope->dump("") ==
        R"({"correlation_id":"Trace-1","event_id":"11111111-2222-4333-8444-555555555555","event_type":"user.logged_in.v1",)"
        R"("occurred_at":"2025-11-24T10:00:07.040058Z","payload":{"user_id":"u/1"},"schema_version":3,"tenant_id":"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"})");
}

TEST_CASE("a required member that is missing or wrong is refused by its name") {
    const std::string id_by_position = "986ab64c-2961-5107-bf85-f9d57cd2eee0"; // made with another implementation
    const std::tuple<std::string, std::string, std::string> cases[] = {
        {"event_id", "", "missing_member: /event_id is missing."},
        {"event_id", "null", "missing_member: /event_id is missing."},
        {"event_id", "17", "invalid_member: /event_id is not a string."},
        {"event_id", "\"\"", "invalid_member: /event_id is empty."},
        {"event_type", "", "missing_member: /event_type is missing."},
        {"event_type", "[]", "invalid_member: /event_type is not a string."},
        {"event_type", "\"UserCreated\"",
         "invalid_member: /event_type is no event type such as \"user.created.v1\", and the topic's binding has no alias for it."},
        {"occurred_at", "", "missing_member: /occurred_at is missing."},
        {"occurred_at", "\"yesterday\"",
         "invalid_member: /occurred_at is not an RFC 3339 time with a zone, or not one of the years 1 to 9999."},
        {"occurred_at", "1763978407", "invalid_member: /occurred_at is not a string."},
        {"tenant_id", "7", "invalid_member: /tenant_id is not a string."},
        {"tenant_id", "\"a\\u0000b\"", "invalid_member: /tenant_id holds U+0000 or is longer than 1024 bytes."},
        {"correlation_id", "{}", "invalid_member: /correlation_id is not a string."},
        {"schema_version", "\"1\"", "invalid_member: /schema_version is not a whole number from 0 to 2147483647."},
        {"schema_version", "-1", "invalid_member: /schema_version is not a whole number from 0 to 2147483647."},
        {"schema_version", "18446744073709551615", "invalid_member: /schema_version is not a whole number from 0 to 2147483647."},
        {"schema_version", "1.5", "invalid_member: /schema_version is not a whole number from 0 to 2147483647."},
        {"payload", "", "missing_member: /payload is missing."},
    };
    for (const auto &[name, value, expected] : cases) {
        INFO(name << " " << value);
        const Event event = decode(envelope_with(name, value));
        CHECK(refusal_of(event) == expected);
        CHECK(event.id.text() == (name == "event_id" ? id_by_position : kId));
        CHECK(event.envelope);
    }
}

TEST_CASE("an optional member may be missing or null") {
    for (const char *name : {"tenant_id", "correlation_id", "schema_version"}) {
        for (const char *value : {"", "null"}) {
            INFO(name << value);
            const Event event = decode(envelope_with(name, value));
            CHECK(refusal_of(event) == "");
            CHECK(event.envelope->kind(std::string("/") + name) == JsonKind::absent);
        }
    }
    CHECK(decode(envelope_with("schema_version", "0")).envelope->integer("/schema_version") == 0);
}

TEST_CASE("an unknown event type is no error") {
    const Event event = decode(envelope_with("event_type", "\"planet.moved.v7\""));
    CHECK(refusal_of(event) == "");
    CHECK(event.type == "planet.moved.v7");
}

TEST_CASE("messages that can't be read at all get ids by their position, of this incarnation of the topic") {
    for (const std::string &body :
         {std::string("{\"event_id\": \"11111111-2222-4333-8444-555555555555\", \"event_ty"), std::string("\"just a string\""),
          std::string(""), std::string("\xff"), std::string(20000, '[') + std::string(20000, ']')}) {
        const Event event = decode(body);
        REQUIRE(event.refusal);
        CHECK(event.id.text() == "986ab64c-2961-5107-bf85-f9d57cd2eee0");
        CHECK(event.occurred_at == event.message->appended_at);
    }
    auto message = make_message("{");
    message->partition = 3;
    message->position = {1'700'000'000'000, 2};
    message->two_part_position = true;
    const Decoder decoder(identity_binding(), built_in_contracts());
    CHECK(decoder.decode(message).id.text() == "d8b9e08d-a872-5b68-b897-4740637ee651");
    auto again = std::make_shared<Message>(*message);
    again->incarnation = "0f0e0d0c-0b0a-4908-8706-050403020101";
    CHECK(decoder.decode(again).id != decoder.decode(message).id);
}

TEST_CASE("each kind of unreadable message has its code") {
    CHECK(refusal_type(decode("")) == "malformed_json");
    CHECK(refusal_type(decode("{\"event_id\"")) == "malformed_json");
    CHECK(refusal_type(decode(envelope_with("", "") + "{}")) == "malformed_json");
    CHECK(refusal_type(decode(envelope_with("correlation_id", "\"\\ud800\""))) == "malformed_json");
    CHECK(refusal_type(decode(envelope_with("correlation_id", "\"\xc3\""))) == "invalid_utf8");
    CHECK(refusal_type(decode(envelope_with("payload", "1e999"))) == "number_out_of_range");
    CHECK(refusal_type(decode("\x1f\x8b\x08")) == "unknown_encoding");
    for (const char *other : {"\"just a string\"", "[]", "null", "17", "true"}) {
        CHECK(refusal_type(decode(other)) == "not_an_object");
    }
    CHECK(refusal_type(decode(envelope_with("payload", std::string(20000, '[') + std::string(20000, ']')))) == "too_deep");
    CHECK(refusal_type(decode(envelope_with("payload", std::string(63, '[') + std::string(63, ']')))) == "");
    CHECK(refusal_type(decode(envelope_with("payload", std::string(64, '[') + std::string(64, ']')))) == "too_deep");
}

TEST_CASE("a message is taken up to the limit and refused beyond it") {
    const std::string large = envelope_with("payload", "\"" + std::string(1 << 20, 'x') + "\"");
    CHECK(refusal_type(decode(large)) == "");
    DecodeLimits limits;
    limits.max_message_bytes = large.size();
    CHECK(refusal_type(decode(large, identity_binding(), limits)) == "");
    limits.max_message_bytes = large.size() - 1;
    CHECK(refusal_type(decode(large, identity_binding(), limits)) == "message_too_large");
    CHECK(refusal_type(decode(std::string(5u << 20, '['))) == "message_too_large");
}

TEST_CASE("an id that is no UUID is derived from the topic and itself") {
    CHECK(decode(envelope_with("event_id", "\"order-17\"")).id.text() ==
          "0a0953c5-9c26-5747-b82e-2e257c58cf7f"); // made with another implementation
    CHECK(decode(envelope_with("event_id", "\"order-17\"")).envelope->text("/event_id") == "0a0953c5-9c26-5747-b82e-2e257c58cf7f");
    CHECK(decode(envelope_with("event_id", "\"order-18\"")).id != decode(envelope_with("event_id", "\"order-17\"")).id);
    auto elsewhere = make_message(envelope_with("event_id", "\"order-17\""));
    elsewhere->topic = "another.topic";
    CHECK(Decoder(identity_binding(), built_in_contracts()).decode(elsewhere).id.text() != "0a0953c5-9c26-5747-b82e-2e257c58cf7f");
    CHECK(decode(envelope_with("event_id", "\"11111111-2222-4333-8444-55555555555A\"")).id ==
          decode(envelope_with("event_id", "\"11111111-2222-4333-8444-55555555555a\"")).id);
}

TEST_CASE("a CloudEvent is an event whose id is unique within its source") {
    const Event event = decode(kUsersEvent);
    REQUIRE(refusal_of(event) == "");
    CHECK(event.id.text() == "764b673b-b089-58a7-9879-ccbc24842c79"); // made with another implementation
    CHECK(event.type == "order.placed.v1");
    CHECK(event.tenant_id == "T1");
    CHECK(event.correlation_id == "C1");
    CHECK(event.key == "T1/u1");
    CHECK(event.envelope->text("/payload/user_id") == "u1");
    CHECK(event.envelope->kind("/specversion") == JsonKind::absent);
    CHECK(decode(replaced(kUsersEvent, "/shop/orders", "/shop/bills")).id != event.id);
    const Event underscored = decode(replaced(replaced(kUsersEvent, "tenantid", "tenant_id"), "correlationid", "correlation_id"));
    CHECK(underscored.tenant_id == "T1");
    CHECK(underscored.correlation_id == "C1");
}

TEST_CASE("a CloudEvent without what it needs is refused") {
    CHECK(refusal_of(decode(replaced(kUsersEvent, "\"id\":\"A-1\",", ""))) == "missing_member: /id is missing.");
    CHECK(refusal_of(decode(replaced(kUsersEvent, "\"source\":\"/shop/orders\",", ""))) == "missing_member: /source is missing.");
    CHECK(refusal_of(decode(replaced(kUsersEvent, "\"type\":\"order.placed.v1\",", ""))) == "missing_member: /type is missing.");
    CHECK(refusal_of(decode(replaced(kUsersEvent, "\"/shop/orders\"", "[]"))) == "invalid_member: /source is not a non-empty string.");
    CHECK_THAT(refusal_of(decode(replaced(kUsersEvent, "\"1.0\"", "\"0.3\""))), StartsWith("invalid_member: /specversion "));
    CHECK_THAT(refusal_of(decode(replaced(kUsersEvent, "2025-11-24T10:00:07Z", "noon"))), StartsWith("invalid_member: /time "));
    CHECK(refusal_of(decode(replaced(kUsersEvent, "\"data\":{\"user_id\":\"u1\"}", "\"data_base64\":\"AAAA\""))) ==
          "unknown_encoding: /data_base64 is binary data; JSON in /data is understood.");
    const Event timeless = decode(replaced(kUsersEvent, "\"time\":\"2025-11-24T10:00:07Z\",", ""));
    CHECK(refusal_of(timeless) == "");
    CHECK(timeless.occurred_at == timeless.message->appended_at);
}

TEST_CASE("a refused event keeps what could be read of it") {
    const Event event = decode(envelope_with("occurred_at", "\"yesterday\""));
    REQUIRE(event.refusal);
    CHECK(event.type == "user.logged_in.v1");
    CHECK(event.key == "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee/u~11");
    CHECK(event.correlation_id == "Trace-1");
}
