// SPDX-License-Identifier: Apache-2.0
#include "database.hpp"
#include "http_host.hpp"
#include "sample.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <thread>

using namespace weir::test;
using namespace std::chrono_literals;

namespace {

const std::string kTenant = "36f675cc-81e7-4ef5-a8e2-5d940ed90475";
const std::string kUser = "02bcbaa1-f4b6-47c1-a91b-5531e429370c";

std::string created(const std::string &user = kUser, const std::string &event = "7c9e6679") {
    return R"({"event_id":")" + event + R"(-7425-40de-944b-e07fc1f90ae7","event_type":"user.created.v1","tenant_id":")" + kTenant +
           R"(","occurred_at":"2025-11-24T00:00:00Z","schema_version":1,"payload":{"user_id":")" + user +
           R"(","email":"ada@example.com"}})";
}

std::vector<std::pair<std::string, std::string>> if_match(const std::string &tag) { return {{"If-Match", tag}}; }

} // namespace

TEST_CASE("a user's preferences are read and replaced, and no version is overwritten unseen, while three plugins are served at once") {
    for (const Backends &backends : {Backends{}, on_servers()}) {
        INFO(backends.name());
        Installation installation({"linting", "spellcheck", "votes"}, backends);
        installation.publish(kIdentityTopic, {{"", created()}});
        HttpHost host(installation);
        for (const auto &[place, defaults, first, second] :
             {std::tuple(std::string("/linting/users/"), std::string(R"({"rules":{}})"), std::string(R"({"rules":{"MD013":false}})"),
                         std::string(R"({"rules":{"MD013":{"line_length":120}}})")),
              std::tuple(std::string("/spellcheck/users/"), std::string(R"({"language":"en","custom_words":[]})"),
                         std::string(R"({"language":"de","custom_words":["Weir"]})"),
                         std::string(R"({"language":"pt-BR","custom_words":[]})"))}) {
            const std::string target = place + kTenant + "/" + kUser + "/prefs";
            INFO(target);
            const auto shows = [](const HttpAnswer &answer, const std::string &expected) {
                auto body = nlohmann::json::parse(answer.body);
                body.erase("version");
                body.erase("updated_at");
                return body == nlohmann::json::parse(expected);
            };
            const HttpAnswer made = host.ask_until(200, "GET", target);
            CHECK(made.header("ETag") == "\"1\"");
            CHECK(shows(made, defaults));
            CHECK(host.ask("GET", target, {}, {{"If-None-Match", "\"1\""}}).status == 304);

            CHECK(host.ask("PUT", target, first).status == 428);
            CHECK(host.ask("PUT", target, first, if_match("\"7\"")).status == 412);
            CHECK(host.ask("PUT", target, first, if_match("W/\"1\"")).status == 412);
            const HttpAnswer replaced = host.ask("PUT", target, first, if_match("\"1\""));
            INFO(replaced.body);
            CHECK(replaced.status == 200);
            CHECK(replaced.header("ETag") == "\"2\"");
            CHECK(shows(host.ask("GET", target), first));
            CHECK(host.ask("PUT", target, second, if_match("\"1\"")).status == 412);
            CHECK(host.ask("PUT", target, second, if_match("\"5\", \"2\"")).status == 200);
            CHECK(host.ask("PUT", target, second, if_match("*")).status == 200);
            CHECK(host.ask("GET", target).header("ETag") == "\"4\"");
            CHECK(host.ask("PUT", target, R"({"rules":[],"language":"","custom_words":"a"})", if_match("*")).status == 422);
            CHECK(host.ask("PUT", target, "{", if_match("*")).status == 400);
            CHECK(host.ask("GET", place + kTenant + "/" + kTenant + "/prefs").status == 404);
            CHECK(host.ask("PUT", place + kTenant + "/" + kTenant + "/prefs", first).status == 404);
            CHECK(host.ask("GET", place + kTenant + "/ada/prefs").status == 404);

            // Of many who replace the same version, one does.
            std::atomic<int> done{0};
            std::atomic<int> others{0};
            std::vector<std::thread> clients;
            for (int i = 0; i < 6; ++i) {
                clients.emplace_back([&] {
                    const int status = host.ask("PUT", target, first, if_match("\"4\"")).status;
                    done += status == 200 ? 1 : 0;
                    others += status == 412 ? 1 : 0;
                });
            }
            for (std::thread &client : clients) {
                client.join();
            }
            CHECK(done == 1);
            CHECK(others == 5);
            CHECK(host.ask("GET", target).header("ETag") == "\"5\"");
        }
        host.ask_until(200, "GET", "/api/results");
        CHECK(host.stop() == 0);
    }
}

