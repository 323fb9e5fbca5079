// SPDX-License-Identifier: Apache-2.0
// What the foundation promises, kept on Redis and PostgreSQL.
#include "sample.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>
#include <vector>

using namespace weir::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

const std::string kProbeTopic = "probe.thing.v1";

std::int64_t decided(const Installation &installation, const char *schema = "linting") {
    return number(installation.domain(schema), "select count(*) from event_ledger");
}

/// Runs a command of the program to its end. @return its exit code
int run(Installation &installation, const std::vector<std::string> &arguments, std::string &out, std::string &err) {
    const auto command = installation.command(arguments);
    const auto ended = command->wait();
    REQUIRE(ended);
    out = command->output();
    err = command->log();
    return ended->exit_code;
}

std::vector<std::string> with_config(const Installation &installation, std::vector<std::string> words) {
    words.insert(words.end(), {"-c", installation.config().string()});
    return words;
}

nlohmann::json json_of(Installation &installation, const std::vector<std::string> &words, int code = 0) {
    std::string out;
    std::string err;
    const int ended = run(installation, with_config(installation, words), out, err);
    INFO(out << err);
    REQUIRE(ended == code);
    return nlohmann::json::parse(out);
}

} // namespace

TEST_CASE("on every pair of backends the sample ends in the expected rows and counts") {
    for (const Backends &backends : every_pair_with_servers()) {
        INFO(backends.name());
        Installation installation({"linting", "spellcheck"}, backends);
        installation.set("engine.batch_max_events", "333");
        installation.publish(kIdentityTopic, sample());
        const auto report = installation.drain();
        check_counts(report.at("linting").counts, expectation());
        check_counts(report.at("spellcheck").counts, expectation());
        check_domains(installation, expectation());
        CHECK(installation.backlog(kIdentityTopic, "lint_group") == 0);
        CHECK(installation.pending(kIdentityTopic, "lint_group") == 0);
    }
}

TEST_CASE("on Redis and PostgreSQL SIGTERM under load ends with exit code 0 within five seconds, and the next run goes on") {
    std::mt19937_64 random(seed());
    constexpr unsigned kCopies = 3;
    constexpr std::int64_t kBatch = 20;
    // What runs ends, and some more begin until the thread that waits for signals has its turn.
    constexpr std::int64_t kStillDecided = 20 * kBatch;
    Installation installation({"linting", "spellcheck"}, on_servers());
    installation.set("engine.batch_max_events", std::to_string(kBatch));
    for (unsigned copy = 0; copy < kCopies; ++copy) {
        installation.publish(kIdentityTopic, sample_copy(copy));
    }
    std::vector<std::chrono::milliseconds> times; // the middle one counts: the machine may stand still once
    for (int i = 0; i < 4; ++i) {
        const auto host = installation.start({"--json"});
        const auto target = std::max<std::int64_t>(decided(installation), 0) + static_cast<std::int64_t>(random() % 500);
        REQUIRE(eventually([&] { return decided(installation) > target; }));
        host->signal(SIGSTOP); // so that what is decided can be counted, once the server has done what it was sent
        REQUIRE(eventually([&] {
            return number(installation.domain("linting"), "select count(*) from pg_stat_activity where datname = current_database() and "
                                                          "pid <> pg_backend_pid() and state = 'active'") == 0;
        }));
        const std::int64_t before = decided(installation) + decided(installation, "spellcheck");
        host->signal(SIGTERM);
        const auto begin = std::chrono::steady_clock::now();
        host->signal(SIGCONT);
        const auto ended = host->wait();
        INFO(host->log().substr(0, 4000));
        REQUIRE(ended);
        CHECK(ended->exit_code == 0);
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
        std::printf("SIGTERM to exit: %lld ms\n", static_cast<long long>(took.count()));
        times.push_back(took);
        CHECK(parse_report(host->output()).size() == 2);
        CHECK(host->said("host.stop_overdue").empty());
        const std::int64_t still = decided(installation) + decided(installation, "spellcheck") - before;
        std::printf("decided after SIGTERM: %lld\n", static_cast<long long>(still));
        CHECK(still <= kStillDecided);
        CHECK(installation.backlog(kIdentityTopic, "lint_group") > kStillDecided); // it was under load
    }
    std::sort(times.begin(), times.end());
    CHECK(times[times.size() / 2] < 5s * slowness());
    installation.drain();
    check_domains(installation, expectation_of(kCopies));
}

