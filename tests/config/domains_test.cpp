// SPDX-License-Identifier: Apache-2.0
#include "config_support.hpp"

using namespace weir;
using Catch::Contains;
using weir::test::Files;

TEST_CASE("every key of a domain reaches its member, and its engine stands above the host's") {
    Files files;
    files.write("domains/x.json", R"({
        "$schema": "../schema/domain.schema.json",
        "enabled": false,
        "service": {"name": "svc.1", "domain": "spell-check", "schema": "spell_checking"},
        "plugin": "spellcheck",
        "consumer_group": "g:1",
        "topics": ["identity.user.v1", "other"],
        "order": "parallel",
        "settings": {"b": [1, {"c": null}], "a": "ü"},
        "engine": {"max_retries": 0, "retry_delays_ms": [5]},
        "bindings": {"other": {"envelope_required": true, "aliases": {"UserCreated": "user.created.v1"}, "keys": ["/a", "/b/c"], "event_id": "position",
            "event_type": "=vote.cast.v1", "occurred_at": "/t", "tenant_id": "/x~1y", "correlation_id": "/c", "payload": "/p"}}
    })");
    const config::Loaded loaded =
        files.load_host(R"({"domains_directory": "domains", "engine": {"max_retries": 9, "batch_max_events": 7}})");
    REQUIRE(test::text(loaded.problems) == "");
    const config::DomainConfig &domain = loaded.config.domains.at(0);
    CHECK_FALSE(domain.enabled);
    CHECK(domain.name == "spell-check");
    CHECK(domain.service_name == "svc.1");
    CHECK(domain.schema == "spell_checking");
    CHECK(domain.plugin == "spellcheck");
    CHECK(domain.group == "g:1");
    CHECK(domain.topics == std::vector<std::string>{"identity.user.v1", "other"});
    CHECK(domain.parallel == true);
    CHECK(domain.settings_json == R"({"a":"ü","b":[1,{"c":null}]})");
    CHECK(domain.engine.max_retries == 0);
    CHECK(domain.engine.batch_max_events == 7);
    CHECK(domain.engine.retry_delays_ms == std::vector<std::uint32_t>{5});
    CHECK(loaded.config.engine.max_retries == 9);
    const event::Binding &binding = domain.bindings.at(0);
    CHECK(binding.topic == "other");
    CHECK(binding.envelope_required);
    CHECK(binding.aliases == std::vector<std::pair<std::string, std::string>>{{"UserCreated", "user.created.v1"}});
    CHECK(binding.keys == std::vector<std::string>{"/a", "/b/c"});
    CHECK(binding.event_id == "position");
    CHECK(binding.event_type == "=vote.cast.v1");
    CHECK(binding.occurred_at == "/t");
    CHECK(binding.tenant_id == "/x~1y");
    CHECK(binding.correlation_id == "/c");
    CHECK(binding.payload == "/p");
}

TEST_CASE("domains stand in the host file by name or as an array, besides those of the directory, and come out sorted") {
    Files files;
    files.write("domains/b.json", R"({"service": {"domain": "b"}})");
    files.write("domains/.hidden.json", "not read");
    files.write("domains/b.json~", "not read");
    files.write("domains/README.md", "not read");
    config::Loaded loaded =
        files.load_host(R"({"domains_directory": "domains", "domains": {"c": {"order": "ordered"}, "a": {"service": {"domain": "a"}}}})");
    CHECK(test::text(loaded.problems) == "");
    REQUIRE(loaded.config.domains.size() == 3);
    CHECK(loaded.config.domains[0].name == "a");
    CHECK(loaded.config.domains[1].name == "b");
    CHECK(loaded.config.domains[2].name == "c");
    CHECK(loaded.config.domains[2].parallel == false);
    CHECK(loaded.config.domains[2].service_name == "c");
    CHECK(loaded.config.domains[2].file.empty());
    loaded = files.load_host(R"({"domains": [{"service": {"domain": "z"}}, {"service": {"domain": "y"}}]})");
    CHECK(test::text(loaded.problems) == "");
    CHECK(loaded.config.domains.at(1).name == "z");
}

