// SPDX-License-Identifier: Apache-2.0
// What machines mostly write is parsed, checked and normalised on short paths; none of them may say otherwise than the long one.
#include "messages.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <random>

using namespace weir;
using namespace weir::event;
using namespace weir::test;
using nlohmann::json;

namespace {

class Texts {
public:
    explicit Texts(std::uint64_t seed) : random_(seed) {}

    std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_() % limit); }

    template <std::size_t N> const char *one_of(const char *const (&choices)[N]) { return choices[below(N)]; }

    std::string space() { return below(4) == 0 ? one_of({" ", "\n", "\t ", "\r\n"}) : ""; }

    std::string value(int depth) {
        static constexpr const char *scalars[] = {"true",
                                                  "false",
                                                  "null",
                                                  "0",
                                                  "-0",
                                                  "-1",
                                                  "17",
                                                  "007",
                                                  "1.5",
                                                  "1e3",
                                                  "-2E-7",
                                                  "123456789012345678",
                                                  "9223372036854775808",
                                                  "-9223372036854775808",
                                                  "99999999999999999999",
                                                  "\"\"",
                                                  "\"plain text\"",
                                                  "\"a\\nb\"",
                                                  "\"\\u00e9\"",
                                                  "\"\\ud800\"",
                                                  "\"\xc3\xa9\"",
                                                  "\"\xff\"",
                                                  "\"\x7f\"",
                                                  "\"\x01\"",
                                                  "tru",
                                                  "\"open",
                                                  "-",
                                                  "+1",
                                                  "nul",
                                                  "1.",
                                                  "\"a/~b\"",
                                                  "0x1",
                                                  "1 2"};
        if (depth == 0 || below(3) != 0) {
            return space() + scalars[below(8) == 0 ? below(std::size(scalars)) : below(7)] + space();
        }
        const bool object = below(2) == 0;
        std::string text = object ? "{" : "[";
        for (std::size_t i = 0, members = below(4); i < members; ++i) {
            text += i == 0 ? "" : ",";
            if (object) {
                text += space() + one_of({"\"a\"", "\"b\"", "\"c\"", "\"member\"", "\"\"", "\"\\u0061\""}) + space() + ":";
            }
            text += value(depth - 1);
        }
        text += below(40) == 0 ? "," : "";
        return space() + text + (object ? "}" : "]") + space();
    }

    /// The same with a byte gone, doubled or changed, now and then.
    std::string damaged(std::string text) {
        if (!text.empty() && below(4) == 0) {
            const std::size_t at = below(text.size());
            const std::size_t how = below(3);
            if (how == 0) {
                text.erase(at, 1);
            } else if (how == 1) {
                text.insert(at, 1, text[at]);
            } else {
                text[at] = "{}[]\",:\\ 0e."[below(12)];
            }
        }
        return text;
    }

private:
    std::mt19937_64 random_;
};

std::string envelope(Texts &texts) {
    const auto member = [&](const char *name, std::string value) {
        return texts.below(12) == 0 ? std::string() : "\"" + std::string(name) + "\":" + value + ",";
    };
    std::string text = "{";
    text += member("event_id", texts.one_of({"\"11111111-2222-4333-8444-55555555555a\"", "\"11111111-2222-4333-8444-55555555555A\"",
                                             "\"other\"", "7", "null"}));
    text += member("event_type", texts.one_of({"\"user.created.v1\"", "\"user.updated.v1\"", "\"UserCreated\"", "\"nothing\"", "1"}));
    text += member("tenant_id", texts.one_of({"\"11111111-2222-4333-8444-555555555556\"", "\"11111111-2222-4333-8444-5555555555AB\"",
                                              "\"t\"", "\"\"", "null", "{}"}));
    text += member("correlation_id", texts.one_of({"\"c\"", "\"11111111-2222-4333-8444-5555555555AB\"", "null", "[]"}));
    text += member("occurred_at", texts.one_of({"\"2026-01-01T00:00:00.299646Z\"", "\"2026-01-01t00:00:00.299646z\"",
                                                "\"2026-01-01T01:00:00.299646+01:00\"", "\"2026-01-01T00:00:00Z\"",
                                                "\"2026-01-01T00:00:00.29964600Z\"", "\"now\"", "5"}));
    text += member("schema_version", texts.one_of({"1", "0", "-1", "\"1\"", "2147483648", "null"}));
    text += member("more", "{\"a\":1}");
    return text + "\"payload\":{\"user_id\":\"11111111-2222-4333-8444-555555555557\",\"email\":" +
           texts.one_of({"null", "\"x@example.org\"", "\"x\"", "1"}) + ",\"display_name\":" + texts.one_of({"null", "\"User\"", "[]"}) +
           "}}";
}

} // namespace

