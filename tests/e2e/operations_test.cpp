// SPDX-License-Identifier: Apache-2.0
// What operators ask a running host over HTTP. Every answer is held against the document that the host serves.
#include "http_host.hpp"
#include "served_document.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace weir::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

const std::string kTopic = "probe.thing.v1";
const std::string kToken = "0123456789abcdef0123456789abcdef";
constexpr int kUnwelcome = 5;

using Fields = std::vector<std::pair<std::string, std::string>>;

std::vector<Backends> both_pairs() { return {Backends{}, on_servers()}; }

Text unwelcome(int number) { return probe_event("thing.counted.v1", "subject", number, "unwelcome"); }

/// A host whose answers are checked. Nobody is trusted for being on this machine.
class Operated {
public:
    explicit Operated(Installation &installation) : host(with_token(installation)) {
        host.wait_ready();
        document = std::make_unique<ServedDocument>(host.ask("GET", "/openapi.json").body);
        CHECK(document->problems() == "");
    }

    HttpAnswer ask(const std::string &method, const std::string &target, const Fields &fields = {}) {
        HttpAnswer answer = host.ask(method, target, "", fields);
        const std::string differs = document->differs(method, target, answer);
        CHECK(differs == "");
        return answer;
    }
    int status(const std::string &method, const std::string &target, const Fields &fields = {}) {
        return ask(method, target, fields).status;
    }
    json get(const std::string &target) { return authorized("GET", target); }
    json authorized(const std::string &method, const std::string &target, int expected = 200) {
        const HttpAnswer answer = ask(method, target, {{"Authorization", "Bearer " + kToken}});
        INFO(method << " " << target << ": " << answer.body);
        CHECK(answer.status == expected);
        return json::parse(answer.body, nullptr, false);
    }
    json letters(const std::string &query) { return get("/api/deadletters?domain=probe" + query)["dead_letters"]; }

    HttpHost host;
    std::unique_ptr<ServedDocument> document;

private:
    static Installation &with_token(Installation &installation) {
        installation.set("http.operations.token", kToken);
        installation.set("http.operations.trust_local", "false");
        return installation;
    }
};

/// Two good events, five that the strict plugin refuses, one that is no JSON, one that is no text.
void publish(Installation &installation) {
    std::vector<Text> messages{probe_event("thing.counted.v1", "subject", 1), probe_event("thing.counted.v1", "subject", 2)};
    for (int number = 10; number < 10 + kUnwelcome; ++number) {
        messages.push_back(unwelcome(number));
    }
    messages.push_back({"subject", "{cut"});
    messages.push_back({"subject", "\xff\xfe\x01"});
    installation.publish(kTopic, messages);
}
constexpr std::size_t kDead = kUnwelcome + 2;

std::string path_of(const json &letter, const std::string &further = {}) {
    return "/api/deadletters/probe/" + letter["id"].dump() + further;
}

} // namespace

