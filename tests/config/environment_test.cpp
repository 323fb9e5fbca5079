// SPDX-License-Identifier: Apache-2.0
#include "config_support.hpp"

#include "config/keys.hpp"

using namespace weir;
using Catch::Contains;
using weir::test::Files;
using Variables = std::map<std::string, std::string>;

TEST_CASE("the fixed variables fall out of the rule for all keys") {
    CHECK(config::variable_name("store.url") == "WEIR_STORE_URL");
    CHECK(config::variable_name("broker.url") == "WEIR_BROKER_URL");
    CHECK(config::variable_name("plugins.directory") == "WEIR_PLUGINS_DIRECTORY");
    CHECK(config::variable_name("domains.spell-check.consumer_group") == "WEIR_DOMAINS_SPELL_CHECK_CONSUMER_GROUP");
    Files files;
    const config::Loaded loaded =
        files.load_host(R"({"store": {"url": "sqlite:///a"}, "broker": {"url": "embedded:///b"}, "plugins": {"directory": "/c"}})",
                        {{"WEIR_STORE_URL", "sqlite:///s"}, {"WEIR_BROKER_URL", "embedded:///q.db"}, {"WEIR_PLUGINS_DIRECTORY", "/p/"}});
    CHECK(test::text(loaded.problems) == "");
    CHECK(loaded.config.store_url == "sqlite:///s");
    CHECK(loaded.config.broker_url == "embedded:///q.db");
    CHECK(loaded.config.plugins_directory == "/p");
    CHECK(test::setting(loaded, "store.url").source == "environment WEIR_STORE_URL");
}

TEST_CASE("no two keys of the host share a variable") {
    std::map<std::string, std::string_view> seen;
    for (const config::Key &key : config::host_keys()) {
        INFO(key.path);
        CHECK(seen.emplace(config::variable_name(key.path), key.path).second);
    }
}

TEST_CASE("a variable overrides a key of every type") {
    Files files;
    const Variables variables{
        {"WEIR_DATA_DIRECTORY", "/d"},
        {"WEIR_PLUGINS_DEFAULT", "none"},
        {"WEIR_PLUGINS_SERVE_DEFAULTS", "No"},
        {"WEIR_PLUGINS_INOTIFY", "0"},
        {"WEIR_PLUGINS_POLL_INTERVAL_MS", " 250 "},
        {"WEIR_LOG_LEVEL", "debug"},
        {"WEIR_LOG_FORMAT", "json"},
        {"WEIR_CONTRACTS_DIRECTORY", "/contracts"},
        {"WEIR_ENGINE_RETRY_DELAYS_MS", "5, 10"},
        {"WEIR_ENGINE_HOLD_MAX_BYTES", "5000000000"},
        {"WEIR_ENGINE_MAX_RETRIES", ""}, // empty: not set
        {"WEIR_DOMAINS_SPELL_CHECK_TOPICS", "[\"a\", \"b\"]"},
        {"WEIR_DOMAINS_SPELL_CHECK_ENABLED", "false"},
        {"WEIR_DOMAINS_SPELL_CHECK_ORDER", "parallel"},
        {"WEIR_DOMAINS_SPELL_CHECK_SETTINGS", "{\"x\": 1}"},
        {"WEIR_DOMAINS_SPELL_CHECK_BINDINGS", "{\"b\": {\"event_id\": \"/id\"}}"},
        {"WEIR_DOMAINS_SPELL_CHECK_ENGINE_CRASH_LIMIT", "8"},
        {"WEIR_DOMAINS_SPELL_CHECK_SERVICE_SCHEMA", "sp"},
        {"WEIR_DOMAINS_SPELL_CHECK_CONSUMER_GROUP", "g2"},
        {"WEIR_DOMAINS_SPELL_CHECK_PLUGIN", "other"},
    };
    const config::Loaded loaded = files.load_host(R"({"domains": {"spell-check": {"topics": ["z"], "settings": {"y": 2}}}})", variables);
    REQUIRE(test::text(loaded.problems) == "");
    const config::HostConfig &host = loaded.config;
    CHECK(host.broker_url == "embedded:///d/broker.db");
    CHECK(host.store_url == "sqlite:///d/store");
    CHECK(host.state_directory == "/d/state");
    CHECK(host.default_plugin.empty());
    CHECK_FALSE(host.plugin_defaults);
    CHECK_FALSE(host.plugins_inotify);
    CHECK(host.plugins_poll_ms == 250);
    CHECK(host.log_level == "debug");
    CHECK(host.log_format == "json");
    CHECK(host.contracts_directory == "/contracts");
    CHECK(host.engine.retry_delays_ms == std::vector<std::uint32_t>{5, 10});
    CHECK(host.engine.hold_max_bytes == 5000000000u);
    CHECK(host.engine.max_retries == 3);
    const config::DomainConfig &domain = host.domains.at(0);
    CHECK(domain.topics == std::vector<std::string>{"a", "b"});
    CHECK_FALSE(domain.enabled);
    CHECK(domain.parallel == true);
    CHECK(domain.settings_json == R"({"x":1})");
    CHECK(domain.bindings.at(0).event_id == "/id");
    CHECK(domain.engine.crash_limit == 8);
    CHECK(domain.schema == "sp");
    CHECK(domain.group == "g2");
    CHECK(domain.plugin == "other");
}

