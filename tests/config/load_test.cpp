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

TEST_CASE("where broker.url is not set, the redis.url that the domains agree on is the broker of all") {
    Files files;
    files.write("domains/lint.json", R"({"service":{"domain":"linting"},"redis":{"url":"redis://weir:hunter2@redis:6379/0"}})");
    files.write("domains/spell.json", R"({"service":{"domain":"spellcheck"},"redis":{"url":"redis://weir:hunter2@redis:6379/0"}})");
    files.write("domains/plain.json", R"({"service":{"domain":"plain"}})");
    files.write("domains/off.json", R"({"service":{"domain":"off"},"enabled":false,"redis":{"url":"redis://elsewhere:6379/0"}})");
    files.write("weir.json", R"({"domains_directory":"domains"})");
    config::Loaded loaded = files.load();
    CHECK(test::text(loaded.problems) == "");
    CHECK(loaded.config.broker_url == "redis://weir:hunter2@redis:6379/0");
    for (const config::DomainConfig &domain : loaded.config.domains) {
        CHECK((domain.name == "off" || domain.broker_url == loaded.config.broker_url));
    }
    CHECK(test::setting(loaded, "broker.url").value == "redis://weir:***@redis:6379/0");
    CHECK_THAT(test::setting(loaded, "broker.url").source, Catch::Contains("redis.url of linting") && Catch::Contains("domains/lint.json"));

    loaded = files.load({{"WEIR_BROKER_URL", "embedded:///x/b.db"}});
    CHECK(test::text(loaded.problems) == "");
    CHECK(loaded.config.broker_url == "embedded:///x/b.db");
    CHECK(loaded.config.domains.at(0).broker_url == "embedded:///x/b.db");
}

TEST_CASE("domains that name different servers each have their own, and none may be without one") {
    Files files;
    files.write("domains/lint.json", R"({"service":{"domain":"linting"},"redis":{"url":"redis://:hunter2@one:6379/0"}})");
    files.write("domains/spell.json", R"({"service":{"domain":"spellcheck"},"redis":{"url":"redis+unix:///run/two.sock?db=1"}})");
    files.write("weir.json", R"({"domains_directory":"domains"})");
    config::Loaded loaded = files.load();
    CHECK(test::text(loaded.problems) == "");
    CHECK(loaded.config.broker_url.empty());
    CHECK(loaded.config.domains.at(0).broker_url == "redis://:hunter2@one:6379/0");
    CHECK(loaded.config.domains.at(1).broker_url == "redis+unix:///run/two.sock?db=1");
    CHECK(test::setting(loaded, "broker.url").value.empty());
    files.write("domains/plain.json", R"({"service":{"domain":"plain"}})");
    const std::string refused = test::text(files.load().problems);
    CHECK_THAT(refused, Catch::Contains("domains/plain.json") && Catch::Contains("has no redis.url") &&
                            Catch::Contains("domains/lint.json") && Catch::Contains("domains/spell.json") &&
                            Catch::Contains("broker.url") && !Catch::Contains("hunter2"));
}

TEST_CASE("urls of Redis and PostgreSQL are taken in all their spellings, and masked wherever they are shown") {
    Files files;
    files.write("weir.json", "{}");
    for (const std::string url : {"redis://redis:6379/0", "rediss://u:p@redis", "redis+unix:///run/redis.sock?db=2"}) {
        const config::Loaded loaded = files.load({{"WEIR_BROKER_URL", url}});
        CHECK(test::text(loaded.problems) == "");
        CHECK(loaded.config.broker_url == url);
    }
    for (const std::string url :
         {"postgresql://u:p@db/weir", "postgres://db/weir", "postgresql+psycopg://u:p@db:5432/weir?sslmode=require"}) {
        const config::Loaded loaded = files.load({{"WEIR_STORE_URL", url}});
        CHECK(test::text(loaded.problems) == "");
        CHECK(loaded.config.store_url == url);
    }
    const auto problem = [&](const std::string &name, const std::string &url) { return test::text(files.load({{name, url}}).problems); };
    CHECK_THAT(problem("WEIR_BROKER_URL", "redis://"), Catch::Contains("broker.url") && Catch::Contains("names no server"));
    CHECK_THAT(problem("WEIR_BROKER_URL", "postgresql://u:hunter2@db/weir"),
               Catch::Contains("belongs to store.url") && !Catch::Contains("hunter2"));
    CHECK_THAT(problem("WEIR_STORE_URL", "redis://:hunter2@db"), Catch::Contains("belongs to broker.url") && !Catch::Contains("hunter2"));
    CHECK_THAT(problem("WEIR_BROKER_URL", "kafka://k:9092"), Catch::Contains("no such broker") && Catch::Contains("redis://"));
    CHECK_THAT(problem("WEIR_STORE_URL", "mysql://u:hunter2@db"), Catch::Contains("postgresql://USER") && !Catch::Contains("hunter2"));

    const config::Loaded loaded = files.load({{"WEIR_BROKER_URL", "redis://weir:hunter2@redis:6379/0"},
                                              {"WEIR_STORE_URL", "postgresql+psycopg://weir:hun%40ter2@db/weir?password=hunter2"}});
    CHECK(test::setting(loaded, "broker.url").value == "redis://weir:***@redis:6379/0");
    CHECK(test::setting(loaded, "store.url").value == "postgresql+psycopg://weir:***@db/weir?password=***");
}

TEST_CASE("a url that comes from a variable with a secret's name is not shown at all") {
    Files files;
    files.write("weir.json", R"({"broker": {"url": "redis://${BROKER_TOKEN}@redis"}, "store": {"url": "${DATABASE_URL:-sqlite://}"}})");
    const config::Loaded loaded = files.load({{"BROKER_TOKEN", ":hunter2"}, {"DATABASE_URL", "postgresql://db/weir"}});
    CHECK(test::setting(loaded, "broker.url").value == "***");
    CHECK(loaded.config.broker_url == "redis://:hunter2@redis");
    CHECK(loaded.config.store_url == "postgresql://db/weir");
}

TEST_CASE("the keys of the PostgreSQL store reach their members, and a pool is not larger than its limit") {
    Files files;
    const config::Loaded loaded = files.load_host(
        R"({"store": {"pool": {"min": 2, "max": 7}, "roles": false, "statement_timeout_ms": 1500, "lock_timeout_ms": 20}})");
    CHECK(test::text(loaded.problems) == "");
    CHECK(loaded.config.store.pool_min == 2);
    CHECK(loaded.config.store.pool_max == 7);
    CHECK_FALSE(loaded.config.store.roles);
    CHECK(loaded.config.store.statement_timeout_ms == 1500);
    CHECK(loaded.config.store.lock_timeout_ms == 20);
    CHECK_THAT(test::text(files.load_host(R"({"store": {"pool": {"min": 30}}})").problems),
               Catch::Contains("/store/pool/min: store.pool.min is 30, more than store.pool.max, 16"));
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
    CHECK(count >= 2);
    const config::Loaded composed =
        config::load(test::source_directory() / "deploy/weir.servers.json",
                     {{"REDIS_PASSWORD", "hunter2"}, {"POSTGRES_PASSWORD", "hunter3"}, {"WEIR_DOMAINS_DIRECTORY", configs / "services"}});
    CHECK(test::text(composed.problems) == "");
    CHECK(composed.config.broker_url == "redis://:hunter2@redis:6379/0");
    CHECK(composed.config.store_url == "postgresql://weir:hunter3@postgres:5432/weir");
    const config::Loaded servers = config::load(configs / "redis-postgresql.json", {});
    CHECK(servers.config.broker_url == "redis://127.0.0.1:6379/0");
    CHECK(servers.config.store_url == "postgresql+psycopg://weir:weir@127.0.0.1:5432/weir");
    CHECK(servers.config.domains.size() == 3);
    const config::Loaded elsewhere =
        config::load(configs / "redis-postgresql.json", {{"REDIS_URL", "redis://r:1/2"}, {"DATABASE_URL", "postgres://db/x"}});
    CHECK(elsewhere.config.broker_url == "redis://r:1/2");
    CHECK(elsewhere.config.store_url == "postgres://db/x");
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