TEST_CASE("what operators ask is answered as the document says, by plugins' routes too, and what is wrong with a question is said") {
    for (const Backends &backends : both_pairs()) {
        INFO(backends.name());
        Installation installation({"probe_strict", "votes"}, backends);
        write_file(installation.plugins() / "broken.so", "no plugin");
        publish(installation);
        Operated operated(installation);
        REQUIRE(eventually([&] { return operated.letters("").size() == kDead; }, 60s));

        CHECK(operated.get("/health")["status"] == "ok");
        CHECK(operated.get("/ready") == json{{"status", "ready"}, {"domains", 2}});
        CHECK(operated.status("GET", "/metrics") == 200);
        CHECK(operated.status("GET", "/openapi.json") == 200);
        const json domains = operated.get("/api/domains");
        CHECK(domains["ready"] == true);
        REQUIRE(domains["domains"].size() == 2);
        const json &probe = domains["domains"][domains["domains"][0]["domain"] == "probe" ? 0 : 1];
        CHECK(probe["topics"] == json::array({kTopic}));
        CHECK(probe["group"] == "probe_group");
        CHECK(probe["counts"]["applied"] == 2);
        CHECK(probe["counts"]["dead_letters"] == kDead);
        json plugins;
        REQUIRE(eventually([&] { // a file that is no plugin yet may become one
            plugins = operated.get("/api/plugins");
            return plugins["refused"].size() == 1;
        }));
        CHECK(plugins["plugins"].size() == 2);
        CHECK_THAT(plugins["refused"][0]["file"].get<std::string>(), Contains("broken.so"));
        REQUIRE(eventually([&] {
            const json topics = operated.get("/api/topics");
            for (const json &topic : topics["topics"]) {
                for (const json &group : topic["groups"]) {
                    if (topic["topic"] == kTopic && group["group"] == "probe_group") {
                        return topic["length"] == 9 && group["lag"] == 0 && group["pending"] == 0;
                    }
                }
            }
            return false;
        }));

        for (const char *target : {"/health", "/ready", "/metrics", "/openapi.json", "/api/domains", "/api/plugins", "/api/topics"}) {
            for (const char *method : {"POST", "PUT", "DELETE", "PATCH"}) {
                const HttpAnswer answer = operated.ask(method, target);
                INFO(method << " " << target);
                CHECK(answer.status == 405);
                CHECK(answer.header("Allow") == "GET, HEAD, OPTIONS");
            }
            const HttpAnswer head = operated.host.ask("HEAD", target);
            CHECK(head.status == 200);
            CHECK(head.body.empty());
        }
        CHECK(operated.status("GET", "/api") == 404);
        CHECK(operated.status("GET", "/api/domains/probe") == 404);
        CHECK(operated.status("GET", "/api/results?x=1") == 200);
        CHECK(operated.status("POST", "/api/results") == 405);
        CHECK(operated.host.stop() == 0);
    }
}

