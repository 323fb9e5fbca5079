// SPDX-License-Identifier: Apache-2.0
// Contracts against valijson alone, which is what decides; and the quick check before it, which must never take more than it does.
#include "contract_acceptor.hpp"
#include "document.hpp"
#include "event/contracts.hpp"
#include "event/time.hpp"
#include "random_json.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include <functional>

using namespace weir;
using namespace weir::event;
using namespace weir::test;
using nlohmann::json;

namespace {

/// What valijson makes of a schema; formats are not its business here.
class Model {
public:
    explicit Model(json schema) {
        drop_formats(schema);
        const valijson::adapters::NlohmannJsonAdapter adapter(schema);
        valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(adapter, schema_);
    }

    bool takes(const json &value) const {
        const valijson::adapters::NlohmannJsonAdapter adapter(value);
        return valijson::Validator().validate(schema_, adapter, nullptr);
    }

private:
    static void drop_formats(json &schema) {
        if (schema.is_object() && schema.contains("format") && schema["format"].is_string()) {
            schema.erase("format");
        }
        for (auto &inner : schema) {
            if (inner.is_structured()) {
                drop_formats(inner);
            }
        }
    }

    valijson::Schema schema_;
};

std::optional<ContractAcceptor> compile(const json &schema) { return ContractAcceptor::compile(schema); }

bool accepts(const ContractAcceptor &acceptor, const std::string &text) {
    Document document(nullptr);
    Node root;
    REQUIRE_FALSE(parse_into(document, text, 64, root));
    return acceptor.accepts(root);
}

/// Schemas and values that often fit each other: few names, few values.
class RandomContract {
public:
    explicit RandomContract(std::uint64_t seed) : random_(seed) {}

    std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
    bool sometimes(std::size_t one_in) { return below(one_in) == 0; }

    std::string name() { return std::string(1, static_cast<char>('a' + below(4))); }

    json scalar() {
        static const json values[] = {nullptr,
                                      true,
                                      false,
                                      0,
                                      1,
                                      -1,
                                      7u,
                                      1.0,
                                      0.5,
                                      1e300,
                                      std::numeric_limits<std::int64_t>::max(),
                                      std::numeric_limits<std::uint64_t>::max(),
                                      std::numeric_limits<std::int64_t>::min(),
                                      "",
                                      "x",
                                      "xyz",
                                      "üü",
                                      "日本語",
                                      "1",
                                      "true",
                                      std::string("a\0b", 3),
                                      std::string(30, 'x')};
        return values[below(std::size(values))];
    }

    json value(int depth) {
        const std::size_t form = depth > 0 ? below(6) : 5;
        if (form < 3) {
            json object = json::object();
            for (std::size_t count = below(5); count > 0; --count) {
                object[name()] = value(depth - 1);
            }
            return object;
        }
        if (form == 3) {
            json array = json::array();
            for (std::size_t count = below(4); count > 0; --count) {
                array.push_back(value(depth - 1));
            }
            return array;
        }
        return scalar();
    }

    json schema(int depth) {
        if (sometimes(12)) {
            return sometimes(3) ? json(false) : json(true);
        }
        json schema = json::object();
        for (std::size_t count = 1 + below(3); count > 0; --count) {
            keyword(schema, depth);
        }
        return schema;
    }

private:
    void keyword(json &schema, int depth) {
        static const char *types[] = {"null", "boolean", "integer", "number", "string", "array", "object"};
        switch (below(depth > 0 ? 16 : 9)) {
        case 0:
            schema["type"] = types[below(std::size(types))];
            break;
        case 1:
            schema["type"] = json::array({types[below(3)], types[3 + below(4)]});
            break;
        case 2:
            schema["const"] = sometimes(5) ? value(1) : scalar();
            break;
        case 3:
            schema["enum"] = json::array({scalar(), scalar(), sometimes(5) ? value(1) : scalar()});
            break;
        case 4:
            schema[sometimes(2) ? "minLength" : "maxLength"] = below(5);
            break;
        case 5:
            schema[sometimes(2) ? "minimum" : "maximum"] = bound();
            break;
        case 6:
            schema[sometimes(2) ? "exclusiveMinimum" : "exclusiveMaximum"] = bound();
            break;
        case 7:
            schema[sometimes(2) ? "minItems" : "maxItems"] = below(4);
            break;
        case 8:
            schema[sometimes(2) ? "minProperties" : "maxProperties"] = below(4);
            break;
        case 9:
            schema["items"] = this->schema(depth - 1);
            break;
        case 10:
            schema["additionalProperties"] = sometimes(2) ? json(false) : this->schema(depth - 1);
            break;
        case 11:
            schema["required"] = sometimes(2) ? json::array({name()}) : json::array({"a", "b"});
            break;
        case 12:
            schema[sometimes(2) ? "anyOf" : "allOf"] = json::array({this->schema(depth - 1), this->schema(depth - 1)});
            break;
        case 13:
            schema[sometimes(2) ? "not" : "contains"] = this->schema(depth - 1);
            break;
        default:
            for (std::size_t count = 1 + below(3); count > 0; --count) {
                schema["properties"][name()] = this->schema(depth - 1);
            }
            break;
        }
    }

    json bound() {
        static const json bounds[] = {0, 1, -1, 0.5, 1.0, 1e300, std::numeric_limits<std::int64_t>::max()};
        return bounds[below(std::size(bounds))];
    }

    std::mt19937_64 random_;
};

} // namespace

