// SPDX-License-Identifier: Apache-2.0
#include "event/time.hpp"
#include "store/schema.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace weir::store;

namespace {

Column column_of(Type type, bool nullable = false) {
    Column column;
    column.name = "c";
    column.type = type;
    column.nullable = nullable;
    if (type == Type::decimal) {
        column.precision = 5;
        column.scale = 2;
    }
    return column;
}

bool takes(Type type, Value value) { return !canonicalise(column_of(type), value); }

bool takes_json(const std::string &text) { return takes(Type::json, text); }

std::string repeated(std::string_view part, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) {
        text += part;
    }
    return text;
}

} // namespace

TEST_CASE("text is UTF-8 without U+0000, wherever in it the fault is") {
    for (const Type type : {Type::text, Type::citext}) {
        CHECK(takes(type, std::string()));
        CHECK(takes(type, std::string("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF \xED\x9F\xBF \xEE\x80\x80")));
        for (std::size_t before = 0; before < 20; ++before) {
            const std::string ascii(before, 'x');
            CHECK(takes(type, ascii + "\x01\x7F"));
            for (const std::string &wrong :
                 {std::string("\0", 1), std::string("\x80"), std::string("\xC3"), std::string("\xC0\x80"), std::string("\xC1\xBF"),
                  std::string("\xE0\x9F\xBF"), std::string("\xED\xA0\x80"), std::string("\xE2\x82"), std::string("\xF0\x8F\xBF\xBF"),
                  std::string("\xF4\x90\x80\x80"), std::string("\xF0\x9F\x98"), std::string("\xF5\x80\x80\x80"), std::string("\xFF"),
                  std::string("\xE2\x28\xA1"), std::string("\xC3\x28")}) {
                CHECK_FALSE(takes(type, ascii + wrong));
                CHECK_FALSE(takes(type, ascii + wrong + "and eight or more ASCII bytes"));
            }
        }
    }
    CHECK(takes(Type::bytes, std::string("\0\xFF\x80", 3)));
}

TEST_CASE("a value of another type is refused for every type, null only where it may be") {
    const std::vector<Type> types = {Type::text,    Type::citext, Type::int64,     Type::float64, Type::decimal,
                                     Type::boolean, Type::uuid,   Type::timestamp, Type::json,    Type::bytes};
    const std::vector<Value> values = {std::int64_t{1}, 1.0, std::string("018f3a5c-7d1e-7a90-b3c4-0123456789ab")};
    for (const Type type : types) {
        std::size_t taken = 0;
        for (const Value &value : values) {
            taken += takes(type, value) ? 1 : 0;
        }
        CHECK(taken == (type == Type::json ? 0 : 1));
        Value null;
        CHECK(canonicalise(column_of(type), null) == "column c: is null and may not be");
        CHECK_FALSE(canonicalise(column_of(type, true), null));
    }
}

TEST_CASE("numbers are held to the range of their column") {
    CHECK(takes(Type::int64, std::numeric_limits<std::int64_t>::min()));
    CHECK(takes(Type::decimal, std::int64_t{99999}));
    CHECK(takes(Type::decimal, std::int64_t{-99999}));
    CHECK_FALSE(takes(Type::decimal, std::int64_t{100000}));
    CHECK_FALSE(takes(Type::decimal, std::int64_t{-100000}));
    CHECK_FALSE(takes(Type::decimal, std::numeric_limits<std::int64_t>::min()));
    CHECK(takes(Type::boolean, std::int64_t{0}));
    CHECK_FALSE(takes(Type::boolean, std::int64_t{2}));
    CHECK_FALSE(takes(Type::boolean, std::int64_t{-1}));
    CHECK(takes(Type::timestamp, std::int64_t{weir::event::kEarliest}));
    CHECK(takes(Type::timestamp, std::int64_t{weir::event::kLatest}));
    CHECK_FALSE(takes(Type::timestamp, std::int64_t{weir::event::kEarliest - 1}));
    CHECK_FALSE(takes(Type::timestamp, std::int64_t{weir::event::kLatest + 1}));
    CHECK_FALSE(takes(Type::float64, std::numeric_limits<double>::quiet_NaN()));
    CHECK_FALSE(takes(Type::float64, -std::numeric_limits<double>::infinity()));
    Value zero = -0.0;
    CHECK_FALSE(canonicalise(column_of(Type::float64), zero));
    CHECK_FALSE(std::signbit(std::get<double>(zero)));
}