TEST_CASE("dead letters are listed page by page without their messages, and shown with them to who has the token") {
    for (const Backends &backends : both_pairs()) {
        INFO(backends.name());
        Installation installation({"probe_strict"}, backends);
        publish(installation);
        Operated operated(installation);
        REQUIRE(eventually([&] { return operated.letters("").size() == kDead; }, 60s));

        const HttpAnswer open = operated.ask("GET", "/api/deadletters?domain=probe"); // without a token
        CHECK(open.status == 200);
        CHECK_THAT(open.body, !Contains("\"payload\"") && !Contains("{cut"));
        const json all = json::parse(open.body)["dead_letters"];
        for (const std::size_t limit : {std::size_t{1}, std::size_t{2}, kDead - 1, kDead, kDead + 1}) {
            INFO(limit);
            json paged = json::array();
            std::string next = "/api/deadletters?domain=probe&status=all&limit=" + std::to_string(limit);
            std::size_t pages = 0;
            while (!next.empty() && ++pages < 20) {
                const json page = operated.get(next);
                CHECK(page["dead_letters"].size() <= limit);
                paged.insert(paged.end(), page["dead_letters"].begin(), page["dead_letters"].end());
                next = page["next"].is_null() ? "" : page["next"].get<std::string>();
            }
            CHECK(pages == (kDead + limit - 1) / limit);
            CHECK(paged == all);
        }
        CHECK(operated.letters("&error_type=unwelcome").size() == kUnwelcome);
        CHECK(operated.letters("&error_type=malformed_json").size() == 1);
        CHECK(operated.letters("&event_type=thing.counted.v1").size() == kUnwelcome);
        CHECK(operated.letters("&event_type=thing.counted.v1&error_type=malformed_json").empty());
        CHECK(operated.letters("&topic=" + kTopic).size() == kDead);
        CHECK(operated.letters("&topic=other").empty());
        CHECK(operated.letters("&status=dropped").empty());
        CHECK(operated.letters("&after=9223372036854775807").empty());
        const json filtered = operated.get("/api/deadletters?domain=probe&error_type=unwelcome&limit=2");
        CHECK(operated.get(filtered["next"].get<std::string>())["dead_letters"][0]["error_type"] == "unwelcome");
        for (const char *query : {"", "?domain=", "?domain=probe&limit=0", "?domain=probe&limit=1001", "?domain=probe&limit=x",
                                  "?domain=probe&limit=-1", "?domain=probe&after=-1", "?domain=probe&after=1x",
                                  "?domain=probe&after=99999999999999999999", "?domain=probe&status=gone", "?domain=probe&status="}) {
            INFO(query);
            const int status = operated.status("GET", std::string("/api/deadletters") + query);
            CHECK(status == (std::string(query) == "?domain=" ? 404 : 400));
        }
        CHECK(operated.status("GET", "/api/deadletters?domain=nobody") == 404);
        CHECK(operated.status("GET", "/api/deadletters?domain=probe&staus=pending") == 400); // a mistyped filter lists everything otherwise
        CHECK(operated.status("POST", "/api/deadletters?domain=probe") == 405);
        for (const char *path : {"/api/domains", "/api/plugins", "/api/topics"}) {
            CHECK(operated.status("GET", std::string(path) + "?domain=probe") == 400);
        }
        CHECK(operated.status("GET", "/health?checked_by=balancer") == 200);

        std::size_t whole = 0;
        for (const json &letter : all) {
            const json shown = operated.get(path_of(letter));
            CHECK(operated.get("/api/deadletters/probe/" + letter["event_id"].get<std::string>()) == shown);
            CHECK(shown["id"] == letter["id"]);
            whole += shown.contains("event") && shown["event"]["payload"]["note"] == "unwelcome" ? 1 : 0;
            whole += shown.value("raw", "") == "{cut" ? 1 : 0;
            whole += shown.value("raw_hex", "") == "fffe01" ? 1 : 0;
        }
        CHECK(whole == kDead);
        const Fields with_token{{"Authorization", "Bearer " + kToken}};
        for (const char *id : {"999999", "5f0c6a7e-0d6c-4b8e-9a53-1d5b0f9f2c11"}) {
            CHECK(operated.status("GET", std::string("/api/deadletters/probe/") + id, with_token) == 404);
            CHECK(operated.status("POST", std::string("/api/deadletters/probe/") + id + "/drop", with_token) == 404);
        }
        for (const char *id : {"0", "-1", "1x", "what", "99999999999999999999", "1%20or%201=1", "%27"}) {
            INFO(id);
            CHECK(operated.status("GET", std::string("/api/deadletters/probe/") + id, with_token) == 400);
            CHECK(operated.status("POST", std::string("/api/deadletters/probe/") + id + "/replay", with_token) == 400);
            CHECK(operated.status("POST", std::string("/api/deadletters/probe/") + id + "/drop", with_token) == 400);
        }
        CHECK(operated.status("GET", "/api/deadletters/nobody/1", with_token) == 404);
        for (const Fields &fields : {Fields{}, Fields{{"Authorization", "Bearer wrong-wrong-wrong"}}, Fields{{"Authorization", kToken}}}) {
            const HttpAnswer answer = operated.ask("GET", path_of(all[0]), fields);
            CHECK(answer.status == 401);
            CHECK_THAT(answer.header("WWW-Authenticate").value_or(""), Contains("Bearer"));
            CHECK(operated.status("POST", path_of(all[0], "/replay"), fields) == 401);
            CHECK(operated.status("POST", path_of(all[0], "/drop"), fields) == 401);
        }
        CHECK(operated.letters("") == all); // nothing of that has changed anything
        CHECK(operated.host.stop() == 0);
    }
}