TEST_CASE("a domain without a name, or with two, is refused") {
    Files files;
    CHECK_THAT(test::text(files.load_host(R"({"domains": [{"topics": ["a"]}]})").problems),
               Contains("/domains/0/service/domain: is missing: write \"service\": {\"domain\": \"NAME\"}"));
    CHECK_THAT(test::text(files.load_host(R"({"domains": {"a": {"service": {"domain": "b"}}}})").problems),
               Contains("/domains/a/service/domain: service.domain is \"b\" but stands under the name \"a\""));
    CHECK_THAT(test::text(files.load_host(R"({"domains": {"A b": {}}})").problems),
               Contains("/domains/A b: the domain is \"A b\": write a letter"));
    CHECK_THAT(test::text(files.load_host(R"({"domains": {"a": 5}})").problems), Contains("/domains/a: a domain must be an object"));
    CHECK_THAT(test::text(files.load_host(R"({"domains": [[]]})").problems), Contains("/domains/0: a domain must be an object"));
}

TEST_CASE("what two domains must not share is refused, naming both places") {
    Files files;
    const auto problems = [&](const std::string &one, const std::string &two) {
        files.write("domains/one.json", one);
        files.write("domains/two.json", two);
        const config::Loaded loaded = files.load_host(R"({"domains_directory": "domains"})");
        CHECK(loaded.problems.size() <= 1);
        const std::string text = test::text(loaded.problems);
        if (!text.empty()) {
            CHECK_THAT(text, Contains("domains/one.json") && Contains("domains/two.json"));
        }
        return text;
    };
    CHECK_THAT(problems(R"({"service":{"domain":"a"}})", R"({"service":{"domain":"a"}})"),
               Contains("the domain \"a\" is also configured in "));
    CHECK_THAT(problems(R"({"service":{"domain":"a","schema":"s"}})", R"({"service":{"domain":"b","schema":"s"}})"),
               Contains("give each domain a schema of its own"));
    CHECK_THAT(problems(R"({"service":{"domain":"a"},"consumer_group":"g","topics":["t","u"]})",
                        R"({"service":{"domain":"b"},"consumer_group":"g","topics":["v","t"]})"),
               Contains("give each domain a group of its own"));
    CHECK(problems(R"({"service":{"domain":"a"},"consumer_group":"g","topics":["t"]})",
                   R"({"service":{"domain":"b"},"consumer_group":"g","topics":["v"]})") == "");
    CHECK(problems(R"({"service":{"domain":"a","schema":"s"},"enabled":false})", R"({"service":{"domain":"b","schema":"s"}})") == "");
}