TEST_CASE("a known user without saved preferences has the defaults, under a version that the first PUT may name") {
    Installation installation({"linting"});
    weir::test::write_file(installation.domains() / "linting.json",
                           R"({"service":{"domain":"linting","schema":"linting"},"settings":{"eager_defaults":false}})");
    installation.publish(kIdentityTopic, {{"", created()}});
    HttpHost host(installation);
    const std::string target = "/linting/users/" + kTenant + "/" + kUser + "/prefs";
    CHECK(host.ask_until(200, "GET", target).header("ETag") == "\"0\"");
    CHECK(host.ask("PUT", target, R"({"rules":{}})", if_match("*")).status == 412);
    CHECK(host.ask("PUT", target, R"({"rules":{}})", if_match("0")).status == 400); // a tag stands in quotes
    CHECK(host.ask("PUT", target, R"({"rules":{}})", if_match("\"0\"")).status == 201);
    CHECK(host.ask("PUT", target, R"({"rules":{}})", {{"If-None-Match", "*"}}).status == 428);
    CHECK(host.ask("GET", target).header("ETag") == "\"1\"");
    CHECK(host.stop() == 0);
}

TEST_CASE("a rebuild leaves what users have saved, and adds what is missing") {
    const Backends backends = GENERATE(Backends{}, on_servers());
    INFO(backends.name());
    Installation installation({"linting"}, backends);
    const std::string other = "5a2d7a0e-0f57-4c58-8b3a-93c7f0a5a1aa";
    installation.publish(kIdentityTopic, {{"", created()}, {"", created(other, "7c9e6680")}});
    HttpHost host(installation);
    const std::string users = "/linting/users/" + kTenant + "/";
    CHECK(host.ask_until(200, "GET", users + kUser + "/prefs").header("ETag") == "\"1\"");
    host.ask_until(200, "GET", users + other + "/prefs");
    REQUIRE(host.ask("PUT", users + kUser + "/prefs", R"({"rules":{"spaces":"two"}})", if_match("\"1\"")).status == 200);
    query(installation.domain("linting"), "delete from user_prefs where user_id = '" + other + "'");
    query(installation.domain("linting"), "update identity_projection set email = 'damaged@example.com'");
    const auto told = installation.command({"rebuild", "linting", "--dry-run"});
    REQUIRE(told->wait(120s));
    CHECK(told->output().find("table user_prefs is changed by routes") != std::string::npos);
    const auto process = installation.command({"rebuild", "linting"});
    const auto ended = process->wait(120s);
    INFO(process->log());
    REQUIRE(ended);
    CHECK(ended->exit_code == 0);
    const HttpAnswer saved = host.ask("GET", users + kUser + "/prefs");
    CHECK(saved.header("ETag") == "\"2\"");
    CHECK(nlohmann::json::parse(saved.body)["rules"] == nlohmann::json{{"spaces", "two"}});
    CHECK(host.ask("GET", users + other + "/prefs").header("ETag") == "\"1\"");
    CHECK(number(installation.domain("linting"), "select count(*) from identity_projection where email = 'damaged@example.com'") == 0);
    CHECK(number(installation.domain("linting"), "select count(*) from user_prefs") == 2);
    CHECK(host.stop() == 0);
}

namespace {

/// A domain that knows two users, one of whom has saved preferences.
struct Saved {
    explicit Saved(const Backends &backends) : installation({"linting"}, backends) {
        publish(created());
        publish(created(kOther, "7c9e6680"));
        save(3);
        REQUIRE(users() == 2);
    }

    void save(int times) {
        HttpHost host(installation);
        const std::string target = "/linting/users/" + kTenant + "/" + kUser + "/prefs";
        host.ask_until(200, "GET", target);
        for (int i = 0; i < times; ++i) {
            CHECK(host.ask("PUT", target, R"({"rules":{"spaces":"two"}})", if_match("*")).status == 200);
        }
        host.ask_until(200, "GET", "/linting/users/" + kTenant + "/" + kOther + "/prefs");
        CHECK(host.stop() == 0);
    }

    /// While no process, this one included, has the broker open.
    void publish(const std::string &event) {
        write_file(installation.root() / "line.jsonl", event + "\n");
        const auto process = installation.command({"publish", "-t", kIdentityTopic, (installation.root() / "line.jsonl").string()});
        const auto ended = process->wait(60s);
        INFO(process->log());
        REQUIRE(ended);
        REQUIRE(ended->exit_code == 0);
    }

