// SPDX-License-Identifier: Apache-2.0
#include "http_host.hpp"
#include "sample.hpp"

#include <catch2/catch.hpp>

#include <cstdio>
#include <nlohmann/json.hpp>

using namespace weir::test;
using namespace std::chrono_literals;

namespace {

/// As an editor and a container's config map do: whole, at once.
void put(const std::filesystem::path &file, const std::string &text) {
    const auto half = file.parent_path().parent_path() / "half-written";
    write_file(half, text);
    std::filesystem::rename(half, file);
}

std::int64_t projected(const Installation &installation, const char *schema) {
    return number(installation.database(schema), "select count(*) from identity_projection");
}

std::int64_t users() { return static_cast<std::int64_t>(expectation().rows.size()); }

} // namespace

TEST_CASE("a domain file as services have it works as it is") {
    Installation installation({"linting"});
    write_file(
        installation.domains() / "linting.json",
        R"({"service":{"name":"markdown-lint-consumer","domain":"linting","schema":"linting"},"redis":{"url":"redis://redis:6379/0"},)"
        R"("consumer_group":"lint_group","topics":["identity.user.v1"]})");
    installation.publish(kIdentityTopic, sample());
    const auto report = installation.drain();
    REQUIRE(report.size() == 1);
    check_counts(report.at("linting").counts, expectation());
    check_database(installation.database("linting"), expectation(), "user_prefs");
    CHECK(number(installation.root() / "broker.db", "select count(*) from sqlite_master") > 0);
    CHECK(installation.backlog(kIdentityTopic, "lint_group") == 0);
}

TEST_CASE("a domain file that appears while the host runs is served by the projection plugin, and one that goes is left") {
    Installation installation({"linting", "projection"});
    const auto host = installation.start();
    installation.publish(kIdentityTopic, sample());
    REQUIRE(eventually([&] { return installation.backlog(kIdentityTopic, "lint_group") == 0; }));
    put(installation.domains() / "accounts.json",
        R"({"service": {"domain": "accounts", "schema": "accounts_schema"}, "consumer_group": "accounts_group", "topics": ["identity.user.v1"],
            "bindings": {"identity.user.v1": {"envelope_required": true, "keys": ["/tenant_id", "/payload/user_id"]}}})");
    REQUIRE(eventually([&] { return projected(installation, "accounts_schema") == users(); }));
    CHECK(host->said("config.taken_over").size() == 1);
    CHECK(host->said("domain.starting", {"accounts", "projection"}));
    CHECK(host->said("domain.draining").empty()); // linting goes on undisturbed
    std::filesystem::remove(installation.domains() / "accounts.json");
    REQUIRE(eventually([&] { return host->said("domain.stopped", {"accounts"}); }));
    host->signal(15);
    REQUIRE(host->wait());
    check_database(installation.database("linting"), expectation(), "user_prefs");
}

TEST_CASE("a wrong domain file is refused with its place, and the old configuration stays") {
    Installation installation({"projection"});
    const std::string right = R"({"service": {"domain": "accounts"}, "consumer_group": "accounts_group", "topics": ["identity.user.v1"]})";
    put(installation.domains() / "accounts.json", right);
    const auto host = installation.start();
    installation.publish(kIdentityTopic, {sample().begin(), sample().begin() + 1000});
    REQUIRE(eventually([&] { return projected(installation, "accounts") > 0; }));
    put(installation.domains() / "accounts.json",
        R"({"service": {"domain": "accounts"}, "consumer_grup": "other_group", "topics": ["identity.user.v1"]})");
    REQUIRE(eventually([&] { return host->said("config.refused", {"accounts.json", "consumer_grup", "consumer_group"}); }));
    installation.publish(kIdentityTopic, {sample().begin() + 1000, sample().end()});
    REQUIRE(eventually([&] { return projected(installation, "accounts") == users(); }));
    CHECK(installation.backlog(kIdentityTopic, "other_group") == -1);
    CHECK(host->said("domain.draining").empty());
    put(installation.domains() / "accounts.json", right.substr(0, right.size() / 2)); // half of it
    REQUIRE(eventually([&] { return host->said("config.refused").size() >= 2; }));
    put(installation.domains() / "accounts.json",
        R"({"service": {"domain": "accounts"}, "consumer_group": "accounts_group", "topics": ["identity.user.v1"], "engine": {"batch_max_events": 77}})");
    REQUIRE(eventually([&] { return host->said("config.taken_over").size() == 1; }));
    CHECK(host->running());
}

TEST_CASE("a configuration that is refused is told by status, over HTTP and in the metrics, until a right one is taken") {
    Installation installation({"linting"});
    HttpHost host(installation);
    host.wait_ready();
    const auto status = [&] {
        const auto process = installation.command({"status", "-c", installation.config().string()});
        REQUIRE(process->wait());
        return process->output();
    };
    const auto refused = [&] { return nlohmann::json::parse(host.ask("GET", "/api/domains").body).at("refused_configuration"); };
    const auto metric = [&](const std::string &value) {
        return host.ask("GET", "/metrics").body.find("\nweir_configuration_refused " + value + "\n") != std::string::npos;
    };
    CHECK(refused().empty());
    CHECK(metric("0"));
    const auto file = installation.domains() / "accounts.json";
    put(file, R"({"service": {"domain": "accounts"}, "consumer_grup": "other"})");
    REQUIRE(eventually([&] { return refused().size() == 1; }, std::chrono::seconds(60)));
    CHECK_THAT(refused()[0].at("where").get<std::string>(), Catch::Matchers::Contains("accounts.json"));
    CHECK_THAT(refused()[0].at("reason").get<std::string>(), Catch::Matchers::Contains("consumer_grup"));
    CHECK(metric("1"));
    REQUIRE(eventually([&] { return status().find("accounts.json") != std::string::npos; }, std::chrono::seconds(60)));
    CHECK_THAT(status(), Catch::Matchers::Contains("consumer_grup") && Catch::Matchers::Contains("would not start again"));
    std::filesystem::remove(file); // as it was: right again
    REQUIRE(eventually([&] { return refused().empty(); }, std::chrono::seconds(60)));
    CHECK(metric("0"));
    REQUIRE(eventually([&] { return status().find("refused") == std::string::npos; }, std::chrono::seconds(60)));
    CHECK(host.stop() == 0);
}