TEST_CASE("whole domains can come from a variable") {
    Files files;
    const config::Loaded loaded =
        files.load_host("{}", {{"WEIR_DOMAINS", R"({"a": {"topics": ["t"]}})"}, {"WEIR_DOMAINS_A_CONSUMER_GROUP", "g"}});
    CHECK(test::text(loaded.problems) == "");
    CHECK(loaded.config.domains.at(0).group == "g");
    CHECK(test::setting(loaded, "domains.a.topics").source == "environment WEIR_DOMAINS");
}

TEST_CASE("bad values of variables are refused under the variable's name") {
    Files files;
    const auto problem = [&](const std::string &name, const std::string &value) {
        const config::Loaded loaded = files.load_host(R"({"domains": {"a": {"topics": ["t"]}}})", {{name, value}});
        INFO(test::text(loaded.problems));
        REQUIRE(loaded.problems.size() == 1);
        CHECK(loaded.problems[0].where.starts_with("environment " + name));
        return loaded.problems[0].what;
    };
    CHECK_THAT(problem("WEIR_ENGINE_BATCH_MAX_EVENTS", "many"),
               Contains("engine.batch_max_events is \"many\": write a whole number from 1 to 100000") && !Contains("quotes"));
    CHECK_THAT(problem("WEIR_ENGINE_BATCH_MAX_EVENTS", "99999999999999999999"), Contains("write a whole number"));
    CHECK_THAT(problem("WEIR_ENGINE_RETRY_DELAYS_MS", "1,,2"), Contains("write a whole number"));
    CHECK_THAT(problem("WEIR_ENGINE_RETRY_DELAYS_MS", "[1"), Contains("write an array of whole numbers"));
    CHECK_THAT(problem("WEIR_PLUGINS_INOTIFY", "maybe"), Contains("write true or false"));
    CHECK_THAT(problem("WEIR_LOG_LEVEL", "loud"), Contains("write debug, info, warn or error"));
    CHECK_THAT(problem("WEIR_STORE_URL", "/tmp"), Contains("write sqlite://DIRECTORY"));
    CHECK_THAT(problem("WEIR_DOMAINS_A_TOPICS", "a b"), Contains("the topic is \"a b\""));
    CHECK_THAT(problem("WEIR_DOMAINS_A_SETTINGS", "{"), Contains("not JSON"));
    CHECK_THAT(problem("WEIR_DOMAINS_A_SETTINGS", "[1]"), Contains("must hold a JSON object"));
    CHECK_THAT(problem("WEIR_DOMAINS_A_BINDINGS", R"({"t": {"evnt_id": "/x"}})"), Contains("did you mean \"event_id\"?"));
    CHECK_THAT(problem("WEIR_DOMAINS_A_BINDINGS", "[" + std::string(100000, '[')), Contains("nested more than 64 levels"));
}

TEST_CASE("a WEIR_ variable that means nothing is refused with a suggestion; others' are left alone") {
    Files files;
    files.write("weir.json", R"({"domains": {"a": {"topics": ["${WEIR_TOPIC:-t}"]}}})");
    CHECK_THAT(test::text(files.load({{"WEIR_PLUGIN_DIRECTORY", "x"}}).problems),
               Contains("environment WEIR_PLUGIN_DIRECTORY: overrides no key of this configuration (did you mean "
                        "\"WEIR_PLUGINS_DIRECTORY\"?): correct its name or unset it"));
    CHECK_THAT(test::text(files.load({{"WEIR_DOMAINS_B_TOPICS", "x"}}).problems),
               Contains("only domains that have a file or stand in the host file can be overridden"));
    CHECK_THAT(test::text(files.load({{"WEIR_DOMAINS_A_SERVICE_DOMAIN", "x"}}).problems), Contains("overrides no key"));
    const Variables others{{"WEIR_TEST_SEED", "1"},
                           {"WEIR_TOPIC", "used"},
                           {"WEIR_SERVICE_HOST", "10.0.0.1"},
                           {"WEIR_SERVICE_PORT", "80"},
                           {"WEIR_SERVICE_PORT_HTTP", "80"},
                           {"WEIR_PORT", "tcp://10.0.0.1:80"},
                           {"WEIR_PORT_80_TCP", "tcp://10.0.0.1:80"},
                           {"WEIR_PORT_80_TCP_ADDR", "10.0.0.1"},
                           {"WEIR_METRICS_SERVICE_HOST", "10.0.0.1"},
                           {"WEIR_METRICS_PORT", "udp://10.0.0.1:80"},
                           {"PATH", "x"},
                           {"WEIRD", "x"}};
    const config::Loaded loaded = files.load(others);
    CHECK(test::text(loaded.problems) == "");
    CHECK(loaded.config.domains.at(0).topics == std::vector<std::string>{"used"});
    CHECK_THAT(test::text(files.load({{"WEIR_PORT", "80"}}).problems), Contains("environment WEIR_PORT"));
}