TEST_CASE("on Redis and PostgreSQL a plugin replaced under load loses and doubles nothing") {
    Installation installation({"probe"}, on_servers());
    const auto host = installation.start();
    std::atomic<bool> stop{false};
    int published = 0;
    std::thread publisher([&] {
        while (!stop) {
            std::vector<Text> burst;
            for (int i = 0; i < 20; ++i, ++published) {
                burst.push_back(probe_event("thing.counted.v1", "subject " + std::to_string(published % 40), published / 40));
            }
            installation.publish(kProbeTopic, burst);
            eventually([] { return false; }, 5ms);
        }
    });
    const Database database = installation.domain("probe");
    CHECK(eventually([&] { return number(database, "select count(*) from seen") > 200; }));
    for (int i = 0; i < 6; ++i) {
        installation.place(i % 2 == 0 ? "probe_2" : "probe", "probe");
        CHECK(eventually([&] { return host->said("plugin.swapped").size() == static_cast<std::size_t>(i) + 1; }));
    }
    stop = true;
    publisher.join();
    CHECK(eventually([&] { return number(database, "select count(*) from seen") == published; }));
    CHECK(number(database, "select sum(times) from subjects") == published);
    CHECK(number(database, "select sum(disorder) from subjects") == 0);
    CHECK(number(database, "select count(*) from event_ledger") == published);
    CHECK(number(database, "select count(*) from dead_letter_queue") == 0);
    CHECK(host->running());
}

TEST_CASE("on Redis and PostgreSQL dead letters are listed, shown, replayed once and dropped") {
    Installation installation({"probe"}, on_servers());
    installation.set("engine.max_retries", "0");
    // A type that the plugin doesn't know in this version; the next one handles it.
    installation.publish(kProbeTopic, {probe_event("thing.counted.v1", "one", 1), probe_event("thing.counted.v2", "one", 2), {"", "{cut"}});
    installation.drain();
    const auto list = [&](const char *status) {
        return json_of(installation, {"deadletter", "list", "-d", "probe", "--json", "--status", status})["dead_letters"];
    };
    REQUIRE(list("pending").size() == 2);
    const std::string id = probe_id("thing.counted.v2", "one", 2);
    const auto shown = json_of(installation, {"deadletter", "show", "-d", "probe", "--json", id});
    CHECK(shown["error_type"] == "unsupported_version");
    CHECK_THAT(shown["raw"].get<std::string>(), Contains("thing.counted.v2"));
    CHECK(json_of(installation, {"deadletter", "replay", "-d", "probe", "--json", id}, 1)["failed"] == 1);
    CHECK(number(installation.domain("probe"), "select retry_count from dead_letter_queue where event_id = '" + id + "'") == 1);

    installation.place("probe_versions", "probe");
    CHECK(json_of(installation, {"deadletter", "replay", "-d", "probe", "--json", "--dry-run", id})["would apply"] == 1);
    CHECK(number(installation.domain("probe"), "select count(*) from seen") == 1);
    CHECK(json_of(installation, {"deadletter", "replay", "-d", "probe", "--json", id})["replayed"] == 1);
    CHECK(json_of(installation, {"deadletter", "replay", "-d", "probe", "--json", id})["not_pending"] == 1);
    CHECK(number(installation.domain("probe"), "select count(*) from seen") == 2);
    CHECK(number(installation.domain("probe"), "select count(*) from event_ledger where event_id = '" + id + "' and outcome = 'applied'") ==
          1);
    CHECK(json_of(installation, {"deadletter", "drop", "-d", "probe", "--json", "--all"})["dropped"] == 1);
    CHECK(list("pending").empty());
    CHECK(list("all").size() == 2);
}

TEST_CASE("of two hosts on one group on Redis and PostgreSQL one serves, the other takes over after a kill, losing and doubling nothing") {
    Installation installation({"linting", "spellcheck"}, on_servers());
    installation.set("engine.batch_max_events", "25");
    installation.set("engine.lease_ttl_ms", "30000"); // so long may the first stand still and keep it; a kill shows at once
    const auto claimed = [](const HostProcess &host) { return host.said("partition.claimed", {"\"domain\":\"linting\""}); };
    installation.publish(kIdentityTopic, {sample().begin(), sample().begin() + 1500});
    auto first = installation.start({}, "-a");
    REQUIRE(eventually([&] { return claimed(*first); }));
    auto second = installation.start({}, "-b");
    REQUIRE(eventually([&] { return second->said("host.ready").size() == 1; }));
    CHECK_FALSE(claimed(*second));
    installation.publish(kIdentityTopic, {sample().begin() + 1500, sample().end()});
    first->kill();
    REQUIRE(eventually([&] { return claimed(*second); }, 60s));
    REQUIRE(eventually([&] { return installation.backlog(kIdentityTopic, "lint_group") == 0; }));
    second->kill();
    installation.drain();
    check_domains(installation, expectation());
}