TEST_CASE("of random contracts and documents, the verdict is valijson's, and the quick check takes nothing that valijson refuses") {
    RandomContract random(seed());
    int compiled = 0;
    int taken = 0;
    int refused = 0;
    int left_to_valijson = 0;
    for (int round = rounds(1500); round > 0; --round) {
        const json schema = random.schema(3);
        CAPTURE(schema.dump());
        Contracts contracts;
        if (contracts.add("a.v1", schema.dump())) {
            continue;
        }
        const Model model(schema);
        const auto acceptor = compile(schema);
        compiled += acceptor ? 1 : 0;
        for (int each = 0; each < 10; ++each) {
            const std::string text = random.value(3).dump();
            CAPTURE(text);
            const bool expected = model.takes(json::parse(text));
            std::string reason;
            const auto document = parse_json(text, 64, reason);
            REQUIRE(document);
            REQUIRE_FALSE(contracts.check("a.v1", *document).has_value() == expected);
            if (acceptor) {
                const bool quick = accepts(*acceptor, text);
                REQUIRE((!quick || expected));
                left_to_valijson += expected && !quick ? 1 : 0;
            }
            ++(expected ? taken : refused);
        }
    }
    CHECK(compiled > 100);
    CHECK(taken > 1000);
    CHECK(refused > 1000);
    CHECK(left_to_valijson * 10 < taken); // else the quick check is of little use
}

TEST_CASE("the quick check takes of the built-in contracts' events just those that hold their contract") {
    RandomJson random(seed());
    const std::string_view ids[] = {"\"11111111-2222-4333-8444-55555555555A\"",
                                    "\"346ca8a9-da85-4f1a-bbd8-8bbc6a6e74d7\"",
                                    "\"346ca8a9-da85-4f1a-bbd8-8bbc6a6e74dg\"",
                                    "\"346ca8a9\"",
                                    "null",
                                    "7",
                                    "{}"};
    const std::string_view times[] = {"\"2025-11-24T10:00:07.040058Z\"", "\"2025-11-24t10:00:07+05:30\"", "\"2025-11-24\"", "\"\"", "0"};
    const std::string_view emails[] = {"\"x@example.com\"", "\"jürgen@bücher.example\"", "null", "\"x\"", "\"x y@example.com\"", "[]"};
    const std::string_view names[] = {"\"User 1\"", "null", "\"\"", "\"ü\"", "true", "[1]"};
    const std::string_view versions[] = {"1", "0", "-1", "1.0", "1.5", "18446744073709551615", "\"1\"", "null"};
    const std::string long_text = '"' + std::string(1025, 'x') + '"';
    const std::string wide_text = "\"日本" + std::string(60, 'x') + '"';
    int taken = 0;
    int refused = 0;
    for (const std::string type : {"user.created.v1", "user.updated.v1", "user.disabled.v1"}) {
        const json schema = json::parse(read_file(source_directory() / "contracts" / (type + ".json")));
        const Model model(schema);
        const auto acceptor = compile(schema);
        REQUIRE(acceptor);
        for (int round = rounds(3000); round > 0; --round) {
            bool formats = true;
            const auto usually = [&](auto &values) -> std::string_view { return random.below(4) > 0 ? values[0] : random.one_of(values); };
            const auto add = [&](std::string &out, std::string_view name, std::string_view value, bool holds) {
                if (random.below(30) > 0) {
                    out += (out.size() > 1 ? ",\"" : "\"") + std::string(name) + "\":" + std::string(value);
                    formats = formats && holds;
                }
            };
            const auto unquoted = [](std::string_view value) { return value.substr(1, value.size() - 2); };
            const auto is_id = [&](std::string_view value) { return value.front() != '"' || Uuid::parse(unquoted(value)); };
            const auto is_time = [&](std::string_view value) { return value.front() != '"' || parse_time(unquoted(value)); };
            const auto id = usually(ids);
            const auto tenant = usually(ids);
            const auto user = usually(ids);
            const auto time = usually(times);
            const auto email = usually(emails);
            std::string payload = "{";
            add(payload, "user_id", user, is_id(user));
            add(payload, "email", email, email != emails[3] && email != emails[4]);
            add(payload, "display_name", random.below(20) == 0 ? long_text : usually(names), true);
            add(payload, "status", random.below(10) == 0 ? wide_text : usually(names), true);
            payload += '}';
            std::string text = "{";
            add(text, "event_id", id, is_id(id));
            add(text, "event_type", random.below(20) == 0 ? "\"user.created.v2\"" : '"' + type + '"', true);
            add(text, "tenant_id", tenant, is_id(tenant));
            add(text, "correlation_id", random.below(20) == 0 ? long_text : usually(names), true);
            add(text, "occurred_at", time, is_time(time));
            add(text, "schema_version", usually(versions), true);
            add(text, "payload", random.below(20) == 0 ? usually(names) : std::string_view(payload), true);
            if (text.find("\"payload\":{") == std::string::npos) {
                continue; // the payload's formats are not there to be broken
            }
            text += '}';
            CAPTURE(text);
            std::string reason;
            const auto document = parse_json(text, 64, reason);
            REQUIRE(document);
            const bool expected = model.takes(json::parse(text)) && formats;
            REQUIRE_FALSE(built_in_contracts().check(type, *document).has_value() == expected);
            // A version beyond 63 bits is the one value that it leaves to valijson.
            const bool left = text.find("18446744073709551615") != std::string::npos;
            REQUIRE(accepts(*acceptor, text) == (expected && !left));
            ++(expected ? taken : refused);
        }
    }
    CHECK(taken > 100);
    CHECK(refused > 100);
}