TEST_CASE("a variable that would override keys of two domains is refused") {
    Files files;
    const std::string host = R"({"domains": {"a-b": {}, "a_b": {}}})";
    CHECK(test::text(files.load_host(host).problems) == "");
    CHECK_THAT(test::text(files.load_host(host, {{"WEIR_DOMAINS_A_B_PLUGIN", "x"}}).problems),
               Contains("environment WEIR_DOMAINS_A_B_PLUGIN: means both domains.a-b.plugin and domains.a_b.plugin"));
}

TEST_CASE("${VAR}, ${VAR:-default} and $${ are expanded in texts, and the result is read by the key's type") {
    Files files;
    const config::Loaded loaded = files.load_host(
        R"({"data_directory": "/${A}/${B:-b}$/${EMPTY:-e}$${C}/${EMPTY}", "engine": {"crash_limit": "${LIMIT:-4}", "retry_delays_ms": "${DELAYS}", "lease_ttl_ms": "${TTL}"},
            "plugins": {"inotify": "${I}"}, "domains": {"a": {"settings": {"deep": ["${A}", {"x": "$${A}"}]}, "topics": ["${A}", "b"]}}})",
        {{"A", "one"}, {"EMPTY", ""}, {"DELAYS", "[7]"}, {"TTL", "600"}, {"I", "off"}});
    REQUIRE(test::text(loaded.problems) == "");
    CHECK(loaded.config.state_directory == "/one/b$/e${C}/state");
    CHECK(loaded.config.engine.crash_limit == 4);
    CHECK(loaded.config.engine.retry_delays_ms == std::vector<std::uint32_t>{7});
    CHECK(loaded.config.engine.lease_ttl_ms == 600);
    CHECK_FALSE(loaded.config.plugins_inotify);
    CHECK(loaded.config.domains.at(0).settings_json == R"({"deep":["one",{"x":"${A}"}]})");
    CHECK(loaded.config.domains.at(0).topics == std::vector<std::string>{"one", "b"});
    CHECK_THAT(test::setting(loaded, "engine.crash_limit").source, Catch::EndsWith("weir.json with ${LIMIT}"));
}

TEST_CASE("what cannot be expanded is refused at its pointer") {
    Files files;
    const auto problem = [&](const std::string &text) {
        return test::text(files.load_host("{\"domains\": {\"a\": {\"settings\": {\"x\": [\"" + text + "\"]}}}}").problems);
    };
    CHECK_THAT(problem("${MISSING}"),
               Contains("/domains/a/settings/x/0: the environment variable MISSING is not set: set it, or write ${MISSING:-default}"));
    CHECK_THAT(problem("a${MISSING"), Contains("/domains/a/settings/x/0: \"${\" is not closed"));
    CHECK_THAT(problem("${}"), Contains("names no variable"));
    CHECK_THAT(problem("${a-b}"), Contains("names no variable"));
    CHECK_THAT(problem("${1A}"), Contains("names no variable"));
    CHECK(problem("$ $$ $A $${") == "");
}

TEST_CASE("relative paths of a file are relative to it, those of a variable to the working directory") {
    Files files;
    const config::Loaded loaded =
        files.load_host(R"({"store": {"url": "sqlite://../s/./x/"}, "plugins": {"directory": "p/"}, "state_directory": "st"})",
                        {{"WEIR_BROKER_URL", "embedded://b.db?synchronous=normal"}, {"WEIR_CONTRACTS_DIRECTORY", "c"}});
    REQUIRE(test::text(loaded.problems) == "");
    CHECK(loaded.config.store_url == "sqlite://" + (files.path("").parent_path().parent_path() / "s/x").string());
    CHECK(loaded.config.plugins_directory == files.path("p"));
    CHECK(loaded.config.state_directory == files.path("st"));
    CHECK(loaded.config.broker_url == "embedded://" + (std::filesystem::current_path() / "b.db").string() + "?synchronous=normal");
    CHECK(loaded.config.contracts_directory == std::filesystem::current_path() / "c");
}