TEST_CASE("a UUID has 36 characters and comes out in lower case") {
    Value id = std::string("018F3A5C-7D1E-7A90-B3C4-0123456789AB");
    CHECK_FALSE(canonicalise(column_of(Type::uuid), id));
    CHECK(std::get<std::string>(id) == "018f3a5c-7d1e-7a90-b3c4-0123456789ab");
    for (const char *wrong :
         {"", "018f3a5c-7d1e-7a90-b3c4-0123456789a", "018f3a5c-7d1e-7a90-b3c4-0123456789abc", "018f3a5c07d1e-7a90-b3c4-0123456789ab",
          "018f3a5c-7d1e-7a90-b3c4-0123456789ag", "{18f3a5c-7d1e-7a90-b3c4-0123456789a}"}) {
        CHECK_FALSE(takes(Type::uuid, std::string(wrong)));
    }
}

TEST_CASE("JSON that jsonb takes is taken") {
    for (const char *text : {"null",
                             " true ",
                             "false",
                             "0",
                             "-0",
                             "-0.5e-10",
                             "1E+400",
                             "123456789012345678901234567890",
                             R"("")",
                             R"("\"\\\/\b\f\n\r\tA")",
                             R"("\ud83d\ude00")",
                             R"("\u0001\uffff")",
                             "[]",
                             "[ ]",
                             "{}",
                             "{ }",
                             R"({"a":{"b":[1,2,{"c":null}]},"":0})",
                             "\t[\n1 ,\r2 ]\n",
                             "\"\xF0\x9F\x98\x80\x7F\"",
                             R"({"a":1,"a":2})"}) {
        CAPTURE(text);
        CHECK(takes_json(text));
    }
    CHECK(takes_json(repeated("[", 64) + repeated("]", 64)));
    CHECK(takes_json(repeated(R"({"a":)", 64) + "1" + repeated("}", 64)));
    CHECK(takes_json(std::string(400, '9')));
    CHECK(takes_json("[" + repeated("[[],{}],", 1000) + "0]"));
}

TEST_CASE("JSON that jsonb does not take is refused") {
    for (const char *text : {"",
                             " ",
                             "nul",
                             "nulll",
                             "True",
                             "NaN",
                             "Infinity",
                             "-",
                             "+1",
                             "01",
                             "-01",
                             "1.",
                             ".5",
                             "1e",
                             "1e+",
                             "0x10",
                             "1 2",
                             "'a'",
                             "\"",
                             "\"\\\"",
                             "\"\\x\"",
                             "\"\\u12\"",
                             "\"\\u12g4\"",
                             "\"\t\"",
                             "\"\n\"",
                             R"("\u0000")",
                             R"({"\u0000":1})",
                             R"("\ud83d")",
                             R"("\ud83d\u0041")",
                             R"("\ude00")",
                             R"("\ud83dx")",
                             R"("\ud83d\ud83d")",
                             "[",
                             "]",
                             "[1",
                             "[1,",
                             "[1,]",
                             "[,1]",
                             "[1 2]",
                             "{",
                             "}",
                             "{1:2}",
                             "{\"a\"}",
                             "{\"a\":}",
                             "{\"a\":1,}",
                             "{\"a\":1 \"b\":2}",
                             "{,}",
                             "[1}",
                             "{\"a\":1]",
                             "[]]",
                             "{}}",
                             "[[]",
                             "1e401",
                             "1e-401",
                             "1e99999999999999999999",
                             "\xFF",
                             "\"\xFF\"",
                             "\"\xED\xA0\x80\"",
                             "// a comment\n1",
                             "\xEF\xBB\xBF"
                             "1"}) {
        CAPTURE(text);
        CHECK_FALSE(takes_json(text));
    }
    CHECK_FALSE(takes_json(std::string("\0", 1)));
    CHECK_FALSE(takes_json(std::string("1\0", 2)));
    CHECK_FALSE(takes_json(std::string("\"\0\"", 3)));
    CHECK_FALSE(takes_json(repeated("[", 65) + repeated("]", 65)));
    CHECK_FALSE(takes_json(repeated(R"({"a":)", 65) + "1" + repeated("}", 65)));
    CHECK_FALSE(takes_json(std::string(1'000'000, '[')));
    CHECK_FALSE(takes_json(std::string(401, '9')));
}

