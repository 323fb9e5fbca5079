// SPDX-License-Identifier: Apache-2.0
#include "sample.hpp"

#include <catch2/catch.hpp>

#include <cstdio>

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
