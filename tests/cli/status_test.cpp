// SPDX-License-Identifier: Apache-2.0
// What `weir status` says of counts, lag, dead letters and domains that are switched off; and what a host says that has drained.
#include "workbench.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace weir::test;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

const char *const kTopic = "identity.user.v1";

void publish(const Workbench &bench, const std::string &lines, const std::string &topic = kTopic) {
    REQUIRE(bench.weir({"publish", "-c", "--topic", topic, "-", "--raw"}, lines).code == 0);
}

json status(const Workbench &bench) { return json::parse(bench.weir({"status", "-c", "--json"}).out, nullptr, false); }

/// A configuration like the workbench's own, with these domains.
void configure(const Workbench &bench, const std::string &domains) {
    write_file(bench.config(), R"({"data_directory": "data", "plugins": {"directory": "plugins", "default": "none"},
                                   "log": {"level": "warn"}, "domains": )" +
                                   domains + "}");
}

} // namespace

TEST_CASE("status tells a domain's lag and pending dead letters apart from what this process has counted since its start") {
    const Workbench bench;
    publish(bench, "{cut\n" + created(1) + "\n" + created(2) + "\n");
    REQUIRE(bench.weir({"run", "-c", "--until-drained", "--drain-timeout", "30"}).code == 0);
    const Child host = bench.start({"run", "-c"});
    json domain;
    REQUIRE(eventually([&] {
        domain = status(bench).value("domains", json::array({json::object()}))[0];
        return domain.contains("lag") && domain["lag"].is_number();
    }));
    CHECK(domain["lag"] == 0);
    CHECK(domain["unacknowledged"] == 0);
    CHECK(domain["dead_letters_pending"] == 1); // the domain's, from before this process
    CHECK(domain["counts"]["dead_letters"] == 0);
    CHECK(domain["counts"]["messages"] == 0);
    CHECK(domain["topics"] == json::parse(R"([{"topic": "identity.user.v1", "lag": 0, "unacknowledged": 0}])"));
    CHECK(domain["sample_age_ms"] < 60000);
    const json whole = status(bench);
    CHECK(whole["started"] < whole["time"]);
    const std::string text = bench.weir({"status", "-c"}).out;
    INFO(text);
    CHECK_THAT(text, Contains("LAG") && Contains("UNACKNOWLEDGED") && Contains("PENDING DEAD LETTERS"));
    CHECK_THAT(text, Contains("since it started (" + whole["started"].get<std::string>() + ")") && Contains("NEW DEAD LETTERS"));
    CHECK_THAT(text, Contains("linting: 1 dead letter waits to be replayed or dropped: 'weir deadletter list -d linting -c " +
                              bench.config().string() + "'"));

    publish(bench, created(3) + "\n{cut again\n");
    REQUIRE(eventually([&] { return status(bench)["domains"][0]["dead_letters_pending"] == 2; }));
    CHECK(status(bench)["domains"][0]["counts"]["dead_letters"] == 1);
    REQUIRE(bench.weir({"deadletter", "drop", "-c", "-d", "linting", "--all"}).code == 0);
    REQUIRE(eventually([&] { return status(bench)["domains"][0]["dead_letters_pending"] == 0; }));
    CHECK_THAT(bench.weir({"status", "-c"}).out, !Contains("to be replayed or dropped"));
}

TEST_CASE("a domain that is switched off is said to be, by status, config check, rebuild and replay") {
    const Workbench bench;
    publish(bench, "{cut\n" + created(1) + "\n");
    configure(bench, R"({"linting": {"enabled": true}})");
    const Child host = bench.start({"run", "-c"});
    REQUIRE(eventually([&] { return bench.weir({"status", "-c"}).code == 0; }));
    REQUIRE(eventually([&] { return status(bench)["domains"][0]["counts"]["messages"] == 2; }));
    configure(bench, R"({"linting": {"enabled": false}})");
    REQUIRE(eventually([&] { return status(bench)["disabled"] == json::array({"linting"}); }));
    REQUIRE(eventually([&] { return status(bench)["domains"][0]["phase"] == "stopped"; }));
    const Ran shown = bench.weir({"status", "-c"});
    INFO(shown.out);
    CHECK(shown.code == 0); // nobody misses it
    CHECK_THAT(shown.out, Contains("linting: its configuration switches it off (\"enabled\": false)"));

    for (const std::vector<std::string> &words :
         std::vector<std::vector<std::string>>{{"rebuild", "linting", "-c"},
                                               {"rebuild", "linting", "-c", "--dry-run"},
                                               {"deadletter", "replay", "-c", "-d", "linting", "--all"}}) {
        CAPTURE(words);
        const Ran ran = bench.weir(words);
        INFO(ran.err);
        CHECK(ran.code == 4);
        CHECK_THAT(ran.err, Contains("domain 'linting' is not served: its configuration switches it off: \"enabled\" is false (") &&
                                Contains(bench.config().string()) && Contains("WEIR_DOMAINS_LINTING_ENABLED") &&
                                !Contains("there is no domain") && !Contains("install one that fits"));
    }
    CHECK(bench.weir({"deadletter", "list", "-c", "-d", "linting", "--json"}).json()["dead_letters"].size() == 1);
    const Ran check = bench.weir({"config", "check", "-c"});
    CHECK(check.code == 0);
    CHECK_THAT(check.out, Contains("linting: not served: its configuration switches it off"));
}