TEST_CASE("a dead letter is tried, replayed once, or given up, and the answer says which") {
    for (const Backends &backends : both_pairs()) {
        INFO(backends.name());
        Installation installation({"probe_strict"}, backends);
        publish(installation);
        Operated operated(installation);
        REQUIRE(eventually([&] { return operated.letters("").size() == kDead; }, 60s));
        const json unwelcome_ones = operated.letters("&error_type=unwelcome");
        const json &first = unwelcome_ones[0];
        const Database database = installation.domain("probe");
        const auto seen = [&] { return number(database, "select count(*) from seen"); };
        const auto retries = [&] { return operated.get(path_of(first))["retry_count"].get<int>(); };

        const auto post = [&](const std::string &target, int expected = 200) { return operated.authorized("POST", target, expected); };
        for (const char *method : {"GET", "PUT", "DELETE"}) {
            CHECK(operated.status(method, path_of(first, "/replay")) == 405);
            CHECK(operated.status(method, path_of(first, "/drop")) == 405);
        }
        const auto letters_and_rows = [&] { return operated.letters("&status=all").dump() + " " + std::to_string(seen()); };
        const std::string untouched = letters_and_rows();
        for (const char *verb : {"/replay", "/drop"}) {
            for (const char *query :
                 {"?dry_run=maybe", "?dry_run=", "?dry_run=1", "?dry_run=TRUE", "?dryrun=true", "?dry-run=true", "?dry_run%20=true",
                  "?dry_run=true&force=true", "?dry_run=false&dry_run=true", "?dry_run=true&dry_run=true", "?domain=probe"}) {
                INFO(verb << query);
                CHECK_THAT(post(path_of(first, std::string(verb) + query), 400)["detail"].get<std::string>(),
                           Contains("dry") || Contains("force") || Contains("domain"));
            }
        }
        CHECK(post(path_of(first, "/drop?dry_run=true"))["outcome"] == "would_drop");
        CHECK(letters_and_rows() == untouched);
        CHECK(post(path_of(first, "/replay?dry_run=true"))["outcome"] == "failed");
        CHECK(retries() == 0);
        const json failed = post(path_of(first, "/replay"));
        CHECK(failed["outcome"] == "failed");
        CHECK(failed["error_type"] == "unwelcome");
        CHECK_FALSE(failed["error_message"].get<std::string>().empty());
        CHECK(failed["event_type"] == "thing.counted.v1");
        CHECK(failed["status"] == "pending");
        CHECK(failed["retry_count"] == 1);
        CHECK_FALSE(failed.contains("decided"));
        CHECK(retries() == 1);
        CHECK(seen() == 2);

        installation.place("probe_2", "probe_strict"); // which takes such notes
        REQUIRE(eventually([&] { return operated.get("/api/domains")["domains"][0]["version"] == "2.0.0"; }, 60s));
        const json tried = post(path_of(first, "/replay?dry_run=true"));
        CHECK(tried["outcome"] == "would_apply");
        CHECK(tried["decided"] == "applied");
        CHECK(tried["status"] == "pending");
        CHECK(seen() == 2);
        const json replayed = post(path_of(first, "/replay"));
        CHECK(replayed["outcome"] == "replayed");
        CHECK(replayed["event_id"] == first["event_id"]);
        CHECK(replayed["decided"] == "applied");
        CHECK(replayed["status"] == "replayed");
        CHECK(seen() == 3);
        post(path_of(first, "/replay"), 409);
        post(path_of(first, "/drop"), 409);
        CHECK(seen() == 3);
        const std::string by_event = "/api/deadletters/probe/" + unwelcome_ones[1]["event_id"].get<std::string>();
        CHECK(post(by_event + "/replay")["id"] == unwelcome_ones[1]["id"]);
        CHECK(seen() == 4);
        const json dropped = post(path_of(unwelcome_ones[2], "/drop"));
        CHECK(dropped["outcome"] == "dropped");
        CHECK(dropped["status"] == "dropped");
        post(path_of(unwelcome_ones[2], "/drop"), 409);
        post(path_of(unwelcome_ones[2], "/drop?dry_run=true"), 409);
        post(path_of(unwelcome_ones[2], "/replay"), 409);
        CHECK(seen() == 4);
        CHECK(operated.letters("&status=replayed").size() == 2);
        CHECK(operated.letters("&status=dropped").size() == 1);
        CHECK(operated.letters("&status=pending").size() == kDead - 3);
        CHECK(operated.letters("&status=all").size() == kDead);
        CHECK(operated.get(path_of(unwelcome_ones[2]))["status"] == "dropped");

        std::set<std::string> unseen = operated.document->operations(); // what no case here has had an answer to
        for (const char *asked : {"GET /health", "GET /ready", "GET /metrics", "GET /openapi.json", "GET /api/domains", "GET /api/plugins",
                                  "GET /api/topics", "GET /api/deadletters", "GET /api/deadletters/{domain}/{id}",
                                  "POST /api/deadletters/{domain}/{id}/replay", "POST /api/deadletters/{domain}/{id}/drop"}) {
            CHECK(unseen.erase(asked) == 1);
        }
        CHECK(unseen.empty());
        CHECK(operated.host.stop() == 0);
    }
}