TEST_CASE("a text is parsed on the short way exactly as on the long one") {
    Texts texts(seed());
    int parsed = 0;
    for (int i = 0; i < 20'000; ++i) {
        const std::string text = texts.damaged(texts.value(5));
        INFO(text);
        const json expected = json::parse(text, nullptr, false);
        std::string reason;
        const auto document = parse_json(text, 64, reason);
        REQUIRE((document != nullptr) == !expected.is_discarded());
        if (document) {
            ++parsed;
            REQUIRE(document->dump("") == expected.dump());
            // Whether a whole number is one to accessors hangs on how the parser has kept it.
            if (expected.is_number()) {
                REQUIRE((document->kind("") == JsonKind::integer) == (expected.is_number_integer() && document->integer("").has_value()));
            }
        }
    }
    CHECK(parsed > 5'000);
}

TEST_CASE("nesting is bounded on the short way as well") {
    std::string reason;
    CHECK(parse_json(std::string(64, '[') + std::string(64, ']'), 64, reason));
    CHECK_FALSE(parse_json(std::string(65, '[') + std::string(65, ']'), 64, reason));
    CHECK_FALSE(parse_json(std::string(1'000'000, '['), 64, reason));
}

TEST_CASE("a contract that is checked on the short way refuses what the validator refuses") {
    const std::string members =
        R"("type":"object","required":["a","c"],"properties":{"a":{"type":["string","null"],"minLength":2,"maxLength":3},
        "b":{"type":"integer","minimum":-1,"maximum":17},"c":{"enum":["true","plain text"]},"d":{"type":"object","required":["a"]},
        "e":{"type":"boolean"},"f":{"const":"x"},"g":{"minimum":3},"h":{"type":"array"}})";
    Contracts contracts;
    REQUIRE(contracts.add("short.v1", "{" + members + "}") == std::nullopt);
    REQUIRE(contracts.add("long.v1", "{" + members + ",\"not\":false}") == std::nullopt); // the validator alone knows "not"
    Texts texts(seed());
    for (int i = 0; i < 20'000; ++i) {
        std::string text = "{";
        for (const char *name : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
            if (texts.below(5) != 0) {
                text += (text.size() > 1 ? ",\"" : "\"") + std::string(name) + "\":" + texts.one_of({"\"ab\"",
                                                                                                     "\"abc\"",
                                                                                                     "\"a\"",
                                                                                                     "\"\xc3\xa9\xc3\xa9\xc3\xa9\"",
                                                                                                     "\"plain text\"",
                                                                                                     "\"true\"",
                                                                                                     "\"x\"",
                                                                                                     "null",
                                                                                                     "1",
                                                                                                     "17",
                                                                                                     "-1",
                                                                                                     "-2",
                                                                                                     "18",
                                                                                                     "2.0",
                                                                                                     "3.5",
                                                                                                     "18446744073709551615",
                                                                                                     "true",
                                                                                                     "[]",
                                                                                                     "{}",
                                                                                                     "{\"a\":1}"});
            }
        }
        text += "}";
        INFO(text);
        std::string reason;
        const auto document = parse_json(text, 64, reason);
        REQUIRE(document);
        const auto short_way = contracts.check("short.v1", *document);
        const auto long_way = contracts.check("long.v1", *document);
        REQUIRE(short_way.has_value() == long_way.has_value());
    }
    for (const char *good :
         {R"({"a":"ab","b":17,"c":"true","e":true,"f":"x","g":3,"h":[]})", R"({"a":null,"c":"plain text","d":{"a":0}})"}) {
        std::string reason;
        CHECK_FALSE(contracts.check("short.v1", *parse_json(good, 64, reason)));
        CHECK_FALSE(contracts.check("long.v1", *parse_json(good, 64, reason)));
    }
}

TEST_CASE("an envelope that is normalised where it stands comes out as one that is made anew") {
    Binding in_place = identity_binding();
    Binding anew = in_place;
    anew.payload = "/payload"; // stated, so the long way is taken
    const Decoder short_way(in_place, built_in_contracts());
    const Decoder long_way(anew, built_in_contracts());
    Texts texts(seed());
    for (int i = 0; i < 5'000; ++i) {
        const auto message = make_message(envelope(texts));
        INFO(message->body);
        const Event one = short_way.decode(message);
        const Event other = long_way.decode(message);
        REQUIRE(one.envelope->dump("") == other.envelope->dump(""));
        REQUIRE(refusal_of(one) == refusal_of(other));
        REQUIRE(one.id == other.id);
        REQUIRE(one.key == other.key);
        REQUIRE(one.type == other.type);
        REQUIRE(one.occurred_at == other.occurred_at);
    }
}
