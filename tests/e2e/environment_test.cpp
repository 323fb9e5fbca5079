// SPDX-License-Identifier: Apache-2.0
// The variables of deployments that there are: the shipped configurations understand them, on real servers.
#include "http_client.hpp"
#include "sample.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>

using namespace weir::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using Variables = std::map<std::string, std::string>;

namespace {

/// Servers, and a host with a configuration that is shipped; only where it writes and what lies in the plugin directory is the test's.
class Shipped {
public:
    Shipped(const std::string &file, const std::vector<std::string> &plugins)
        : installation_(plugins, on_servers()), file_(source_directory() / "configs" / file) {}

    RedisServer &redis() { return *installation_.backends().redis; }
    std::string redis_url() { return redis().url(); }
    std::string store_url() { return installation_.backends().postgresql->url(installation_.database_name()); }
    Database domain(const std::string &schema) const { return installation_.domain(schema); }
    std::string command(std::vector<std::string> words) { return redis().command(words); }

    std::unique_ptr<HostProcess> weir(std::vector<std::string> words, Variables variables) {
        words.insert(words.end(), {"-c", file_.string()});
        variables["WEIR_DATA_DIRECTORY"] = (installation_.root() / "data").string();
        variables["WEIR_PLUGINS_DIRECTORY"] = installation_.plugins().string();
        return std::make_unique<HostProcess>(words, variables, installation_.root());
    }

private:
    Installation installation_;
    std::filesystem::path file_;
};

/// The highest number behind a word of the XREADGROUPs that Redis was asked lately (SLOWLOG, which gives a word a line); 0: none.
long highest(const std::string &asked, const std::string &word) {
    long most = 0;
    for (std::size_t read = asked.find("\nXREADGROUP\n"); read != std::string::npos; read = asked.find("\nXREADGROUP\n", read + 1)) {
        const std::size_t at = asked.find("\n" + word + "\n", read);
        if (at < asked.find("\nSTREAMS\n", read)) { // what is told of a topic's lag has a COUNT as well
            most = std::max(most, std::strtol(asked.c_str() + at + word.size() + 2, nullptr, 10));
        }
    }
    return most;
}

/// Whether reads ask for so many entries, and wait longer than they do by default, though no longer than so.
bool reads_with(Shipped &shipped, long count, long wait_ms) {
    return eventually([&] {
        const std::string asked = shipped.command({"SLOWLOG", "GET", "1000"});
        const long block = highest(asked, "BLOCK"); // a read may wait in parts
        return highest(asked, "COUNT") == count && block > 300 && block <= wait_ms;
    });
}

void stop(HostProcess &host) {
    host.signal(SIGTERM);
    const auto ended = host.wait(60s);
    REQUIRE(ended);
    CHECK(ended->exit_code == 0);
}

/// Runs a command that has to be refused for its configuration, naming these.
void refuses(Shipped &shipped, const Variables &variables, const std::vector<std::string> &texts) {
    const auto process = shipped.weir({"run", "--fail-fast"}, variables);
    const auto ended = process->wait(60s);
    REQUIRE(ended);
    INFO(process->log());
    CHECK(ended->exit_code == 4);
    for (const std::string &text : texts) {
        CHECK_THAT(process->log(), Contains(text));
    }
}

} // namespace

