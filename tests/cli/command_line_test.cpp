// SPDX-License-Identifier: Apache-2.0
#include "workbench.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

using namespace weir::test;
using Catch::Matchers::Contains;

TEST_CASE("a wrong command line ends with 2 and says what was meant") {
    const Workbench bench;
    CHECK(bench.weir({}).code == 2);
    const Ran typing_error = bench.weir({"publsh"});
    CHECK(typing_error.code == 2);
    CHECK_THAT(typing_error.err, Contains("did you mean 'publish'"));
    const Ran option = bench.weir({"topics", "--jsn"});
    CHECK(option.code == 2);
    CHECK_THAT(option.err, Contains("did you mean '--json'") && Contains("weir topics --help"));
    CHECK(bench.weir({"publish", "-c", "users.jsonl"}).code == 2); // no topic
    CHECK(bench.weir({"deadletter", "replay", "-c", "--domain", "linting"}).code == 2);
    const Ran group = bench.weir({"deadletter"});
    CHECK(group.code == 2);
    CHECK_THAT(group.err, Contains("Usage: weir deadletter"));
    CHECK_THAT(bench.weir({"generate", "identity", "--users", "0"}).err, Contains("'0' is not a number of 1 or more"));
    CHECK_THAT(bench.weir({"generate", "identity", "-n", "many"}).err, Contains("'many' is not a number of 0 or more"));
}

TEST_CASE("every command has a help that ends with 0, and the codes are listed") {
    const Workbench bench;
    CHECK_THAT(bench.weir({"--help"}).out, Contains("Exit codes:") && Contains("deadletter"));
    for (const char *command : {"run", "publish", "topics", "tail", "deadletter", "rebuild", "plugin", "config", "generate", "doctor",
                                "status", "version", "completion"}) {
        INFO(command);
        const Ran help = bench.weir({command, "--help"});
        CHECK(help.code == 0);
        CHECK_THAT(help.out, Contains("Usage: weir " + std::string(command)) && !Contains("Begin here"));
    }
}

TEST_CASE("a configuration that is wrong ends with 4 and names the place") {
    const Workbench bench;
    write_file(bench.config(), R"({"plugins": {"directry": "x"}})");
    for (const char *command : {"topics", "run"}) {
        const Ran ran = bench.weir({command, "-c"});
        CHECK(ran.code == 4);
        CHECK_THAT(ran.err, Contains("directry") && Contains("directory"));
    }
}

TEST_CASE("a broker of another kind, or parameters of TLS without it, are refused with the key to set") {
    Workbench bench;
    for (const char *url : {"kafka://localhost:9092", "redis://localhost:6379/0?ssl_cert_reqs=none"}) {
        bench.environment["WEIR_BROKER_URL"] = url;
        const Ran ran = bench.weir({"topics", "-c"});
        CHECK(ran.code == 4);
        CHECK_THAT(ran.err, Contains("broker.url"));
    }
}

TEST_CASE("a server that nobody listens for ends a command with 5 and names the key, and config check says that it can't be asked") {
    Workbench bench;
    bench.environment["WEIR_BROKER_URL"] = "redis://:hunter2@127.0.0.1:1/0";
    bench.environment["WEIR_STORE_URL"] = "postgresql://weir:hunter3@127.0.0.1:1/weir";
    for (const std::vector<std::string> &command :
         {std::vector<std::string>{"topics", "-c"}, {"deadletter", "list", "-c", "-d", "linting"}}) {
        const Ran ran = bench.weir(command);
        CHECK(ran.code == 5);
        CHECK_THAT(ran.err, Contains(command[0] == "topics" ? "broker.url" : "store.url") && !Contains("hunter"));
    }
    const Ran checked = bench.weir({"config", "check", "-c"});
    CHECK(checked.code == 0);
    CHECK_THAT(checked.out,
               Contains("can't be reached now (broker.url") && Contains("can't be reached now (the store") && !Contains("hunter"));
    const Ran doctor = bench.weir({"doctor", "-c"});
    CHECK(doctor.code == 1);
    CHECK_THAT(doctor.out, Contains("broker.url") && Contains("store.url") && !Contains("hunter"));
}

TEST_CASE("a store that can't be written ends with 5") {
    Workbench bench;
    write_file(bench / "file", "");
    bench.environment["WEIR_BROKER_URL"] = "embedded://" + (bench / "file").string() + "/broker.db";
    const Ran ran = bench.weir({"publish", "-c", "--topic", "t", "-", "--raw"}, "{}\n");
    CHECK(ran.code == 5);
    CHECK_THAT(ran.err, Contains("WEIR_BROKER_URL"));
}

