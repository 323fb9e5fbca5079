// SPDX-License-Identifier: Apache-2.0
#include "messages.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace weir;
using namespace weir::event;
using namespace weir::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

std::string check(const Contracts &contracts, const std::string &envelope, std::string_view type = "a.v1") {
    std::string reason;
    const auto document = parse_json(envelope, 64, reason);
    REQUIRE(document);
    const auto refusal = contracts.check(type, *document);
    return refusal ? refusal->type + ": " + refusal->message : "";
}

std::string add(const std::string &schema) {
    Contracts contracts;
    return contracts.add("a.v1", schema).value_or("");
}

std::string email_payload(const std::string &email) {
    const std::string head =
        R"({"event_id":"11111111-2222-4333-8444-555555555555","event_type":"user.created.v1","occurred_at":"2025-01-01T00:00:00Z",)";
    return head +
           R"("tenant_id":"11111111-2222-4333-8444-555555555556","payload":{"user_id":"11111111-2222-4333-8444-555555555557","email":)" +
           email + "}}";
}

} // namespace

TEST_CASE("the built-in contracts are those of the contracts folder") {
    std::set<std::string> files;
    for (const auto &entry : std::filesystem::directory_iterator(source_directory() / "contracts")) {
        if (entry.path().extension() == ".json") {
            files.insert(entry.path().stem().string());
        }
    }
    const auto types = built_in_contracts().event_types();
    CHECK(std::set<std::string>(types.begin(), types.end()) == files);
    Contracts read;
    CHECK(read.add_directory(source_directory() / "contracts") == std::nullopt);
    CHECK(read.event_types() == types);
}

TEST_CASE("unusual but valid e-mail addresses hold the contract, others are refused by their pointer") {
    for (const char *good : {"null", "\"u1@example.com\"", "\"a+b=c/d!#$%&'*@x.example\"", "\"\\\"much.more unusual\\\"@example.com\"",
                             "\"x@localhost\"", "\"x@[192.0.2.1]\"", "\"x@[IPv6:2001:db8::1]\"", "\"jürgen@bücher.example\"",
                             "\"用户@例子.广告\"", "\"a_b@sub_domain.example\""}) {
        INFO(good);
        CHECK(refusal_of(decode(email_payload(good))) == "");
    }
    for (const char *bad : {"42", "true", "{}", "\"\"", "\"x\"", "\"@example.com\"", "\"x@\"", "\"x@a@b.example\"", "\"x y@example.com\"",
                            "\".x@example.com\"", "\"x.@example.com\"", "\"a..b@example.com\"", "\"x@example..com\"", "\"x@.example\"",
                            "\"x@example.com\\n\"", "\"x\\u0000@example.com\"", "\"\\\"x@example.com\""}) {
        INFO(bad);
        CHECK_THAT(refusal_of(decode(email_payload(bad))), StartsWith("contract_violation: /payload/email"));
    }
    CHECK(refusal_of(decode(email_payload("\"" + std::string(308, 'x') + "@example.com\""))) == "");
    CHECK(refusal_type(decode(email_payload("\"" + std::string(309, 'x') + "@example.com\""))) == "contract_violation");
}

TEST_CASE("a value that would hurt a regular expression is checked as quickly as any other") {
    CHECK(refusal_type(decode(email_payload("\"" + std::string(3'000'000, 'a') + "\""))) == "contract_violation");
    CHECK(refusal_type(decode(email_payload("\"" + std::string(1'000'000, '.') + "@" + std::string(1'000'000, '.') + "\""))) ==
          "contract_violation");
}

TEST_CASE("a violation names the JSON pointer and no value") {
    Contracts contracts;
    REQUIRE(contracts.add("a.v1", R"({"type":"object","required":["payload"],"properties":{"payload":{"type":"object","required":["na/me"],
        "properties":{"na/me":{"type":"string"},"list":{"type":"array","maxItems":2,"items":{"type":"string","format":"uuid"}},
        "kind":{"enum":["secret-a","secret-b"]},"count":{"type":"integer","minimum":0,"maximum":9}},
        "additionalProperties":{"type":"string","format":"date-time"}}}})") == std::nullopt);
    CHECK(check(contracts, R"({"payload":{"na/me":"x"}})") == "");
    CHECK(check(contracts, R"({})") == "contract_violation: /payload is missing.");
    CHECK(check(contracts, R"({"payload":{}})") == "contract_violation: /payload/na~1me is missing.");
    CHECK(check(contracts, R"({"payload":{"na/me":7}})") == "contract_violation: /payload/na~1me: expected string, found integer.");
    CHECK(check(contracts, R"({"payload":{"na/me":"x","list":["11111111-2222-4333-8444-555555555555","no"]}})") ==
          "contract_violation: /payload/list/1 is not a UUID.");
    CHECK_THAT(check(contracts, R"({"payload":{"na/me":"x","list":["a","b","c"]}})"), StartsWith("contract_violation: /payload/list: "));
    CHECK_THAT(check(contracts, R"({"payload":{"na/me":"x","count":10}})"), StartsWith("contract_violation: /payload/count: "));
    CHECK_THAT(check(contracts, R"({"payload":{"na/me":"x","kind":"private"}})"),
               StartsWith("contract_violation: /payload/kind: ") && !Contains("private") && !Contains("secret"));
    CHECK(check(contracts, R"({"payload":{"na/me":"x","other":"no time"}})") ==
          "contract_violation: /payload/other is not an RFC 3339 time with a zone.");
    CHECK(check(contracts, R"([])") == "contract_violation: The envelope: expected object, found array.");
    CHECK(check(contracts, R"({})", "b.v1") == "");
}