TEST_CASE("a wrong configuration keeps the host from starting, says where, and exits with the code for it") {
    Installation installation({"linting"});
    write_file(installation.config(), R"({"domains_directory": "domains", "engine": {"batch_max_event": 7}})");
    const auto host = installation.start();
    REQUIRE(host->wait());
    CHECK(host->wait()->exit_code == 4);
    CHECK(host->log().find("batch_max_events") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(installation.database("linting")));
}

TEST_CASE("a variable overrides the file, for the host and for one domain") {
    Installation installation({"linting", "projection"});
    write_file(installation.config(), R"({"domains_directory": "domains", "engine": {"batch_max_events": 3000}})");
    write_file(installation.domains() / "accounts.json", R"({"service": {"domain": "accounts"}, "topics": ["identity.user.v1"]})");
    installation.set("engine.batch_max_events", "500");
    installation.set("domains.accounts.service.schema", "elsewhere");
    installation.publish(kIdentityTopic, sample());
    const auto host = installation.start({"--until-drained", "--json"});
    REQUIRE(host->wait());
    CHECK(host->wait()->exit_code == 0);
    const std::string report = host->output();
    const auto linting = report.find("\"domain\":\"linting\"");
    REQUIRE(linting != std::string::npos);
    const auto batches = report.find("\"batches\":", linting);
    CHECK(std::stoi(report.substr(batches + 10)) >= 6);
    CHECK(projected(installation, "elsewhere") == users());
    CHECK_FALSE(std::filesystem::exists(installation.database("accounts")));
}

TEST_CASE("--max-events stops after so many, and the rest is done by the next run") {
    Installation installation({"linting"});
    installation.publish(kIdentityTopic, sample());
    const auto host = installation.start({"--max-events", "1234", "--json"});
    REQUIRE(host->wait());
    CHECK(host->wait()->exit_code == 0);
    CHECK(parse_report(host->output()).at("linting").counts.messages == 1234);
    CHECK(installation.drain().at("linting").counts.messages == 3000 - 1234);
    check_database(installation.database("linting"), expectation(), "user_prefs");
}

TEST_CASE("a change that a plugin refuses is not said to be in force, and one that fits is") {
    Installation installation({"linting"});
    const auto domain = [](const std::string &settings) {
        return R"({"service": {"domain": "linting"}, "topics": ["identity.user.v1"], "settings": )" + settings + "}";
    };
    put(installation.domains() / "linting.json", domain("{}"));
    const auto host = installation.start();
    REQUIRE(eventually([&] { return installation.ready("linting"); }));
    put(installation.domains() / "linting.json", domain(R"({"no_such_setting": 1})"));
    REQUIRE(eventually([&] { return host->said("config.partly_taken_over", {"\"without\":\"linting\""}); }));
    CHECK(host->said("plugin.refused", {"no_such_setting"}));
    CHECK(host->said("config.taken_over").empty());
    put(installation.domains() / "linting.json", domain("{}"));
    CHECK(eventually([&] { return host->said("config.taken_over").size() == 1; }));
    CHECK(host->said("config.partly_taken_over").size() == 1);
}

TEST_CASE("a plugin in C++ that declares no settings takes none: what it is given is named, and it serves without") {
    Installation installation({"probe"});
    const auto domain = [](const std::string &settings) {
        return R"({"service": {"domain": "probe"}, "topics": ["probe.thing.v1"], "settings": )" + settings + "}";
    };
    put(installation.domains() / "probe.json", domain(R"({"no_such_setting": 1})"));
    const auto host = installation.start();
    const std::string reason = "/settings/no_such_setting: the plugin knows no such setting; it knows: none";
    REQUIRE(eventually([&] { return host->log().find(reason) != std::string::npos || installation.ready("probe"); }));
    CHECK(host->log().find(reason) != std::string::npos);
    CHECK_FALSE(installation.ready("probe"));
    put(installation.domains() / "probe.json", domain("{}"));
    CHECK(eventually([&] { return installation.ready("probe"); }));
}

TEST_CASE("routes that another domain answers are said once, also when the plugin is replaced") {
    Installation installation({"greeter"});
    installation.set("http.listen", "127.0.0.1:0");
    put(installation.domains() / "second.json", R"({"service": {"domain": "second"}, "plugin": "greeter", "topics": ["second.v1"]})");
    const auto host = installation.start();
    REQUIRE(eventually([&] { return installation.ready("greeter") && installation.ready("second"); }));
    const auto said = [&] { return host->said("route.shadowed").size(); };
    REQUIRE(eventually([&] { return said() > 0; }));
    const std::size_t before = said();
    CHECK(host->said("route.shadowed", {"\"level\":\"info\"", "\"domain\":\"second\"", "\"answers\":\"greeter\""}));
    installation.place("greeter_2", "greeter");
    REQUIRE(eventually([&] { return host->said("plugin.swapped").size() == 2; }));
    CHECK(said() == before);
    host->signal(15);
    REQUIRE(host->wait());
}
