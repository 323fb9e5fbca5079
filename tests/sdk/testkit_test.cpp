// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <weir/testkit.hpp>

namespace {

using namespace weir::testkit;

const std::string file = std::string(WEIR_TEST_FIXTURES) + "/misuse.so";

/// A host whose plugin misbehaves when it is destroyed as well, which is of no interest here.
class MisusedHost : public Host {
public:
    MisusedHost() : Host(file) {}
    ~MisusedHost() {
        try {
            close();
        } catch (const Misuse &) {
            return;
        }
    }
};

} // namespace

TEST_CASE("a status that does not exist is misuse, and so is a failure without a reason") {
    MisusedHost host;
    CHECK_THROWS_WITH(host.handle("status.undefined.v1", "{}"), "the handler returned 17, which is no status");
    CHECK_THROWS_WITH(host.handle("reason.missing.v1", "{}"), Catch::Contains("failed without saying why"));
}

TEST_CASE("a call, or a view, that a plugin keeps is noticed when it uses it") {
    MisusedHost host;
    host.handle("call.kept.v1", "{}").expect_ok();
    CHECK_THROWS_WITH(host.handle("call.kept.v1", "{}"), Catch::Contains("log was called after the handler had returned"));
    host.handle("view.kept.v1", "{}").expect_ok();
    CHECK_THROWS_WITH(host.handle("view.kept.v1", "{}"), Catch::Contains("a view of an earlier event was kept"));
}

TEST_CASE("a call that is used on another thread is misuse") {
    MisusedHost host;
    CHECK_THROWS_WITH(host.handle("thread.other.v1", "{}"), Catch::Contains("log was called on another thread"));
}

TEST_CASE("a call that the host refuses rejects the event although the handler says ok") {
    MisusedHost host;
    for (const char *type :
         {"table.unknown.v1", "column.unknown.v1", "column.twice.v1", "operation.unfit.v1", "erase.cells.v1", "scan.used.v1"}) {
        INFO(type);
        const Result result = host.handle(type, "{}").expect_rejected("refused_by_host");
        CHECK_FALSE(result.error_message.empty());
    }
    CHECK(host.rows("things").empty());
}

TEST_CASE("host->error outside of create, start and drain is misuse") {
    MisusedHost host;
    CHECK_THROWS_WITH(host.handle("host.error.v1", "{}"), Catch::Contains("outside create, start and drain"));
    CHECK_THROWS_WITH(host.close(), Catch::Contains("outside create, start and drain"));
    CHECK(host.state() == State::closed);
    CHECK_NOTHROW(host.close());
}

TEST_CASE("create must say why it declines, and declines with WEIR_FATAL") {
    std::vector<std::string> violations;
    const Module module(file);
    weir_setup_v1 setup{};
    setup.size = sizeof(setup);
    Lifecycle silent(module.descriptor(), violations);
    setup.domain = weir::detail::view("!");
    CHECK_THROWS_AS(silent.create(setup), Refused);
    REQUIRE(violations.size() == 1);
    CHECK_THAT(violations[0], Catch::Contains("without saying why"));
    violations.clear();
    Lifecycle retrying(module.descriptor(), violations);
    setup.domain = weir::detail::view("?");
    CHECK_THROWS_AS(retrying.create(setup), Refused);
    REQUIRE(violations.size() == 2);
    CHECK_THAT(violations[0], Catch::Contains("create returned 3"));
}

TEST_CASE("an instance lives its life in one order only") {
    std::vector<std::string> violations;
    const Module module(file);
    Lifecycle life(module.descriptor(), violations);
    weir_setup_v1 setup{};
    setup.size = sizeof(setup);
    setup.domain = weir::detail::view("plain");
    CHECK_THROWS_WITH(life.start(), "start is called on an instance that is configured; this one is loaded");
    CHECK_THROWS_AS(life.destroy(), Misuse);
    life.create(setup);
    CHECK_THROWS_AS(life.create(setup), Misuse);
    CHECK_THROWS_AS(life.drain(), Misuse);
    CHECK_THROWS_AS(life.expect_running(), Misuse);
    life.start();
    CHECK_NOTHROW(life.expect_running());
    CHECK_THROWS_AS(life.destroy(), Misuse);
    life.drain();
    CHECK_THROWS_AS(life.expect_running(), Misuse);
    life.destroy();
    CHECK(life.state() == State::closed);
    CHECK_THROWS_AS(life.create(setup), Misuse);
}