TEST_CASE("a value of a wrong type is refused with the types that are expected and the one that was found") {
    Contracts contracts;
    REQUIRE(contracts.add("a.v1", R"({"type":"object","properties":{
        "email":{"type":["string","null"],"format":"email"},"ratio":{"type":"number"},"count":{"type":"integer"},
        "list":{"type":"array","items":{"type":"object","additionalProperties":{"type":["boolean","integer","null"]}}},
        "both":{"allOf":[{"type":["string","integer"]},{"type":"string"}]},
        "either":{"anyOf":[{"type":"string"},{"type":"null"}]}}})") == std::nullopt);
    const std::pair<const char *, const char *> cases[] = {
        {R"({"email":7})", "/email: expected string or null, found integer."},
        {R"({"email":{"x":1}})", "/email: expected string or null, found object."},
        {R"({"ratio":"1"})", "/ratio: expected number, found string."},
        {R"({"count":1.5})", "/count: expected integer, found number."},
        {R"({"count":null})", "/count: expected integer, found null."},
        {R"({"list":{}})", "/list: expected array, found object."},
        {R"({"list":[{},[]]})", "/list/1: expected object, found array."},
        {R"({"list":[{"secret@example.com":true,"b":"secret"}]})", "/list/0/b: expected boolean, integer or null, found string."},
        {R"({"both":7})", "/both: expected string, found integer."},
        {"true", "The envelope: expected object, found boolean."},
    };
    for (const auto &[envelope, reason] : cases) {
        CAPTURE(envelope);
        CHECK(check(contracts, envelope) == std::string("contract_violation: ") + reason);
    }
    CHECK_THAT(check(contracts, R"({"either":7})"), StartsWith("contract_violation: /either"));
    CHECK(check(contracts, R"({"ratio":1,"count":2,"email":null,"list":[{"a":1}],"both":"x","either":null})") == "");
}

TEST_CASE("a closed contract refuses a member that it does not name, without repeating its name") {
    Contracts contracts;
    REQUIRE(contracts.add("a.v1", R"({"type":"object","properties":{"a":true},"additionalProperties":false})") == std::nullopt);
    CHECK(check(contracts, R"({"a":1})") == "");
    CHECK_THAT(check(contracts, R"({"a":1,"x@example.com":2})"), StartsWith("contract_violation: ") && !Contains("example"));
}

TEST_CASE("a contract with a costly, unknown or misplaced keyword is refused, naming the pointer to it") {
    CHECK(add(R"({"type":"object"})") == "");
    CHECK(add(R"({"properties":{"pattern":{"type":"string"},"format":{"type":"string","format":"uuid"}}})") == "");
    CHECK_THAT(add(R"({"properties":{"a":{"pattern":"(a+)+"}}})"), StartsWith("/properties/a/pattern: "));
    CHECK_THAT(add(R"({"anyOf":[{"not":{"items":{"pattern":"x"}}}]})"), StartsWith("/anyOf/0/not/items/pattern: "));
    CHECK_THAT(add(R"({"patternProperties":{"x":{}}})"), StartsWith("/patternProperties: "));
    CHECK_THAT(add(R"({"properties":{"a":{"format":"regex"}}})"), StartsWith("/properties/a/format: "));
    CHECK_THAT(add(R"({"anyOf":[{"format":"uuid"}]})"), StartsWith("/anyOf/0: "));
    CHECK_THAT(add(R"({"if":{"properties":{"a":{"format":"uuid"}}}})"), StartsWith("/if: "));
    CHECK_THAT(add(R"({"uniqueItems":true})"), StartsWith("/uniqueItems: "));
    CHECK_THAT(add(R"({"$ref":"#"})"), StartsWith("/$ref: "));
    CHECK_THAT(add(R"({"requried":["a"]})"), StartsWith("/requried: "));
    CHECK_THAT(add(R"({"properties":[]})"), StartsWith("/properties: "));
    CHECK_THAT(add(R"({"properties":{"a":7}})"), StartsWith("/properties/a: "));
    CHECK_FALSE(add(R"({"type":"nonsense"})").empty());
    CHECK_FALSE(add(R"({"required":"a"})").empty());
    CHECK_FALSE(add(R"({"type":)").empty());
    CHECK_FALSE(add("").empty());
    CHECK_FALSE(add("[]").empty());
    CHECK_FALSE(add(std::string(20000, '[')).empty());
    CHECK(Contracts().add("UserCreated", "{}").has_value());
}

TEST_CASE("a contract of the same type is replaced, and a directory with one bad file adds nothing") {
    Contracts contracts;
    REQUIRE(contracts.add("a.v1", R"({"required":["a"]})") == std::nullopt);
    CHECK(check(contracts, "{}") != "");
    const TemporaryDirectory directory;
    write_file(directory / "a.v1.json", "true");
    write_file(directory / "README.md", "not a contract");
    write_file(directory / "b.v1.json", "{\"pattern\":\"x\"}");
    const auto wrong = contracts.add_directory(directory.path());
    REQUIRE(wrong);
    CHECK_THAT(*wrong, Contains("b.v1.json: /pattern: "));
    CHECK(check(contracts, "{}") != "");
    write_file(directory / "b.v1.json", "{}");
    CHECK(contracts.add_directory(directory.path()) == std::nullopt);
    CHECK(check(contracts, "{}") == "");
    CHECK(contracts.event_types() == std::vector<std::string>{"a.v1", "b.v1"});
    write_file(directory / "UserCreated.json", "{}");
    CHECK_THAT(contracts.add_directory(directory.path()).value_or(""), Contains("UserCreated.json: "));
    CHECK_THAT(contracts.add_directory(directory / "missing").value_or(""), Contains("missing: "));
}