TEST_CASE("the version names the plugin ABI") {
    const Workbench bench;
    const auto version = bench.weir({"version", "--json"}).json();
    CHECK(version["abi_major"] == 1);
    CHECK_THAT(bench.weir({"--version"}).out, Contains(version["version"].get<std::string>()));
}

TEST_CASE("status without a host ends with 1 and says so") {
    const Workbench bench;
    const Ran ran = bench.weir({"status", "-c", "--json"});
    CHECK(ran.code == 1);
    CHECK(ran.json()["running"] == false);
    CHECK(ran.json()["ready"] == false);
}

TEST_CASE("status shows a running host's domains, ends with 0 once they are ready, and knows a killed host") {
    const Workbench bench;
    const Child host = bench.start({"run", "-c"});
    REQUIRE(eventually([&] { return bench.weir({"status", "-c"}).code == 0; }));
    const auto status = bench.weir({"status", "-c", "--json"}).json();
    CHECK(status["running"] == true);
    REQUIRE(status["domains"].size() == 1);
    CHECK(status["domains"][0]["domain"] == "linting");
    CHECK(status["domains"][0]["ready"] == true);
    CHECK_THAT(bench.weir({"status", "-c"}).out, Contains("linting"));

    write_file(bench.path() / "data/state/status.json", R"({"pid":1,"time":"2026-01-01T00:00:00Z","ready":true,"domains":[]})");
    host.signal(SIGSTOP); // so that it doesn't write a newer one
    write_file(bench.path() / "data/state/status.json", R"({"pid":1,"time":"2026-01-01T00:00:00Z","ready":true,"domains":[]})");
    const Ran silent = bench.weir({"status", "-c"});
    CHECK(silent.code == 1);
    CHECK_THAT(silent.out, Contains("said nothing since"));
    write_file(bench.path() / "data/state/status.json", "{\"pid\":");
    CHECK(bench.weir({"status", "-c"}).code == 1);
}

TEST_CASE("status tells of refused plugins and of a second host, and needs no right configuration") {
    const Workbench bench;
    const Child host = bench.start({"run", "-c"});
    REQUIRE(eventually([&] { return bench.weir({"status", "-c"}).code == 0; }));
    write_file(bench.path() / "plugins/broken.so", "no library");
    std::filesystem::permissions(bench.path() / "plugins/broken.so", std::filesystem::perms::owner_all);
    const auto status = [&] { return bench.weir({"status", "-c", "--json"}).json(); };
    REQUIRE(eventually([&] { return status()["refused_plugins"].size() == 1; }));
    const Ran refused = bench.weir({"status", "-c"});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.out, Contains("broken.so: refused (not_elf)"));
    CHECK(bench.weir({"status", "-c", "--json"}).code == 1);
    CHECK(status()["ready"] == true);
    CHECK(bench.weir({"status", "-c", "--ready"}).code == 0); // a probe ends no host that serves
    CHECK(bench.weir({"status", "-c", "--ready", "--json"}).code == 0);
    {
        const Child other = bench.start({"run", "-c"});
        REQUIRE(eventually([&] { return status().contains("other_hosts"); }));
        CHECK(status()["other_hosts"][0]["pid"] != status()["pid"]);
        CHECK(eventually([&] { return bench.weir({"status", "-c", "--ready"}).code == 0; })); // one serves, one stands by
        CHECK(bench.weir({"status", "-c"}).code == 1);
    }
    std::filesystem::remove(bench.path() / "plugins/broken.so");
    REQUIRE(eventually([&] { return status()["refused_plugins"].empty(); }));
    CHECK(eventually([&] { return bench.weir({"status", "-c"}).code == 0; }));

    const std::string state = (bench.path() / "data/state").string();
    write_file(bench.config(), R"({"data_directory": "data", "plugin": 1})");
    const Ran warned = bench.weir({"status", "-c"});
    CHECK(warned.code == 0);
    CHECK_THAT(warned.err, Contains("did you mean"));
    write_file(bench.config(), "{");
    const Ran lost = bench.weir({"status", "-c"});
    CHECK(lost.code == 4);
    CHECK_THAT(lost.err, Contains("--state-directory"));
    CHECK(bench.weir({"status", "--state-directory", state}).code == 0);
}