TEST_CASE("the votes service's variables are in effect: stream, group, consumer, what a read asks for and how long it waits") {
    const bool alone = GENERATE(true, false);
    CAPTURE(alone);
    Shipped shipped(alone ? "votes.json" : "redis-postgresql.json", {"votes"});
    shipped.command({"XADD", "ballots", "*", "vote", "cats"});
    shipped.command({"CONFIG", "SET", "slowlog-log-slower-than", "0"}); // every command
    shipped.command({"CONFIG", "SET", "slowlog-max-len", "1000"});
    const Variables variables{{"REDIS_URL", shipped.redis_url()},
                              {"DATABASE_URL", shipped.store_url()},
                              {"STREAM_NAME", "ballots"},
                              {"CONSUMER_GROUP", "counters"},
                              {"CONSUMER_NAME", "booth-7"},
                              {"BATCH_SIZE", "23"},
                              {"BLOCK_MS", "1700"},
                              {"MAX_RETRIES", "5"},
                              {"HTTP_LISTEN", "127.0.0.1:0"},
                              {"LOG_LEVEL", "WARNING"}};
    const auto host = shipped.weir({"run"}, variables);
    const Database database = shipped.domain("votes");
    INFO(host->log());
    REQUIRE(eventually([&] { return number(database, "select count from vote_counts where option = 'cats'") == 1; }, 60s));
    shipped.command({"XADD", "ballots", "*", "vote", "dogs"});
    REQUIRE(eventually([&] { return number(database, "select sum(count) from vote_counts") == 2; }, 60s));
    CHECK(number(database, "select count(*) from dead_letter_queue") == 0);
    CHECK_THAT(shipped.command({"XINFO", "GROUPS", "ballots"}), Contains("counters"));
    CHECK_THAT(shipped.command({"XINFO", "CONSUMERS", "ballots", "counters"}), Contains("booth-7-"));
    CHECK(reads_with(shipped, 23, 1700));
    CHECK(host->said("host.ready").empty()); // an info line
    const auto check = shipped.weir({"config", "check", "--json"}, variables);
    REQUIRE(check->wait());
    CHECK_THAT(check->output(), Contains(R"({"key":"domains.votes.engine.max_retries","value":"5",)") && Contains("with ${MAX_RETRIES}"));
    CHECK_THAT(check->output(), Contains(R"({"key":"log.level","value":"warn",)"));
    CHECK_THAT(check->output(), Contains(R"({"key":"http.listen","value":"127.0.0.1:0",)"));
    stop(*host);
}

TEST_CASE("without its variables, the votes service is as it was") {
    Shipped shipped("votes.json", {"votes"});
    const auto check = shipped.weir({"config", "check", "--json"}, {{"REDIS_URL", ""}, {"DATABASE_URL", ""}, {"BATCH_SIZE", ""}});
    REQUIRE(check->wait());
    for (const char *text :
         {R"("broker.url","value":"redis://127.0.0.1:6379/0")", R"("domains.votes.topics","value":"votes")",
          R"("domains.votes.consumer_group","value":"vote-processors")", R"("domains.votes.service.name","value":"consumer-1")",
          R"("domains.votes.engine.read_max_events","value":"10")", R"("domains.votes.engine.read_wait_ms","value":"5000")",
          R"("domains.votes.engine.max_retries","value":"3")", R"("log.level","value":"info")",
          R"("http.listen","value":"127.0.0.1:8080")"}) {
        CHECK_THAT(check->output(), Contains(text));
    }
}

TEST_CASE("a variable that doesn't fit is refused with its name and the key that it is for") {
    Shipped votes("votes.json", {"votes"});
    refuses(votes, {{"BATCH_SIZE", "abc"}}, {"BATCH_SIZE", "engine.read_max_events", "whole number"});
    refuses(votes, {{"LOG_LEVEL", "loud"}}, {"LOG_LEVEL", "log.level", "debug"});
    refuses(votes, {{"STREAM_NAME", "two words"}}, {"STREAM_NAME", "topic"});
    refuses(votes, {{"REDIS_URL", "http://redis"}}, {"REDIS_URL", "broker.url"});
    Shipped linting("linting.json", {"linting"});
    refuses(linting, {{"LINTING_CONSUMER_POLL_INTERVAL", "soon"}}, {"LINTING_CONSUMER_POLL_INTERVAL", "engine.read_wait_ms"});
    refuses(linting,
            {{"LINTING_CONSUMER_ENABLE_EAGER_DEFAULTS", "maybe"},
             {"LINTING_CONSUMER_REDIS_URL", linting.redis_url()},
             {"LINTING_CONSUMER_DATABASE_URL", linting.store_url()}},
            {"LINTING_CONSUMER_ENABLE_EAGER_DEFAULTS", "/settings/eager_defaults"});
}

