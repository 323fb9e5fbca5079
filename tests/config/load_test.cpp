// SPDX-License-Identifier: Apache-2.0
#include "config_support.hpp"

using namespace weir;
using weir::test::Files;

TEST_CASE("the domain file of the service that Weir replaces works as it is under configs/embedded.json") {
    Files files;
    files.write(
        "domains/lint.json",
        R"({"service":{"name":"markdown-lint-consumer","domain":"linting","schema":"linting"},"redis":{"url":"redis://redis:6379/0"},"consumer_group":"lint_group","topics":["identity.user.v1"]})");
    files.write("weir.json", test::read_file(test::source_directory() / "configs" / "embedded.json"));
    const config::Loaded loaded = files.load();
    CHECK(test::text(loaded.problems) == "");
    REQUIRE(loaded.config.domains.size() == 1);
    const config::DomainConfig &domain = loaded.config.domains[0];
    CHECK(domain.name == "linting");
    CHECK(domain.service_name == "markdown-lint-consumer");
    CHECK(domain.schema == "linting");
    CHECK(domain.group == "lint_group");
    CHECK(domain.topics == std::vector<std::string>{"identity.user.v1"});
    CHECK(domain.enabled);
    CHECK_FALSE(domain.parallel.has_value());
    CHECK(domain.file == files.path("domains/lint.json"));
    CHECK(test::setting(loaded, "domains.linting.redis.url").source ==
          files.path("domains/lint.json").string() + ", not used: broker.url is set (" + files.path("weir.json").string() + ")");
}

TEST_CASE("a redis url is refused, saying what to set, until the host's broker is chosen in the file or by WEIR_BROKER_URL") {
    Files files;
    files.write("domains/lint.json", R"({"service":{"domain":"linting"},"redis":{"url":"redis://:hunter2@redis:6379/0"}})");
    files.write("weir.json", R"({"domains_directory":"domains"})");
    const std::string refused = test::text(files.load().problems);
    CHECK_THAT(refused, Catch::Contains(files.path("domains/lint.json").string() + ":1 /redis/url: ") &&
                            Catch::Contains("WEIR_BROKER_URL=embedded://FILE") && Catch::Contains("no Redis broker yet") &&
                            !Catch::Contains("hunter2"));
    CHECK(test::text(files.load({{"WEIR_BROKER_URL", "embedded:///x/b.db"}}).problems) == "");
    files.write("weir.json", R"({"domains_directory":"domains","broker":{"url":"redis://redis:6379/0"}})");
    CHECK_THAT(
        test::text(files.load().problems),
        Catch::Contains("/broker/url: broker.url is \"redis://redis:6379/0\": this version has no such broker yet; write embedded://FILE"));
}

TEST_CASE("every shipped configuration loads without a problem") {
    const auto configs = test::source_directory() / "configs";
    std::size_t count = 0;
    for (const auto &entry : std::filesystem::directory_iterator(configs)) {
        if (entry.path().extension() == ".json") {
            ++count;
            INFO(entry.path().string());
            const config::Loaded loaded = config::load(entry.path(), {});
            CHECK(test::text(loaded.problems) == "");
            CHECK(loaded.config.plugins_directory == config::default_plugins_directory());
        }
    }
    CHECK(count >= 1);
    const config::Loaded embedded = config::load(configs / "embedded.json", {});
    CHECK(embedded.config.broker_url == "embedded://" + (test::source_directory() / "data/broker.db").string());
    CHECK(embedded.config.store_url == "sqlite://" + (test::source_directory() / "data/store").string());
    CHECK(embedded.config.state_directory == test::source_directory() / "data/state");
    CHECK(embedded.config.domains_directory == configs / "domains");
    REQUIRE(embedded.config.domains.size() == 2);
    CHECK_FALSE(embedded.config.domains[0].enabled);
    CHECK(embedded.config.domains[0].engine.batch_max_events == 500);
    CHECK(embedded.config.domains[0].bindings.at(0).envelope_required);
    CHECK(embedded.config.domains[1].group == "lint_group");
}