TEST_CASE("why a host can't start is JSON lines where its log is, with event and exit code, and plain text where it isn't") {
    Workbench bench;
    write_file(bench / "wrong.json", R"({"engine": {"batch_max_event": 7}, "store": {"url": "mysql://x"}})");
    write_file(bench / "contracts.json", R"({"contracts_directory": "nowhere", "data_directory": "data"})");
    write_file(bench / "server.json", R"({"broker": {"url": "redis://127.0.0.1:1/0"}, "data_directory": "data"})");
    struct Case {
        std::vector<std::string> arguments;
        int code;
        std::string text;
        std::size_t lines;
    };
    const std::vector<Case> cases{{{"run", "--config=wrong.json"}, 4, "batch_max_event", 3},
                                  {{"run", "--config=missing.json"}, 4, "missing.json", 2},
                                  {{"run", "--config=contracts.json"}, 4, "contracts_directory", 1},
                                  {{"run", "--config=server.json", "--fail-fast"}, 5, "broker.url", 1},
                                  {{"run", "--untl-drained"}, 2, "--until-drained", 1}};
    for (const Case &one : cases) {
        INFO(one.text);
        for (const char *format : {"", "json"}) { // a file is no terminal
            bench.environment["WEIR_LOG_FORMAT"] = *format == '\0' ? "auto" : format;
            const Ran ran = bench.weir(one.arguments);
            INFO(ran.err);
            CHECK(ran.code == one.code);
            CHECK_THAT(ran.err, Contains(one.text));
            std::istringstream lines(ran.err);
            std::size_t count = 0;
            nlohmann::json last;
            for (std::string line; std::getline(lines, line); ++count) {
                last = nlohmann::json::parse(line, nullptr, false);
                REQUIRE(last.is_object());
                CHECK(last["level"] == "error");
                CHECK(last.contains("time"));
                CHECK((last["event"] == "config.wrong" || last["event"] == "host.failed"));
            }
            CHECK(count == one.lines);
            CHECK(last["event"] == "host.failed");
            CHECK(last["exit_code"] == one.code);
        }
        bench.environment["WEIR_LOG_FORMAT"] = "text";
        const Ran plain = bench.weir(one.arguments);
        CHECK(plain.code == one.code);
        CHECK_THAT(plain.err, Contains(one.text) && Contains("weir: ") && !Contains("{\"time\""));
    }
    bench.environment["WEIR_LOG_FORMAT"] = "json"; // of a command that people run, standard error is no log
    CHECK_THAT(bench.weir({"topics", "--config=wrong.json"}).err, Contains("weir: the configuration wrong.json has"));
}

TEST_CASE("a host that is given no configuration says so, and where its data goes") {
    const Workbench bench;
    const Ran without = bench.weir({"run", "--until-drained"});
    CHECK(without.code == 0);
    CHECK_THAT(without.err, Contains("\"event\":\"config.none\"") && Contains("embedded://" + (bench / "data" / "broker.db").string()) &&
                                Contains("sqlite://" + (bench / "data" / "store").string()) && Contains("\"http\":\"off\""));
    CHECK_THAT(bench.weir({"run", "-c", "--until-drained"}).err, !Contains("config.none"));
}

TEST_CASE("a server that can't be used is named with the variable that its url came through") {
    Workbench bench;
    const std::string nobody = "://u:hunter2@127.0.0.1:1/0";
    write_file(bench / "expanded.json",
               R"({"store": {"url": "${DATABASE_URL:-}"}, "broker": {"url": "${REDIS_URL:-embedded://}"}, "data_directory": "data"})");
    const auto said = [&](const char *file) {
        const Ran ran = bench.weir({"run", std::string("--config=") + file, "--fail-fast"});
        CHECK(ran.code == 5);
        CHECK_THAT(ran.err, !Contains("hunter2"));
        return ran.err;
    };
    bench.environment["DATABASE_URL"] = "postgresql" + nobody;
    CHECK_THAT(said("expanded.json"), Contains("(DATABASE_URL)") && Contains("store.url"));
    bench.environment["REDIS_URL"] = "redis" + nobody;
    CHECK_THAT(said("expanded.json"), Contains("broker.url (REDIS_URL): redis://"));
    bench.environment["WEIR_BROKER_URL"] = "redis" + nobody;
    CHECK_THAT(said("expanded.json"), Contains("broker.url (WEIR_BROKER_URL): redis://"));
    bench.environment.erase("WEIR_BROKER_URL");
    write_file(bench / "plain.json", R"({"broker": {"url": "redis://127.0.0.1:1/0"}, "data_directory": "data"})");
    CHECK_THAT(said("plain.json"), Contains("broker.url: redis://"));
}