    std::int64_t ask(const std::string &sql) const { return number(installation.domain("linting"), sql); }
    std::int64_t users() const { return ask("select count(*) from identity_projection"); }

    std::pair<int, std::string> rebuild(const std::string &option = "") {
        std::vector<std::string> words{"rebuild", "linting"};
        if (!option.empty()) {
            words.push_back(option);
        }
        const auto process = installation.command(words);
        const auto ended = process->wait(120s);
        REQUIRE(ended);
        return {ended->exit_code, process->output() + process->log()};
    }

    const std::string kOther = "5a2d7a0e-0f57-4c58-8b3a-93c7f0a5a1aa";
    Installation installation;
};

} // namespace

TEST_CASE("where routes change a domain, it is rebuilt without a word while its topic is whole, and not once that was made anew and read") {
    const Backends backends = GENERATE(Backends{}, on_servers());
    INFO(backends.name());
    Saved saved(backends);
    CHECK(saved.ask("select sum(requests) from event_ledger_counts") == 3);
    CHECK(saved.ask("select sum(events) from event_ledger_counts") == 5);
    CHECK(saved.rebuild("--dry-run").second.find("has decided 2 events") != std::string::npos);
    const auto [code, text] = saved.rebuild();
    INFO(text);
    CHECK(code == 0);
    if (backends.redis) {
        backends.redis->command({"DEL", kIdentityTopic});
    } else {
        std::filesystem::remove(saved.installation.root() / "broker.db");
    }
    const std::string third = "6b3d7a0e-0f57-4c58-8b3a-93c7f0a5a1aa";
    saved.publish(created(third, "7c9e6681"));
    saved.installation.drain();
    REQUIRE(saved.users() == 3);
    for (const std::string option : {"--dry-run", ""}) {
        const auto [refused, said] = saved.rebuild(option);
        INFO(said);
        CHECK(refused == 1);
        CHECK(said.find("of the 3 events that this domain has decided, the topics don't hold about 2 any more") != std::string::npos);
        CHECK(said.find("requests") == std::string::npos);
        CHECK(saved.users() == 3);
    }
}

TEST_CASE("a domain whose earlier requests were counted as events says so, and asks once") {
    const Backends backends = GENERATE(Backends{}, on_servers());
    INFO(backends.name());
    Saved saved(backends);
    for (const std::string column : {"requests", "undivided"}) {
        query(saved.installation.domain("linting"), "alter table event_ledger_counts drop column " + column);
    }
    const bool migrated = GENERATE(false, true);
    CAPTURE(migrated);
    if (migrated) {
        saved.save(1);
    }
    for (const std::string option : {"--dry-run", ""}) {
        const auto [refused, said] = saved.rebuild(option);
        INFO(said);
        CHECK(refused == 1);
        CHECK(said.find("of the 5 events that this domain has decided, the topics don't hold about 3 any more") != std::string::npos);
        CHECK(said.find("up to 3 of them may have been no events, but requests") != std::string::npos);
    }
    const auto [consented, told] = saved.rebuild("--from-what-is-kept");
    INFO(told);
    CHECK(consented == 0);
    saved.save(2);
    const auto [code, text] = saved.rebuild();
    INFO(text);
    CHECK(code == 0);
    CHECK(saved.users() == 2);
    CHECK(saved.ask("select count(*) from user_prefs") == 2);
}

TEST_CASE("preferences are shown to, and changed by, whoever has the host's token, and nobody else") {
    Installation installation({"linting", "spellcheck"});
    installation.set("http.operations.token", "a-token-of-the-operator");
    installation.set("http.operations.trust_local", "false");
    installation.publish(kIdentityTopic, {{"", created()}});
    HttpHost host(installation);
    using Fields = std::vector<std::pair<std::string, std::string>>;
    const Fields right{{"Authorization", "Bearer a-token-of-the-operator"}};
    const Fields wrong{{"Authorization", "Bearer a-token-of-somebody"}};
    for (const std::string place : {"/linting/users/", "/spellcheck/users/"}) {
        const std::string target = place + kTenant + "/" + kUser + "/prefs";
        host.ask_until(200, "GET", target, {}, right);
        for (const Fields &fields : {Fields{}, wrong}) {
            const HttpAnswer answer = host.ask("GET", target, {}, fields);
            CHECK(answer.status == 401);
            CHECK(answer.header("WWW-Authenticate"));
            CHECK(answer.body.find("version") == std::string::npos);
            CHECK(host.ask("PUT", target, R"({"rules":{}})", fields).status == 401);
        }
    }
    CHECK(host.stop() == 0);
}
