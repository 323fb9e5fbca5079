// SPDX-License-Identifier: Apache-2.0
#include "event/decoder.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <random>
#include <set>

using namespace weir::event;

namespace {
const Uuid kDns = *Uuid::parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
}

TEST_CASE("UUIDs of version 5 are those of RFC 9562, whatever the length of the name") {
    CHECK(Uuid::v5(kDns, "www.example.com").text() == "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    // Made with another implementation; the lengths lie around the bounds of SHA-1's blocks.
    const std::pair<std::size_t, const char *> known[] = {
        {0, "4ebd0208-8328-5d69-8c44-ec50939c0967"},    {38, "f3ddef67-6e5b-53ca-baa2-12b379ef6ced"},
        {39, "2f80c0d1-1c62-579f-8d68-e61ad5592c9b"},   {40, "e56fd57a-7633-5e1d-8f80-70e05ac413e5"},
        {47, "a112377b-8258-5ef7-b5b0-d2540bc03abb"},   {48, "83993b6c-dea9-55ca-be5b-9989c85943fc"},
        {49, "a0f0b33b-afbf-5cad-b334-d8140d5af575"},   {112, "0243b19e-8bd4-5b57-95a2-1fcacc3142a0"},
        {1000, "f6d12730-a238-51ed-bf69-3689855f9bbf"},
    };
    for (const auto &[length, text] : known) {
        CHECK(Uuid::v5(kDns, std::string(length, 'x')).text() == text);
    }
}

TEST_CASE("the namespace of derived ids never changes") { CHECK(weir_namespace().text() == "5b8f246e-3d91-4c07-a2d6-771ef04bc935"); }

TEST_CASE("a UUID is read in any case and written in lower case") {
    const auto id = Uuid::parse("346CA8A9-DA85-4F1A-BBD8-8BBC6A6E74D7");
    REQUIRE(id);
    CHECK(id->text() == "346ca8a9-da85-4f1a-bbd8-8bbc6a6e74d7");
    CHECK(id == Uuid::parse("346ca8a9-da85-4f1a-bbd8-8bbc6a6e74d7"));
    for (const char *bad :
         {"", "346ca8a9-da85-4f1a-bbd8-8bbc6a6e74d", "346ca8a9-da85-4f1a-bbd8-8bbc6a6e74d7x", "346ca8a9da854f1abbd88bbc6a6e74d7",
          "{346ca8a9-da85-4f1a-bbd8-8bbc6a6e74d}", "346ca8a9-da85-4f1a-bbd8_8bbc6a6e74d7", "346ca8g9-da85-4f1a-bbd8-8bbc6a6e74d7",
          "3-6ca8a9-da85-4f1a-bbd8-8bbc6a6e74d7"}) {
        INFO(bad);
        CHECK_FALSE(Uuid::parse(bad));
    }
}

TEST_CASE("random UUIDs are of version 4 and differ; the order of UUIDs is that of their text") {
    std::set<Uuid> ids;
    std::set<std::string> texts;
    for (int i = 0; i < 1000; ++i) {
        const Uuid id = Uuid::random();
        ids.insert(id);
        texts.insert(id.text());
        CHECK(Uuid::parse(id.text()) == id);
        CHECK(id.text()[14] == '4');
        CHECK(std::string("89ab").find(id.text()[19]) != std::string::npos);
    }
    REQUIRE(ids.size() == 1000);
    auto text = texts.begin();
    for (const Uuid &id : ids) {
        CHECK(id.text() == *text++);
    }
}

TEST_CASE("a time with a zone is read to the microsecond") {
    CHECK(parse_time("1970-01-01T00:00:00Z") == 0);
    CHECK(parse_time("2025-11-24T15:30:07.040058+05:30") == parse_time("2025-11-24T10:00:07.040058Z"));
    CHECK(parse_time("2025-11-24T10:00:07.040058Z") == 1'763'978'407'040'058);
    CHECK(parse_time("2025-11-24t10:00:07.04z") == 1'763'978'407'040'000);
    CHECK(parse_time("2025-11-24T10:00:07.1234567899999Z") == 1'763'978'407'123'456);
    CHECK(parse_time("2025-11-24T00:30:00-00:00") == parse_time("2025-11-23T23:30:00-01:00"));
    CHECK(parse_time("2024-02-29T00:00:00Z"));
    CHECK(parse_time("1969-12-31T23:59:59.999999Z") == -1);
    CHECK(parse_time("0001-01-01T00:00:00Z") == kEarliest);
    CHECK(parse_time("9999-12-31T23:59:59.999999Z") == kLatest);
}

TEST_CASE("what is no RFC 3339 time with a zone, or out of range, is nothing") {
    for (const char *bad : {"",
                            "yesterday",
                            "2025-11-24",
                            "2025-11-24T10:00:07",
                            "2025-11-24T10:00:07.040058",
                            "2025-11-24 10:00:07Z",
                            "2025-11-24T10:00Z",
                            "2025-11-24T10:00:07.Z",
                            "2025-11-24T10:00:60Z",
                            "2025-11-24T24:00:00Z",
                            "2025-11-24T10:60:00Z",
                            "2025-13-01T00:00:00Z",
                            "2025-00-01T00:00:00Z",
                            "2025-02-29T00:00:00Z",
                            "2025-04-31T00:00:00Z",
                            "2025-01-00T00:00:00Z",
                            "2025-11-24T10:00:07+5:30",
                            "2025-11-24T10:00:07+0530",
                            "2025-11-24T10:00:07+24:00",
                            "2025-11-24T10:00:07+05:60",
                            "2025-11-24T10:00:07Zx",
                            " 2025-11-24T10:00:07Z",
                            "2025-11-24T10:00:07Z ",
                            "+2025-11-24T10:00:07Z",
                            "20251-11-24T10:00:07Z",
                            "2025-1-24T10:00:07Z",
                            "0000-12-31T23:59:59Z",
                            "0001-01-01T00:00:00+00:01",
                            "9999-12-31T23:59:59-00:01",
                            "1763978407",
                            "2025-11-24T10:00:07,5Z",
                            "2025-W48-1T10:00:00Z",
                            "2025-11-24T1\xd9\xa1:00:00Z"}) {
        INFO(bad);
        CHECK_FALSE(parse_time(bad));
    }
    CHECK_FALSE(parse_time(std::string_view("2025-11-24T10:00:07Z\0", 21)));
}

TEST_CASE("a time that is written is read again as the same, and text order is time order") {
    CHECK(format_time(0) == "1970-01-01T00:00:00.000000Z");
    CHECK(format_time(-1) == "1969-12-31T23:59:59.999999Z");
    CHECK(format_time(kEarliest) == "0001-01-01T00:00:00.000000Z");
    CHECK(format_time(kLatest) == "9999-12-31T23:59:59.999999Z");
    std::mt19937_64 random(weir::test::seed());
    std::uniform_int_distribution<Micros> any(kEarliest, kLatest);
    for (int i = 0; i < 5000; ++i) {
        const Micros a = any(random);
        const Micros b = any(random);
        REQUIRE(parse_time(format_time(a)) == a);
        REQUIRE((a < b) == (format_time(a) < format_time(b)));
    }
}

TEST_CASE("positions are written as the broker writes them") {
    CHECK(format_position({17, 0}, false) == "17");
    CHECK(format_position({1'700'000'000'000, 3}, true) == "1700000000000-3");
    CHECK(format_position({5, 0}, true) == "5-0");
}

TEST_CASE("a message counts with everything that it carries") {
    Message message;
    message.key = "kk";
    message.body = "body";
    message.headers = {{"a", "bc"}};
    message.fields = {{"field", "x"}, {"y", ""}};
    CHECK(message.bytes() == 2 + 4 + 3 + 6 + 1);
}

TEST_CASE("event types are dotted words with a version at the end") {
    for (const char *good : {"user.created.v1", "a.v0", "user_2.logged_in.v12", "_.v1", "v1.v1"}) {
        INFO(good);
        CHECK(is_event_type(good));
    }
    for (const char *bad : {"", ".", "v1", ".v1", "user.created", "user.created.v", "user.created.1", "User.created.v1", "user-created.v1",
                            "user..created.v1", ".user.v1", "user.v1.", "user.created.v1 ", "user.created.vx", "user created.v1",
                            "UserCreated", "user.created.v1a", "ü.v1"}) {
        INFO(bad);
        CHECK_FALSE(is_event_type(bad));
    }
}