TEST_CASE("the linting service's variables are in effect, in its own file and beside other domains") {
    const bool alone = GENERATE(true, false);
    CAPTURE(alone);
    Shipped shipped(alone ? "linting.json" : "redis-postgresql.json", {"linting"});
    shipped.command({"XADD", "people", "*", "event", sample().front().body});
    shipped.command({"CONFIG", "SET", "slowlog-log-slower-than", "0"});
    shipped.command({"CONFIG", "SET", "slowlog-max-len", "1000"});
    Variables variables{{"LINTING_CONSUMER_REDIS_URL", shipped.redis_url()},
                        {"LINTING_CONSUMER_CONSUMER_GROUP", "linters"},
                        {"LINTING_CONSUMER_CONSUMER_NAME", "lint-3"},
                        {"LINTING_CONSUMER_STREAM_NAME", "people"},
                        {"LINTING_CONSUMER_BATCH_SIZE", "17"},
                        {"LINTING_CONSUMER_POLL_INTERVAL", "1.5"},
                        {"LINTING_CONSUMER_MAX_RETRY_ATTEMPTS", "4"},
                        {"LINTING_CONSUMER_ENABLE_EAGER_DEFAULTS", "False"}};
    if (alone) {
        variables["LINTING_CONSUMER_DATABASE_URL"] = "postgresql+psycopg" + shipped.store_url().substr(std::string("postgresql").size());
        variables["LINTING_CONSUMER_LOG_LEVEL"] = "ERROR";
    } else {
        variables["DATABASE_URL"] = shipped.store_url();
        variables["REDIS_URL"] = shipped.redis_url();
    }
    const auto host = shipped.weir({"run"}, variables);
    const Database database = shipped.domain("linting");
    INFO(host->log());
    REQUIRE(eventually([&] { return number(database, "select count(*) from event_ledger") == 1; }, 60s));
    CHECK(number(database, "select count(*) from identity_projection") == 1);
    CHECK(number(database, "select count(*) from user_prefs") == 0); // not eager
    CHECK_THAT(shipped.command({"XINFO", "CONSUMERS", "people", "linters"}), Contains("lint-3-"));
    CHECK(reads_with(shipped, 17, 1500));
    const auto check = shipped.weir({"config", "check", "--json"}, variables);
    REQUIRE(check->wait());
    CHECK_THAT(check->output(), Contains(R"({"key":"domains.linting.engine.max_retries","value":"4",)"));
    CHECK_THAT(check->output(), Contains(alone ? R"({"key":"log.level","value":"error",)" : R"({"key":"log.level","value":"info",)"));
    stop(*host);
}

TEST_CASE("one process serves linting, spell-check and votes at once on Redis and PostgreSQL, by the shipped configuration") {
    Shipped shipped("redis-postgresql.json", {"linting", "spellcheck", "votes"});
    for (const Text &message : sample()) {
        shipped.command({"XADD", kIdentityTopic, "*", "event", message.body});
    }
    const auto host =
        shipped.weir({"run"}, {{"REDIS_URL", shipped.redis_url()}, {"DATABASE_URL", shipped.store_url()}, {"HTTP_LISTEN", "127.0.0.1:0"}});
    REQUIRE(eventually([&] { return !host->said("http.listening").empty(); }, 60s));
    const std::string said = host->said("http.listening").front();
    const std::string before = R"("address":"127.0.0.1:)";
    REQUIRE_THAT(said, Contains(before));
    const auto port = static_cast<std::uint16_t>(std::stoul(said.substr(said.find(before) + before.size())));
    const auto vote = [&] {
        return http(port, "POST", "/api/vote", R"({"vote":"dogs"})", {{"Content-Type", "application/json"}, {"Idempotency-Key", "k"}})
            .status;
    };
    REQUIRE(eventually([&] { return vote() == 202; }, 60s));
    CHECK(vote() == 202);
    const Expectation &expected = expectation();
    for (const auto &[schema, preferences] : {std::pair{"linting", "user_prefs"}, std::pair{"spell_checking", "user_dictionary_prefs"}}) {
        INFO(schema);
        const Database database = shipped.domain(schema);
        const std::int64_t decided = expected.applied + expected.ignored + expected.dead_letters;
        REQUIRE(eventually([&] { return number(database, "select count(*) from event_ledger") == decided; }, 120s));
        check_database(database, expected, preferences);
    }
    REQUIRE(eventually([&] { return http(port, "GET", "/api/results").body.find(R"("dogs":1)") != std::string::npos; }, 60s));
    CHECK(http(port, "GET", "/ready").status == 200);
    CHECK(http(port, "GET", "/").status == 200);
    stop(*host);
    CHECK(number(shipped.domain("votes"), "select count from vote_counts where option = 'dogs'") == 1);
}