TEST_CASE("bad names and topics of a domain are refused") {
    Files files;
    const auto problem = [&](const std::string &members) {
        const config::Loaded loaded = files.load_host(R"({"domains": {"a": {)" + members + "}}}");
        INFO(test::text(loaded.problems));
        REQUIRE(loaded.problems.size() == 1);
        return test::text(loaded.problems);
    };
    CHECK_THAT(problem(R"("service": {"schema": "Linting"})"),
               Contains("service.schema is \"Linting\": write a letter or _, then letters, digits or _"));
    CHECK_THAT(problem(R"("service": {"schema": "main"})"), Contains("the databases keep this name"));
    CHECK_THAT(problem(R"("service": {"schema": "pg_x"})"), Contains("the databases keep this name"));
    CHECK_THAT(problem(R"("service": {"name": "a b"})"), Contains("service.name is \"a b\""));
    CHECK_THAT(problem(R"("plugin": "spell_check")"), Contains("plugin is \"spell_check\": write a letter, then letters, digits or -"));
    CHECK_THAT(problem(R"("consumer_group": "")"), Contains("consumer_group is \"\""));
    CHECK_THAT(problem(R"("topics": [])"), Contains("or leave the key out to take the plugin's"));
    CHECK_THAT(problem(R"("topics": "t")"), Contains("write an array of topics"));
    CHECK_THAT(problem(R"("topics": ["t", "a/b"])"), Contains("/topics/1: the topic is \"a/b\""));
    CHECK_THAT(problem(R"("topics": ["t", 5])"), Contains("/topics/1: the topic is 5: write a text"));
    CHECK_THAT(problem(R"("topics": ["t", "t"])"), Contains("/topics/1: the topic \"t\" stands here twice"));
    CHECK_THAT(problem(R"("order": "orderd")"), Contains("write ordered or parallel (did you mean \"ordered\"?)"));
    CHECK_THAT(problem(R"("settings": [])"), Contains("/domains/a/settings: settings is []: write an object"));
    CHECK_THAT(problem(R"("redis": {"url": "http://x"})"), Contains("write redis://USER:PASSWORD@HOST:PORT/DATABASE"));
    CHECK_THAT(problem(R"("engine": {"crash_limit": 0})"), Contains("/domains/a/engine/crash_limit: engine.crash_limit is 0"));
}

TEST_CASE("bad bindings are refused at the member that is wrong") {
    Files files;
    const auto problem = [&](const std::string &bindings) {
        const config::Loaded loaded = files.load_host(R"({"domains": {"a": {"topics": ["t.v1"], "bindings": )" + bindings + "}}}");
        INFO(test::text(loaded.problems));
        REQUIRE(loaded.problems.size() == 1);
        return test::text(loaded.problems);
    };
    CHECK_THAT(problem(R"([])"), Contains("/domains/a/bindings: must be an object"));
    CHECK_THAT(problem(R"({"t.v1": 5})"), Contains("/domains/a/bindings/t.v1: must be an object"));
    CHECK_THAT(problem(R"({"t.v2": {}})"),
               Contains("/bindings/t.v2: binds the topic \"t.v2\", which is not among the domain's topics (did you mean \"t.v1\"?)"));
    CHECK_THAT(problem(R"({"t.v1": {"event_idd": "/id"}})"),
               Contains("/bindings/t.v1/event_idd: ") && Contains("did you mean \"event_id\"?"));
    CHECK_THAT(problem(R"({"t.v1": {"event_id": 5}})"), Contains("/bindings/t.v1/event_id: "));
    CHECK_THAT(problem(R"({"t.v1": {"keys": "/a"}})"), Contains("/bindings/t.v1/keys: "));
    CHECK_THAT(problem(R"({"t.v1": {"aliases": ["a"]}})"), Contains("/bindings/t.v1/aliases: "));
    CHECK_THAT(problem(R"({"t.v1": {"envelope_required": 1}})"), Contains("/bindings/t.v1/envelope_required: "));
    CHECK_THAT(problem(R"({"t.v1": {"tenant_id": "id"}})"), Contains("/bindings/t.v1/tenant_id: "));
    CHECK_THAT(problem(R"({"t.v1": {"event_id": "=1"}})"), Contains("/bindings/t.v1/event_id: "));
    CHECK_THAT(problem(R"({"t.v1": {"keys": ["~"]}})"), Contains("/bindings/t.v1"));
}

TEST_CASE("the guarantee of a domain is one line that names order, broker and store") {
    config::HostConfig host;
    config::DomainConfig domain;
    domain.name = "linting";
    const std::string line = config::guarantee(host, domain, "BROKER", "STORE", false);
    CHECK_THAT(line, Catch::StartsWith("linting: ") && Contains("exactly once") && Contains("topic order") && Contains("BROKER") &&
                         Contains("STORE") && !Contains("\n"));
    CHECK_THAT(config::guarantee(host, domain, "BROKER", "STORE", true), Contains("in no order") && !Contains("topic order"));
    domain.enabled = false;
    CHECK_THAT(config::guarantee(host, domain, "BROKER", "STORE", true), Contains("not served"));
}