TEST_CASE("tables that a Python service made with SQLAlchemy are adopted with their rows") {
    Installation installation({"linting"}, on_servers());
    PostgresServer &server = *installation.backends().postgresql;
    // As metadata.create_all() writes it, ORM defaults being Python's and so absent here; owned by the login of the service, which Weir
    // takes over.
    server.query(
        "set role weir; create schema linting; "
        "create table linting.identity_projection (tenant_id UUID NOT NULL, user_id UUID NOT NULL, email VARCHAR, display_name VARCHAR, "
        "status VARCHAR NOT NULL, updated_at TIMESTAMP WITH TIME ZONE NOT NULL, PRIMARY KEY (tenant_id, user_id)); "
        "create table linting.event_ledger (event_id UUID NOT NULL, received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, "
        "PRIMARY KEY (event_id)); "
        "create table linting.user_prefs (tenant_id UUID NOT NULL, user_id UUID NOT NULL, rules JSON NOT NULL, version INTEGER NOT NULL, "
        "updated_at TIMESTAMP WITH TIME ZONE NOT NULL, PRIMARY KEY (tenant_id, user_id)); "
        "insert into linting.identity_projection values ('99999999-0000-4000-8000-000000000001', "
        "'99999999-0000-4000-8000-000000000002', 'kept@example.org', 'Kept', 'active', '2020-01-01T00:00:00Z'); "
        "insert into linting.event_ledger values ('" +
            nlohmann::json::parse(sample().front().body)["event_id"].get<std::string>() + "');",
        installation.database_name());
    installation.publish(kIdentityTopic, sample());
    const auto counts = installation.drain().at("linting").counts;
    CHECK(counts.messages == expectation().messages);
    CHECK(counts.duplicates == expectation().duplicates + 1); // the Python service had applied the first one
    const Database database = installation.domain("linting");
    CHECK(number(database, "select count(*) from identity_projection where display_name = 'Kept'") == 1);
    CHECK(number(database, "select count(*) from identity_projection") >= static_cast<std::int64_t>(expectation().rows.size()));
}

TEST_CASE("publish, topics, tail and config check work on Redis and PostgreSQL, and no password is shown") {
    Backends backends;
    RedisOptions redis;
    redis.requirepass = "hunter2";
    backends.redis = std::make_shared<RedisServer>(redis);
    backends.postgresql = on_embedded_and_postgresql().postgresql;
    Installation installation({"linting", "spellcheck"}, backends);
    std::string lines;
    for (std::size_t i = 0; i < 30; ++i) {
        lines += sample()[i].body + "\n";
    }
    write_file(installation.root() / "events.jsonl", lines);
    std::string out;
    std::string err;
    const auto words = [&](std::vector<std::string> more) { return with_config(installation, std::move(more)); };
    CHECK(run(installation, words({"publish", "--raw", "-t", kIdentityTopic, (installation.root() / "events.jsonl").string()}), out, err) ==
          0);
    CHECK_THAT(err, Contains("it was made"));
    const auto topics = json_of(installation, {"topics", "--json"});
    CHECK(topics[0]["topic"] == kIdentityTopic);
    CHECK(topics[0]["length"] == 30);
    CHECK(run(installation, words({"tail", "--raw", "-n", "7", kIdentityTopic}), out, err) == 0);
    CHECK(out == lines.substr(lines.size() - out.size()));
    CHECK(std::count(out.begin(), out.end(), '\n') == 7);

    CHECK(run(installation, words({"config", "check"}), out, err) == 0);
    CHECK_THAT(out, Contains("appendfsync") && Contains("linting: each event takes effect exactly once") && !Contains("hunter2") &&
                        !Contains(PostgresServer::kPassword));
    CHECK(run(installation, words({"doctor", "--json"}), out, err) <= 1);
    CHECK_THAT(out, Contains("redis") && Contains("postgresql") && !Contains("hunter2") && !Contains(PostgresServer::kPassword));
    backends.redis->stop();
    CHECK(run(installation, words({"config", "check"}), out, err) == 0);
    CHECK_THAT(out, Contains("can't be reached now"));
    CHECK(run(installation, words({"topics"}), out, err) == 5);
    CHECK_THAT(err, Contains("broker.url") && !Contains("hunter2"));
}

TEST_CASE("domains that name different Redis servers are each served from their own") {
    const Backends one = on_servers();
    const Backends two = on_servers();
    Installation installation({"linting", "spellcheck"}, one);
    installation.set("broker.url", "");
    const auto domain = [&](const std::string &name, const Backends &backends) {
        write_file(installation.domains() / (name + ".json"), R"({"service": {"domain": ")" + name +
                                                                  R"("}, "topics": ["identity.user.v1"], "redis": {"url": ")" +
                                                                  backends.redis->url() + "\"}}");
    };
    domain("linting", one);
    domain("spellcheck", two);
    for (int i = 0; i < 20; ++i) {
        const std::string &body = sample()[static_cast<std::size_t>(i)].body;
        one.redis->command({"XADD", kIdentityTopic, "*", "event", body});
        if (i < 5) {
            two.redis->command({"XADD", kIdentityTopic, "*", "event", body});
        }
    }
    const auto report = installation.drain();
    CHECK(report.at("linting").counts.messages == 20);
    CHECK(report.at("spellcheck").counts.messages == 5);
    std::string out;
    std::string err;
    CHECK(run(installation, with_config(installation, {"tail", kIdentityTopic}), out, err) == 4);
    CHECK_THAT(err, Contains("WEIR_BROKER_URL"));
    CHECK(json_of(installation, {"topics", "--json"}).size() == 2);
}