TEST_CASE("the path of an embedded broker is escaped where its directory's name needs it") {
    Files files;
    std::filesystem::create_directory(files.path("100%?"));
    files.write("100%?/weir.json", R"({"broker": {"url": "embedded://?partitions=4"}, "store": {"url": "sqlite:///s"}})");
    const config::Loaded loaded = config::load(files.path("100%?/weir.json"), {});
    CHECK(test::text(loaded.problems) == "");
    CHECK(loaded.config.broker_url == "embedded://" + files.path("100%25%3F/data/broker.db").string() + "?partitions=4");
}

TEST_CASE("a default may name another variable, and the first that is set counts") {
    Files files;
    const std::string host = R"({"broker": {"url": "${OWN_URL:-${REDIS_URL:-redis://127.0.0.1:6379/0}}"}})";
    const auto url = [&](const Variables &variables) {
        const config::Loaded loaded = files.load_host(host, variables);
        CHECK(test::text(loaded.problems) == "");
        return loaded.config.broker_url;
    };
    CHECK(url({}) == "redis://127.0.0.1:6379/0");
    CHECK(url({{"REDIS_URL", "redis://shared/1"}}) == "redis://shared/1");
    CHECK(url({{"REDIS_URL", "redis://shared/1"}, {"OWN_URL", "redis://own/2"}}) == "redis://own/2");
    CHECK(url({{"OWN_URL", ""}, {"REDIS_URL", "redis://shared/1"}}) == "redis://shared/1");
    CHECK_THAT(test::setting(files.load_host(host, {{"REDIS_URL", "redis://shared/1"}}), "broker.url").source, Contains("REDIS_URL"));
    // A WEIR_ variable in a default that doesn't count is known all the same.
    const config::Loaded loaded =
        files.load_host(R"({"data_directory": "${DATA:-${WEIR_MINE:-d}}"})", {{"DATA", "/x"}, {"WEIR_MINE", "/y"}});
    CHECK(test::text(loaded.problems) == "");
    CHECK(loaded.config.broker_url.find("/x") != std::string::npos);
    CHECK_THAT(test::text(files.load_host(R"({"data_directory": "${A:-${B:-c}"})", {}).problems), Contains("not closed"));
    std::string deep;
    for (int level = 0; level < 1000; ++level) {
        deep += "${A:-";
    }
    CHECK_THAT(test::text(files.load_host(R"({"data_directory": ")" + deep + std::string(1000, '}') + R"("})", {}).problems),
               Contains("not closed"));
}

TEST_CASE("milliseconds may come from variables in other units, and log levels by other programs' names") {
    Files files;
    const auto wait = [&](const std::string &text) {
        const config::Loaded loaded = files.load_host(R"({"engine": {"read_wait_ms": "${WAIT:-250}s"}})", {{"WAIT", text}});
        return loaded.problems.empty() ? std::to_string(loaded.config.engine.read_wait_ms) : test::text(loaded.problems);
    };
    CHECK(wait("1") == "1000");
    CHECK(wait("0.25") == "250");
    CHECK(wait("1.5") == "1500");
    CHECK_THAT(wait("1s"), Contains("WAIT") && Contains("engine.read_wait_ms"));
    for (const char *wrong : {"-1", "soon", "1e3", "nan", "inf", "99999999999999999999", "0"}) {
        CAPTURE(wrong);
        CHECK_THAT(wait(wrong), Contains("engine.read_wait_ms"));
    }
    CHECK_THAT(test::text(files.load_host(R"({"engine": {"batch_max_events": "${N:-}"}})", {{"N", "5s"}}).problems),
               Contains("batch_max_events"));
    for (const auto &[name, level] :
         Variables{{"INFO", "info"}, {"Warning", "warn"}, {"CRITICAL", "error"}, {"DEBUG", "debug"}, {"warn", "warn"}}) {
        const config::Loaded loaded = files.load_host(R"({"log": {"level": "${LOG_LEVEL:-INFO}"}})", {{"LOG_LEVEL", name}});
        CHECK(test::text(loaded.problems) == "");
        CHECK(loaded.config.log_level == level);
    }
    CHECK_THAT(test::text(files.load_host(R"({"log": {"level": "${LOG_LEVEL:-INFO}"}})", {{"LOG_LEVEL", "loud"}}).problems),
               Contains("LOG_LEVEL") && Contains("log.level"));
}
