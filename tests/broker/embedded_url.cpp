// SPDX-License-Identifier: Apache-2.0
#include "broker/embedded/embedded_broker.hpp"
#include "broker/partitioner.hpp"

#include <catch2/catch.hpp>

using namespace weir::broker;

TEST_CASE("an embedded url says the file and every option") {
    EmbeddedOptions options;
    REQUIRE(parse_embedded_url("embedded://broker.db", options) == std::nullopt);
    CHECK(options.file == "broker.db");
    CHECK(options.synchronous == Synchronous::full);
    CHECK(options.new_topics.partitions == 1);
    REQUIRE(parse_embedded_url(
                "embedded:///var/lib/"
                "a%20b%3F.db?synchronous=normal&busy_timeout_ms=250&partitions=8&max_age_s=3600&max_messages=5&max_bytes=1000000",
                options) == std::nullopt);
    CHECK(options.file == "/var/lib/a b?.db");
    CHECK(options.synchronous == Synchronous::normal);
    CHECK(options.busy_timeout == std::chrono::milliseconds(250));
    CHECK(options.new_topics.partitions == 8);
    CHECK(options.new_topics.max_age == std::chrono::hours(1));
    CHECK(options.new_topics.max_messages == 5);
    CHECK(options.new_topics.max_bytes == 1000000);
}

TEST_CASE("a wrong embedded url is refused by the name of the key, and changes nothing") {
    const std::pair<const char *, const char *> wrong[] = {
        {"sqlite://x", "embedded://FILE"},
        {"embedded://", "missing"},
        {"embedded:///var/lib/", "missing"},
        {"embedded://a%2", "hexadecimal"},
        {"embedded://a%zz", "hexadecimal"},
        {"embedded://a%00b", "NUL"},
        {"embedded://a\"b", "double quote"},
        {"embedded://a?synchronous=off", "synchronous"},
        {"embedded://a?partitions=0", "partitions"},
        {"embedded://a?partitions=2000", "partitions"},
        {"embedded://a?partitions=two", "partitions"},
        {"embedded://a?max_bytes", "max_bytes"},
        {"embedded://a?max_bytes=-1", "max_bytes"},
        {"embedded://a?max_age_s=99999999999999999999", "max_age_s"},
        {"embedded://a?busy_timeout_ms=0", "busy_timeout_ms"},
        {"embedded://a?partition=2", "no option 'partition'"},
    };
    for (const auto &[url, named] : wrong) {
        EmbeddedOptions options;
        options.file = "unchanged";
        const auto problem = parse_embedded_url(url, options);
        CAPTURE(url);
        REQUIRE(problem);
        CHECK_THAT(*problem, Catch::Contains(named));
        CHECK(options.file == "unchanged");
    }
}

TEST_CASE("keys are hashed as Kafka's Java client hashes them") {
    CHECK(static_cast<std::int32_t>(murmur2("21")) == -973932308);
    CHECK(static_cast<std::int32_t>(murmur2("foobar")) == -790332482);
    CHECK(static_cast<std::int32_t>(murmur2("a-little-bit-long-string")) == -985981536);
    CHECK(static_cast<std::int32_t>(murmur2("a-little-bit-longer-string")) == -1486304829);
    CHECK(static_cast<std::int32_t>(murmur2("abc")) == 479470107);
    CHECK(partition_of("abc", 1) == 0);
    CHECK(partition_of("foobar", 7) == (static_cast<std::uint32_t>(-790332482) & 0x7fffffffU) % 7);
}