TEST_CASE("no handler begins once the host drains") {
    Host host(std::string(WEIR_TEST_FIXTURES) + "/shop-floor.so");
    host.drain();
    CHECK_THROWS_AS(host.handle("account.seen.v2", "{}"), Misuse);
}

TEST_CASE("a test that names what is not there is told so") {
    Host host(std::string(WEIR_TEST_FIXTURES) + "/shop-floor.so");
    CHECK_THROWS_WITH(host.rows("account"), "the plugin declares no table account");
    CHECK_THROWS_WITH(host.put("accounts", {{"emial", "x"}}), "table accounts has no column emial");
    CHECK_THROWS_AS(host.row("accounts", {}), Misuse);
    CHECK_THROWS_AS(host.handle("account.seen", "{}"), Misuse);
    CHECK_THROWS_AS(host.handle("account.seen.v1", "{"), JsonError);
    CHECK_THROWS_AS(host.expect_row("accounts", {"nobody"}, {}), Failed);
    CHECK_THROWS_AS(host.handle("account.seen.v2", "{}").expect_rejected(""), Failed);
    CHECK(host.handle("account.other.v1", "{}").ignored);
    CHECK_THROWS_AS(Host("/nowhere/plugin.so"), Misuse);
}

TEST_CASE("the kit's JSON reader takes JSON and nothing else") {
    CHECK(JsonParser::parse(R"( {"a": [1, -0, 1e2, "\u00e9\ud83d\ude00\n", null, true]} )").at("/a/3")->text == "\u00e9\U0001F600\n");
    CHECK(JsonParser::parse(R"({"a/b": {"~": 1}})").at("/a~1b/~0")->integer == 1);
    CHECK(JsonParser::parse("[1.0]").at("/0")->kind == WEIR_JSON_NUMBER);
    CHECK(JsonParser::parse("[9223372036854775808]").at("/0")->kind == WEIR_JSON_NUMBER);
    CHECK(JsonParser::parse("[1]").at("/01") == nullptr);
    CHECK(JsonParser::parse("[1]").at("0") == nullptr);
    for (const char *wrong : {"", "{", "[1,]", "{\"a\":}", "01", "1.", "-", "\"\\ud800\"", "\"\\x\"", "\"\t\"", "nul", "[] []", "\"\xff\"",
                              "\"\xed\xa0\x80\"", "{\"a\" 1}", "'a'"}) {
        INFO(wrong);
        CHECK_THROWS_AS(JsonParser::parse(wrong), JsonError);
    }
    CHECK_THROWS_AS(JsonParser::parse(std::string(20000, '[')), JsonError);
    CHECK_NOTHROW(JsonParser::parse(std::string(64, '[') + std::string(64, ']')));
}

TEST_CASE("times are read and written in UTC with microseconds") {
    CHECK(format_time(*parse_time("2025-11-24T15:30:07.0400589+05:30")) == "2025-11-24T10:00:07.040058Z");
    CHECK(format_time(*parse_time("1969-12-31T23:59:59.999999Z")) == "1969-12-31T23:59:59.999999Z");
    for (const char *wrong : {"yesterday", "2025-02-30T00:00:00Z", "2025-01-01T00:00:00", "2025-01-01T24:00:00Z", "2025-01-01T00:00:60Z",
                              "2025-01-01T00:00:00.Z", ""}) {
        INFO(wrong);
        CHECK_FALSE(parse_time(wrong));
    }
}
