// SPDX-License-Identifier: Apache-2.0
#include "config_support.hpp"

#include "config/keys.hpp"

using namespace weir;
using Catch::Contains;
using weir::test::Files;

TEST_CASE("an empty host file gives the defaults that the structs have") {
    Files files;
    const config::Loaded loaded = files.load_host("{}");
    REQUIRE(test::text(loaded.problems) == "");
    const config::HostConfig standard;
    const config::HostConfig &host = loaded.config;
    CHECK(host.file == files.path("weir.json"));
    CHECK(host.broker_url == "embedded://" + files.path("data/broker.db").string());
    CHECK(host.store_url == "sqlite://" + files.path("data/store").string());
    CHECK(host.state_directory == files.path("data/state"));
    CHECK(host.domains_directory.empty());
    CHECK(host.contracts_directory.empty());
    CHECK(host.default_plugin == standard.default_plugin);
    CHECK(host.log_level == standard.log_level);
    CHECK(host.log_format == standard.log_format);
    CHECK(host.plugin_defaults == standard.plugin_defaults);
    CHECK(host.plugins_poll_ms == standard.plugins_poll_ms);
    CHECK(host.plugins_inotify == standard.plugins_inotify);
    CHECK(host.engine.batch_max_events == standard.engine.batch_max_events);
    CHECK(host.engine.batch_max_bytes == standard.engine.batch_max_bytes);
    CHECK(host.engine.retry_delays_ms == standard.engine.retry_delays_ms);
    CHECK(host.engine.max_retries == standard.engine.max_retries);
    CHECK(host.engine.shards == standard.engine.shards);
    CHECK(host.engine.hold_max_events == standard.engine.hold_max_events);
    CHECK(host.engine.hold_max_bytes == standard.engine.hold_max_bytes);
    CHECK(host.engine.handler_budget_ms == standard.engine.handler_budget_ms);
    CHECK(host.engine.crash_limit == standard.engine.crash_limit);
    CHECK(host.engine.lease_ttl_ms == standard.engine.lease_ttl_ms);
    CHECK(host.engine.drain_timeout_ms == standard.engine.drain_timeout_ms);
    CHECK(host.engine.ledger_horizon_hours == standard.engine.ledger_horizon_hours);
    CHECK(host.domains.empty());
}

TEST_CASE("without a host file, defaults and variables make a configuration relative to the working directory") {
    const config::Loaded loaded = config::load({}, {{"WEIR_LOG_LEVEL", "warn"}});
    CHECK(test::text(loaded.problems) == "");
    CHECK(loaded.config.log_level == "warn");
    CHECK(loaded.config.state_directory == std::filesystem::current_path() / "data/state");
}

TEST_CASE("every engine key reaches its own member") {
    Files files;
    const config::Loaded loaded = files.load_host(
        R"({"engine": {"batch_max_events": 11, "batch_max_bytes": 12345, "shards": 3, "retry_delays_ms": [13, 14], "max_retries": 15, "hold_max_events": 16,
        "hold_max_bytes": 17000, "handler_budget_ms": 18, "crash_limit": 19, "lease_ttl_ms": 2000, "drain_timeout_ms": 21, "ledger_horizon_hours": 22}})");
    REQUIRE(test::text(loaded.problems) == "");
    const config::EngineConfig &engine = loaded.config.engine;
    CHECK(engine.batch_max_events == 11);
    CHECK(engine.batch_max_bytes == 12345);
    CHECK(engine.retry_delays_ms == std::vector<std::uint32_t>{13, 14});
    CHECK(engine.max_retries == 15);
    CHECK(engine.shards == 3);
    CHECK(engine.hold_max_events == 16);
    CHECK(engine.hold_max_bytes == 17000);
    CHECK(engine.handler_budget_ms == 18);
    CHECK(engine.crash_limit == 19);
    CHECK(engine.lease_ttl_ms == 2000);
    CHECK(engine.drain_timeout_ms == 21);
    CHECK(engine.ledger_horizon_hours == 22);
}

TEST_CASE("settings show every key of the host once, with the effective value and its source") {
    Files files;
    const config::Loaded loaded =
        files.load_host(R"({"log": {"level": "warn"}, "domains": {"a": {"topics": ["t", "u"], "engine": {"crash_limit": 9}}}})",
                        {{"WEIR_ENGINE_RETRY_DELAYS_MS", "1,2"}});
    REQUIRE(test::text(loaded.problems) == "");
    for (const config::Key &key : config::host_keys()) {
        if (key.type != config::Type::domains) {
            test::setting(loaded, std::string(key.path));
        }
    }
    const std::string file = files.path("weir.json").string();
    const auto check = [&](const std::string &key, const std::string &value, const std::string &source) {
        const config::Setting setting = test::setting(loaded, key);
        CHECK(setting.value == value);
        CHECK(setting.source == source);
    };
    check("log.level", "warn", file);
    check("log.format", "auto", "default");
    check("engine.retry_delays_ms", "1, 2", "environment WEIR_ENGINE_RETRY_DELAYS_MS");
    check("store.url", "sqlite://" + files.path("data/store").string(), "default");
    check("plugins.directory", config::default_plugins_directory().string(), "default");
    check("domains.a.topics", "t, u", file);
    check("domains.a.service.domain", "a", file);
    check("domains.a.consumer_group", "", "default: the plugin's");
    check("domains.a.engine.crash_limit", "9", file);
}

TEST_CASE("no secret is shown, whether its key, its url or the variable it came from says that it is one") {
    Files files;
    files.write("domains/a.json",
                R"({"service": {"domain": "a", "name": "${SVC_TOKEN}"}, "redis": {"url": "redis://user:hunter2@h/0?token=hunter3&x=1"},
        "settings": {"api_key": "hunter4", "nested": [{"Password": "hunter5", "secrets": ["hunter6"], "url": "https://u:hunter7@h/"}], "open": "shown"}})");
    const config::Loaded loaded =
        files.load_host(R"({"domains_directory": "domains", "broker": {"url": "embedded:///b"}})", {{"SVC_TOKEN", "hunter8"}});
    REQUIRE(test::text(loaded.problems) == "");
    std::string all;
    for (const config::Setting &setting : loaded.settings) {
        all += setting.key + "=" + setting.value + "\n";
    }
    CHECK_THAT(all, !Contains("hunter"));
    CHECK_THAT(all, Contains("domains.a.redis.url=redis://user:***@h/0?token=***&x=1") && Contains("\"open\":\"shown\"") &&
                        Contains("https://u:***@h/") && Contains("service.name=***"));
    CHECK_THAT(loaded.config.domains.at(0).settings_json, Contains("hunter4") && Contains("hunter7")); // the plugin gets what stands there
}

TEST_CASE("no problem quotes a secret") {
    Files files;
    const config::Loaded loaded = files.load_host(
        R"({"broker": {"url": "mqtt://u:hunter1@h"}, "store": {"url": "${DB_PASSWORD}"}, "log": {"level": "${A_TOKEN}"}, "domains": {"a": {"redis": {"url": "http://u:hunter4@h"}}}})",
        {{"DB_PASSWORD", "hunter2"}, {"A_TOKEN", "hunter3"}});
    CHECK(loaded.problems.size() == 4);
    CHECK_THAT(test::text(loaded.problems), !Contains("hunter"));
}
