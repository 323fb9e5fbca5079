// SPDX-License-Identifier: Apache-2.0
#include "event/decoder.hpp"

#include <catch2/catch.hpp>

#include <limits>

using namespace weir::event;
using Catch::Matchers::Contains;

namespace {

std::shared_ptr<const Json> parse(std::string_view text) {
    std::string reason;
    auto document = parse_json(text, 64, reason);
    INFO(reason);
    REQUIRE(document);
    return document;
}

std::string reason_of(std::string_view text, std::size_t max_depth = 64) {
    std::string reason;
    CHECK(parse_json(text, max_depth, reason) == nullptr);
    return reason;
}

} // namespace

TEST_CASE("a JSON pointer leads where RFC 6901 says") {
    const auto document = parse(R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"m~n":8,"~1":9,"deep":{"list":[{"x":true}]}})");
    CHECK(document->kind("") == JsonKind::object);
    CHECK(document->kind("/foo") == JsonKind::array);
    CHECK(document->text("/foo/0") == "bar");
    CHECK(document->integer("/") == 0);
    CHECK(document->integer("/a~1b") == 1);
    CHECK(document->integer("/c%d") == 2);
    CHECK(document->integer("/m~0n") == 8);
    CHECK(document->integer("/~01") == 9);
    CHECK(document->boolean("/deep/list/0/x") == true);
    for (const char *nowhere : {"foo", "/foo/2", "/foo/-", "/foo/00", "/foo/01", "/foo/1x", "/foo/-1", "/foo/", "/foo/18446744073709551616",
                                "/nothing", "/foo/0/x", "/m~n", "/m~", "/m~2n", "#/foo", "//"}) {
        INFO(nowhere);
        CHECK(document->kind(nowhere) == JsonKind::absent);
        CHECK(document->dump(nowhere) == std::nullopt);
    }
}

TEST_CASE("each accessor answers for its own kind only") {
    const auto document = parse(R"({"i":-5,"max":9223372036854775807,"big":9223372036854775808,"huge":123456789012345678901234567890,
        "one":1.0,"f":0.1,"t":"x","b":false,"n":null,"a":[1,2,3],"o":{"k":1}})");
    CHECK(document->integer("/i") == -5);
    CHECK(document->integer("/max") == std::numeric_limits<std::int64_t>::max());
    CHECK(document->kind("/max") == JsonKind::integer);
    CHECK(document->kind("/big") == JsonKind::number);
    CHECK(document->integer("/big") == std::nullopt);
    CHECK(document->number("/big") == 9223372036854775808.0);
    CHECK(document->kind("/huge") == JsonKind::number);
    CHECK(document->kind("/one") == JsonKind::number);
    CHECK(document->integer("/one") == std::nullopt);
    CHECK(document->number("/i") == -5.0);
    CHECK(document->text("/i") == std::nullopt);
    CHECK(document->number("/t") == std::nullopt);
    CHECK(document->boolean("/b") == false);
    CHECK(document->boolean("/n") == std::nullopt);
    CHECK(document->kind("/n") == JsonKind::null);
    CHECK(document->length("/a") == 3u);
    CHECK(document->length("/o") == 1u);
    CHECK(document->length("/t") == std::nullopt);
    CHECK(document->dump("/n") == "null");
    CHECK(document->dump("/f") == "0.1");
}

TEST_CASE("the same value dumps to the same text, whatever the order of its members") {
    CHECK(parse(R"( {"b" : 1, "a":[ true , 1.50 , "ü\u00fc\/" ]} )")->dump("") == "{\"a\":[true,1.5,\"üü/\"],\"b\":1}");
    CHECK(parse(R"({"a":[true,1.5,"üü/"],"b":1})")->dump("") == parse(R"({"b":1,"a":[true,1.5,"üü/"]})")->dump(""));
}

TEST_CASE("a member that is there twice counts with its last value") {
    CHECK(parse(R"({"a":1,"b":2,"a":3})")->dump("") == R"({"a":3,"b":2})");
}

TEST_CASE("U+0000 is text like any other when it is escaped") {
    const auto document = parse("{\"k\\u0000y\":\"a\\u0000b\"}");
    CHECK(document->text(std::string_view("/k\0y", 4)) == std::string_view("a\0b", 3));
    CHECK(document->dump("") == "{\"k\\u0000y\":\"a\\u0000b\"}");
}

TEST_CASE("what is not JSON is refused with the place, and without what stands there") {
    for (const std::string &text :
         {std::string("{"), std::string("{\"secret\":"), std::string("{\"secret\":1}x"), std::string("{\"secret\":1}{}"),
          std::string("nul"), std::string("{'secret':1}"), std::string("[1,]"), std::string("// secret\n1"),
          std::string("\"\\ud800secret\""), std::string("\"secret\\udc00\""), std::string("\"a\nb\""), std::string("01"),
          std::string("NaN"), std::string("+1"), std::string("\"\\x\""), std::string("   "), std::string("{\"a\":1}\0", 8),
          std::string("{\"a\":1}\0secret", 14), std::string("\0", 1)}) {
        INFO(text);
        CHECK_THAT(reason_of(text), Contains("not JSON") && !Contains("secret"));
    }
    CHECK_THAT(reason_of(""), Contains("empty"));
    CHECK_THAT(reason_of("{\"a\":1e999}"), Contains("does not fit a double"));
    CHECK(parse("{\"a\":1e-999}")->number("/a") == 0.0);
    for (const char *text :
         {"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "\"\x80\"", "\"\xf0\x8f\xbf\xbf\""}) {
        CHECK_THAT(reason_of(text), Contains("not UTF-8 at byte 1."));
    }
    CHECK_THAT(reason_of(std::string("\xff\xfe{\0}\0", 6)), Contains("UTF-16"));
    CHECK_THAT(reason_of("\x1f\x8b\x08"), Contains("compressed"));
}

TEST_CASE("a byte order mark in front is skipped") { CHECK(parse("\xef\xbb\xbf{\"a\":1}")->integer("/a") == 1); }

TEST_CASE("nesting is bounded before anything is parsed") {
    CHECK(parse(std::string(64, '[') + std::string(64, ']'))->kind("") == JsonKind::array);
    CHECK_THAT(reason_of(std::string(65, '[') + std::string(65, ']')), Contains("deeper than 64"));
    CHECK_THAT(reason_of(std::string(3'000'000, '[')), Contains("deeper than 64"));
    std::string objects;
    for (int i = 0; i < 20000; ++i) {
        objects += "{\"a\":";
    }
    CHECK_THAT(reason_of(objects), Contains("deeper than 64"));
    CHECK(parse("\"" + std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\"")->kind("") == JsonKind::text);
    CHECK(parse("[" + std::string("[],[],[],[],[]") + "]")->length("") == 5u);
    CHECK_THAT(reason_of("[[1]]", 1), Contains("deeper than 1"));
}