TEST_CASE("a refusal names the column and nothing of the value") {
    Value value = std::string("{\"secret\": \"ann@example.org\",}");
    const auto reason = canonicalise(column_of(Type::json), value);
    REQUIRE(reason);
    CHECK(reason->find("column c:") == 0);
    CHECK(reason->find("example") == std::string::npos);
    CHECK(reason->find("byte 29") != std::string::npos);
}

TEST_CASE("default literals are read as the ABI writes them") {
    const auto read = [](Type type, std::string_view text) -> std::optional<Value> {
        Value value;
        return parse_literal(column_of(type), text, value) ? std::nullopt : std::optional<Value>(value);
    };
    CHECK(read(Type::int64, "-9223372036854775808") == Value(std::numeric_limits<std::int64_t>::min()));
    CHECK_FALSE(read(Type::int64, "9223372036854775808"));
    CHECK_FALSE(read(Type::int64, "1.0"));
    CHECK_FALSE(read(Type::int64, ""));
    CHECK_FALSE(read(Type::int64, " 1"));
    CHECK(read(Type::decimal, "-1.50") == Value(std::int64_t{-150}));
    CHECK(read(Type::decimal, "1.5") == Value(std::int64_t{150}));
    CHECK(read(Type::decimal, "999") == Value(std::int64_t{99900}));
    CHECK(read(Type::decimal, "-0.01") == Value(std::int64_t{-1}));
    for (const char *wrong : {"1000", "1.505", "1.", ".5", "-.5", "", "-", "1.-5", "1e2", "1.5.0"}) {
        CAPTURE(wrong);
        CHECK_FALSE(read(Type::decimal, wrong));
    }
    CHECK(read(Type::boolean, "true") == Value(std::int64_t{1}));
    CHECK(read(Type::boolean, "false") == Value(std::int64_t{0}));
    CHECK_FALSE(read(Type::boolean, "1"));
    CHECK(read(Type::timestamp, "1970-01-01T00:00:01Z") == Value(std::int64_t{1'000'000}));
    CHECK_FALSE(read(Type::timestamp, "yesterday"));
    CHECK(read(Type::float64, "-1.5e3") == Value(-1500.0));
    CHECK_FALSE(read(Type::float64, "nan"));
    CHECK_FALSE(read(Type::float64, "1,5"));
    CHECK(read(Type::bytes, "00fFa0") == Value(std::string("\0\xFF\xA0", 3)));
    CHECK(read(Type::bytes, "") == Value(std::string()));
    CHECK_FALSE(read(Type::bytes, "0"));
    CHECK_FALSE(read(Type::bytes, "0g"));
    CHECK(read(Type::text, " as it is ") == Value(std::string(" as it is ")));
    CHECK(read(Type::json, "{}") == Value(std::string("{}")));
    CHECK_FALSE(read(Type::json, "{"));
    CHECK(read(Type::uuid, "018F3A5C-7D1E-7A90-B3C4-0123456789AB") == Value(std::string("018f3a5c-7d1e-7a90-b3c4-0123456789ab")));
}