TEST_CASE("a host that begins with a domain switched off says so") {
    const Workbench bench;
    configure(bench, R"({"linting": {"enabled": false}})");
    const Child host = bench.start({"run", "-c"});
    REQUIRE(eventually([&] { return bench.weir({"status", "-c"}).code == 0; }));
    CHECK_THAT(bench.weir({"status", "-c"}).out, Contains("linting: not served, since its configuration switches it off"));
}

TEST_CASE("a host that has drained names the topics that weren't there, and ends with 4 where --fail-fast wants that") {
    const Workbench bench;
    publish(bench, created(1) + "\n");
    configure(bench, R"({"linting": {"topics": ["identity.user.v1", "identity.usr.v1"]}})");
    const Ran drained = bench.weir({"run", "-c", "--until-drained", "--drain-timeout", "30"});
    INFO(drained.out << drained.err);
    CHECK(drained.code == 0); // the first message makes it
    const std::string said =
        "topic 'identity.usr.v1' is not on the broker, so that nothing of it was read; did you mean 'identity.user.v1'?";
    CHECK_THAT(drained.out, Contains("linting: " + said));
    CHECK(drained.out.find(said) > drained.out.find("messages")); // behind the counts
    CHECK_THAT(drained.err, Contains("host.topic_not_drained"));
    const json counts = bench.weir({"run", "-c", "--until-drained", "--drain-timeout", "30", "--json"}).json();
    CHECK(counts["domains"][0]["missing_topics"][0]["topic"] == "identity.usr.v1");
    CHECK(bench.weir({"run", "-c", "--until-drained", "--fail-fast"}).code == 4);
    publish(bench, created(2) + "\n", "identity.usr.v1");
    const Ran all = bench.weir({"run", "-c", "--until-drained", "--fail-fast"});
    CHECK(all.code == 0);
    CHECK_THAT(all.out, !Contains("is not on the broker"));
    CHECK(bench.query("linting", "select count(*) from identity_projection") == "2");
}

TEST_CASE("commands that messages advise name the configuration that was named, and can be pasted") {
    const Workbench bench;
    const std::string config = bench.config().string();
    CHECK_THAT(bench.weir({"topics", "-c"}).out, Contains("'weir publish -c " + config + "' makes one"));
    CHECK_THAT(bench.weir({"tail", "-c", "nothing"}).err, Contains("'weir publish -c " + config + "' makes it"));
    publish(bench, created(1) + "\n");
    CHECK_THAT(bench.weir({"deadletter", "show", "-c", "-d", "linting", "7"}).err,
               Contains("'weir deadletter list -d linting --status all -c " + config + "' shows all"));
    const Ran meant = bench.weir({"tail", "-c", "identity.usr.v1"});
    CHECK(meant.code == 1);
    CHECK_THAT(meant.err, Contains("there is no topic 'identity.usr.v1' (did you mean 'identity.user.v1'?)") &&
                              Contains("'weir topics -c " + config + "' lists them"));
    CHECK_THAT(bench.weir({"tail", "-c", "nothing"}).err, !Contains("did you mean"));

    const std::string odd = (bench / "it's here.json").string(); // quoted as a shell wants it
    std::filesystem::copy_file(bench.config(), odd);
    const Ran quoted = bench.run({Workbench::program().string(), "plugin", "remove", "linting", "-c", odd});
    INFO(quoted.out << quoted.err);
    REQUIRE(quoted.code == 0);
    const std::size_t begin = quoted.out.find("`weir ") + 1;
    const std::string advised = quoted.out.substr(begin, quoted.out.find('`', begin) - begin);
    CHECK_THAT(advised, Contains("plugin rollback linting -c '") && Contains("it'\\''s here.json"));
    const Ran pasted = bench.run({"sh", "-c", Workbench::program().parent_path().string() + "/" + advised});
    CHECK(pasted.code == 0);
    CHECK(std::filesystem::exists(bench / "plugins" / "linting.so"));

    Workbench by_variable;
    by_variable.environment["WEIR_DATA_DIRECTORY"] = (by_variable / "data").string();
    by_variable.environment["WEIR_PLUGINS_DIRECTORY"] = (by_variable / "plugins").string();
    CHECK_THAT(by_variable.weir({"topics"}).out, Contains("'weir publish' makes one")); // without -c there is none to be repeated
}