TEST_CASE("while a newer generation or a change is refused, dead letters are listed, replayed and dropped with the one that serves") {
    for (const Backends &backends : both_pairs()) {
        INFO(backends.name());
        Installation installation({"probe_strict"}, backends);
        publish(installation);
        installation.publish(kTopic, {{"subject", "{another"}});
        const auto refused = [](Operated &operated) {
            return eventually([&] { return operated.get("/api/domains")["domains"][0]["refused"] != ""; }, 60s);
        };
        const auto works = [](Operated &operated, const json &letter) {
            CHECK(operated.letters("").size() >= 1);
            CHECK(operated.get(path_of(letter))["id"] == letter["id"]);
            CHECK(operated.get("/api/domains")["domains"][0]["schema"] == "probe");
            const json tried = operated.authorized("POST", path_of(letter, "/replay"));
            CHECK(tried["outcome"] == "failed");
            CHECK(tried["error_type"] == "malformed_json"); // the event's own fault, and not the plugin's
            CHECK(operated.authorized("POST", path_of(letter, "/drop"))["outcome"] == "dropped");
        };
        Operated operated(installation);
        REQUIRE(eventually([&] { return operated.letters("&error_type=malformed_json").size() == 2; }, 60s));
        const json letters = operated.letters("&error_type=malformed_json");

        installation.place("probe_misfit", "probe_strict"); // the domain's thread refuses it
        REQUIRE(refused(operated));
        works(operated, letters[0]);
        installation.place("probe_2", "probe_strict");
        REQUIRE(eventually([&] { return operated.get("/api/domains")["domains"][0]["refused"] == ""; }, 60s));

        write_file(installation.domains() / "probe.json",
                   R"({"service": {"domain": "probe"}, "plugin": "nobody"})"); // the supervisor refuses it
        const bool is_refused = refused(operated);
        INFO(operated.host.process().log());
        REQUIRE(is_refused);
        works(operated, letters[1]);
        CHECK(operated.host.stop() == 0);
    }
}

TEST_CASE("a dead letter that came as flat fields is shown with them") {
    Installation installation({"probe_strict"}, on_servers());
    Operated operated(installation);
    installation.backends().redis->command({"XADD", kTopic, "*", "vote", "cats", "voter", std::string("\x80\0", 2)});
    REQUIRE(eventually([&] { return operated.letters("").size() == 1; }, 60s));
    const json shown = operated.get(path_of(operated.letters("")[0]));
    CHECK(shown["fields"] == json::parse(R"([{"name": "vote", "value": "cats"}, {"name": "voter", "value_hex": "8000"}])"));
    CHECK_FALSE(shown.contains("raw"));
    CHECK_FALSE(shown.contains("event"));
    CHECK(operated.host.stop() == 0);
}
