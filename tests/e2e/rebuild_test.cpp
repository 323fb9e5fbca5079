// SPDX-License-Identifier: Apache-2.0
#include "database.hpp"
#include "installation.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <cstdio>
#include <memory>
#include <random>

using namespace weir::test;
using namespace std::chrono_literals;

namespace {

const char *const kTopic = "probe.thing.v1";
const char *const kType = "thing.counted.v1";

/// Publishes events of some subjects, each with its own count, and knows what rows they make.
class Publisher {
public:
    explicit Publisher(Installation &installation) : installation_(installation) {}

    void publish(std::size_t events, std::mt19937_64 &random) {
        std::vector<Text> messages;
        for (std::size_t i = 0; i < events; ++i) {
            const std::string subject = "subject-" + std::to_string(random() % 20);
            messages.push_back(probe_event(kType, subject, static_cast<int>(counts_[subject]++)));
            if (random() % 50 == 0) {
                messages.push_back(messages[random() % messages.size()]); // a second copy of some event
            }
        }
        installation_.publish(kTopic, messages);
        total_ += static_cast<std::int64_t>(events);
    }

    std::int64_t total() const { return total_; }

    /// Nothing lost, nothing doubled.
    void check_effects() const {
        const auto database = installation_.domain("probe");
        CHECK(tally(database, "select subject, times from subjects") == counts_);
        CHECK(number(database, "select count(*) from seen") == total_);
        CHECK(number(database, "select count(*) from event_ledger") == total_);
    }

    void check_rows() const {
        const auto database = installation_.domain("probe");
        check_effects();
        CHECK(number(database, "select sum(disorder) from subjects") == 0);
        CHECK(number(database, "select count(*) from subjects where last <> times - 1") == 0);
        CHECK(number(database, "select sum(events) from event_ledger_counts") == total_);
        CHECK(integrity(database) == "ok");
    }

private:
    Installation &installation_;
    std::map<std::string, std::int64_t> counts_;
    std::int64_t total_ = 0;
};

std::vector<std::string> line(const Installation &installation, std::vector<std::string> more = {}) {
    std::vector<std::string> result{"rebuild", "probe", "-c", installation.config().string()};
    result.insert(result.end(), more.begin(), more.end());
    return result;
}

/// Runs it to its end. @return its exit code
int rebuild(Installation &installation, const std::vector<std::string> &more = {}, std::string *output = nullptr) {
    const auto process = installation.command(line(installation, more));
    const auto ended = process->wait(120s);
    INFO(process->log());
    REQUIRE(ended);
    CHECK(ended->signal == 0);
    if (output) {
        *output = process->output() + process->log();
    }
    return ended->exit_code;
}

std::int64_t shadow_rows(const Installation &installation) {
    return number(installation.domain("probe__rebuild"), "select count(*) from seen"); // -1: there is none
}

bool has_shadow(const Installation &installation) { return shadow_rows(installation) >= 0; }

bool idle(Installation &installation) {
    return installation.backlog(kTopic, "probe_group") == 0 && installation.pending(kTopic, "probe_group") == 0;
}

void kill_rebuilds_and_hosts(const Backends &backends, int rounds) {
    std::mt19937_64 random(seed());
    Installation installation({"probe"}, backends);
    installation.set("engine.batch_max_events", "40");
    Publisher publisher(installation);
    publisher.publish(2000, random);
    auto host = installation.start();
    REQUIRE(eventually([&] { return installation.ready("probe") && idle(installation); }, 60s));
    installation.place("probe_2", "probe"); // the host takes it over, and so does every rebuild
    REQUIRE(eventually([&] {
        const auto status = installation.status();
        return status.contains("probe") && status.at("probe").version == "2.0.0";
    }));
    int rebuild_kills = 0;
    int host_kills = 0;
    int ended_by_themselves = 0;
    std::unique_ptr<HostProcess> process;
    for (int i = 0; i < rounds; ++i) {
        publisher.publish(100 + random() % 200, random);
        if (!process) {
            process = installation.command(line(installation));
        }
        process->wait(std::chrono::milliseconds(random() % 400));
        publisher.publish(50, random);
        if (!process->running()) {
            const auto ended = process->wait();
            INFO(process->log());
            REQUIRE(ended);
            REQUIRE(ended->exit_code == 0);
            ++ended_by_themselves;
            process.reset();
        } else if (random() % 3 != 0) {
            process->kill();
            process.reset();
            ++rebuild_kills;
        }
        if (random() % 3 == 0) {
            host->kill();
            host = installation.start();
            ++host_kills;
        }
    }
    if (process) {
        process->kill();
    }
    std::printf("%d rebuilds killed, %d ended by themselves; %d hosts killed\n", rebuild_kills, ended_by_themselves, host_kills);
    if (rebuild_kills == 0) {
        WARN("every rebuild had ended before it was to be killed");
    }
    CHECK(rebuild(installation) == 0);
    CHECK_FALSE(has_shadow(installation));
    publisher.publish(500, random);
    REQUIRE(eventually([&] { return idle(installation); }, 60s));
    host->signal(SIGTERM);
    REQUIRE(host->wait());
    CHECK(host->wait()->exit_code == 0);
    installation.drain();
    publisher.check_rows();
    CHECK(tally(installation.domain("probe"), "select version, count(*) from seen group by 1") ==
          std::map<std::string, std::int64_t>{{"2.0.0", publisher.total()}});
    CHECK(number(installation.domain("probe"), "select count(*) from dead_letter_queue") == 0);
    CHECK(number(installation.domain("probe"), "select count(*) from outbox") == 0);
}

} // namespace

TEST_CASE("rebuilds that are killed, beside hosts that are killed, while events arrive, end in the rows that the events make") {
    kill_rebuilds_and_hosts({}, knob("WEIR_TEST_KILLS", 16));
}

TEST_CASE("on Redis and PostgreSQL, rebuilds and hosts that are killed while events arrive end in the rows that the events make") {
    kill_rebuilds_and_hosts(on_servers(), knob("WEIR_TEST_KILLS", 10));
}

TEST_CASE("a parallel domain is rebuilt beside two hosts that share its topic, and no event is lost or doubled") {
    const Backends backends = GENERATE(Backends{}, on_servers());
    INFO(backends.name());
    std::mt19937_64 random(seed());
    Installation installation({"probe"}, backends);
    installation.set("engine.batch_max_events", "20");
    write_file(installation.domains() / "probe.json", R"({"service": {"domain": "probe", "schema": "probe"}, "order": "parallel"})");
    Publisher publisher(installation);
    publisher.publish(1000, random);
    const auto first = installation.start();
    const auto second = installation.start({}, "2");
    REQUIRE(eventually([&] { return installation.ready("probe") && installation.ready("probe", "2"); }, 60s));
    for (int i = 0; i < 3; ++i) {
        const auto process = installation.command(line(installation));
        for (int part = 0; part < 20 && process->running(); ++part) {
            publisher.publish(100, random);
            process->wait(std::chrono::milliseconds(random() % 100));
        }
        const auto ended = process->wait();
        INFO(process->log());
        REQUIRE(ended);
        CHECK(ended->exit_code == 0);
    }
    REQUIRE(eventually([&] { return idle(installation); }, 60s));
    publisher.check_effects();
    CHECK(number(installation.domain("probe"), "select count(*) from dead_letter_queue") == 0);
}

TEST_CASE("a rebuild mends rows that were damaged, twice if need be, and changes nothing where nothing is wrong") {
    const Backends backends = GENERATE(Backends{}, on_servers());
    INFO(backends.name());
    std::mt19937_64 random(seed());
    Installation installation({"probe"}, backends);
    Publisher publisher(installation);
    publisher.publish(3000, random);
    installation.drain();
    const auto database = installation.domain("probe");
    for (int time = 0; time < 2; ++time) {
        query(database, "update subjects set times = times + 7 where subject < 'subject-2'");
        query(database, "delete from seen where event_id in (select event_id from seen limit 100)");
        query(database, "insert into subjects (subject, times, last, disorder) values ('nobody', 1, 1, 1)");
        std::string said;
        CHECK(rebuild(installation, {"--json"}, &said) == 0);
        CHECK(said.find("\"rows_removed\":1,") != std::string::npos);
        CHECK(said.find("\"rows_added\":100,") != std::string::npos);
        publisher.check_rows();
    }
    std::string said;
    CHECK(rebuild(installation, {"--json"}, &said) == 0);
    CHECK(said.find("\"rows_added\":0,\"rows_changed\":0,\"rows_removed\":0,") != std::string::npos);
    publisher.publish(100, random);
    installation.drain();
    publisher.check_rows();
}

TEST_CASE("what becomes of dead letters in a rebuild follows what the events come to now, and what operators decided") {
    const Backends backends = GENERATE(Backends{}, on_servers());
    INFO(backends.name());
    Installation installation({"probe_strict"}, backends);
    std::vector<Text> messages;
    for (int i = 0; i < 10; ++i) {
        messages.push_back(probe_event(kType, "a", i, i % 3 == 0 ? "unwelcome" : "")); // 0, 3, 6 and 9
    }
    messages.push_back({"b", "{no json"});
    messages.push_back({"b", "{}"});
    installation.publish(kTopic, messages);
    installation.drain();
    const auto database = installation.domain("probe");
    const auto letters = [&] {
        std::map<std::string, std::string> result;
        for (const Row &row : query(database, "select id || ' ' || event_id, status || ' ' || error_type from dead_letter_queue")) {
            result[*row[0]] = *row[1];
        }
        return result;
    };
    const auto before = letters();
    REQUIRE(before.size() == 6);
    const auto deadletter = [&](const std::string &verb, int event) {
        const auto process = installation.command(
            {"deadletter", verb, "-c", installation.config().string(), "--domain", "probe", probe_id(kType, "a", event)});
        REQUIRE(process->wait());
        INFO(process->log() + process->output());
        REQUIRE(process->wait()->exit_code == 0);
    };
    std::filesystem::remove(installation.plugins() / "probe_strict.so");
    installation.place("probe_2");
    deadletter("drop", 3);
    deadletter("replay", 6);
    CHECK(rebuild(installation) == 0);
    const auto after = letters();
    CHECK(after.size() == 4); // 0 and 9 are applied now
    for (const auto &[letter, state] : after) {
        INFO(letter + " " + state);
        CHECK(before.contains(letter)); // id and event as they were
        const bool dropped = letter.ends_with(probe_id(kType, "a", 3));
        const bool replayed = letter.ends_with(probe_id(kType, "a", 6));
        CHECK(state.starts_with(dropped ? "dropped " : replayed ? "replayed " : "pending "));
    }
    CHECK(number(database, "select times from subjects where subject = 'a'") == 9); // all but the dropped one
    CHECK(number(database, "select disorder from subjects where subject = 'a'") == 0);
    CHECK(number(database, "select last from subjects where subject = 'a'") == 9);
    CHECK(ledger_outcomes(database) == std::map<std::string, std::int64_t>{{"applied", 9}, {"dead", 3}});
    CHECK(rebuild(installation) == 0);
    CHECK(letters() == after);
}

TEST_CASE("a topic that doesn't keep its beginning is refused, and said before, but for who gives the rest up") {
    std::mt19937_64 random(seed());
    Installation installation({"probe"});
    installation.set("broker.url", "embedded://" + (installation.root() / "broker.db").string() + "?synchronous=normal&max_messages=1000");
    Publisher publisher(installation);
    for (int i = 0; i < 3; ++i) {
        publisher.publish(900, random);
        installation.drain();
    }
    const auto rows = number(installation.domain("probe"), "select count(*) from seen");
    std::string said;
    CHECK(rebuild(installation, {"--dry-run"}, &said) == 1);
    CHECK(said.find("doesn't keep its first") != std::string::npos);
    CHECK(rebuild(installation, {}, &said) == 1);
    CHECK(said.find("--from-what-is-kept") != std::string::npos);
    CHECK_FALSE(has_shadow(installation));
    CHECK(number(installation.domain("probe"), "select count(*) from seen") == rows);
    publisher.check_rows();
    CHECK(rebuild(installation, {"--from-what-is-kept"}) == 0);
    CHECK(number(installation.domain("probe"), "select count(*) from seen") < rows);
    CHECK(number(installation.domain("probe"), "select count(*) from event_ledger") == publisher.total());
}

TEST_CASE("an interrupted rebuild is told of, gone on with or removed; a second one beside it and one with another plugin are refused") {
    const Backends backends = GENERATE(Backends{}, on_servers());
    INFO(backends.name());
    std::mt19937_64 random(seed());
    Installation installation({"probe"}, backends);
    Publisher publisher(installation);
    publisher.publish(20000, random);
    installation.drain();
    installation.set("engine.batch_max_events", "5"); // so that it takes a while
    std::string said;
    CHECK(rebuild(installation, {"--status"}, &said) == 0);
    CHECK(said.find("No rebuild") != std::string::npos);
    CHECK(rebuild(installation, {"--dry-run"}, &said) == 0);
    CHECK_FALSE(has_shadow(installation));
    auto first = installation.command(line(installation));
    REQUIRE(eventually([&] { return shadow_rows(installation) > 100; }));
    CHECK(rebuild(installation, {}, &said) == 1);
    CHECK(said.find("being rebuilt by another process") != std::string::npos);
    CHECK(rebuild(installation, {"--cancel"}, &said) == 1);
    CHECK(rebuild(installation, {"--status"}, &said) == 0);
    CHECK(said.find("is under way") != std::string::npos);
    REQUIRE(first->running());
    first->signal(SIGINT);
    REQUIRE(first->wait());
    INFO(first->log());
    CHECK(first->wait()->exit_code == 130);
    CHECK(first->output().find("goes on") != std::string::npos);
    CHECK(rebuild(installation, {"--status"}, &said) == 0);
    CHECK(said.find("was interrupted") != std::string::npos);
    installation.place("probe_2", "probe");
    CHECK(rebuild(installation, {}, &said) == 1);
    CHECK(said.find("--cancel") != std::string::npos);
    installation.place("probe");
    publisher.check_rows();
    CHECK(rebuild(installation, {"--json"}, &said) == 0);
    CHECK(said.find("\"decided\":20000,") != std::string::npos);
    publisher.check_rows();
    first = installation.command(line(installation));
    REQUIRE(eventually([&] { return shadow_rows(installation) > 100; }));
    first->kill();
    CHECK(rebuild(installation, {"--cancel"}, &said) == 0);
    CHECK_FALSE(has_shadow(installation));
    CHECK(rebuild(installation, {"--cancel"}, &said) == 0);
    publisher.check_rows();
}

TEST_CASE("where the login may not drop schemas, a rebuild is removed from the schema that it was lent, and the next one is made there") {
    std::mt19937_64 random(seed());
    Installation installation({"probe"}, on_servers());
    PostgresServer &server = *installation.backends().postgresql;
    const std::string login = installation.database_name() + "_login";
    server.create_role(login, "hunter4");
    server.query("create schema probe authorization " + login + "; create schema probe__rebuild authorization " + login,
                 installation.database_name());
    installation.set("store.url", server.url(installation.database_name(), login, "hunter4"));
    installation.set("store.roles", "false"); // roles are the server's, and those of the other tests are another login's
    Publisher publisher(installation);
    publisher.publish(5000, random);
    installation.drain();
    installation.set("engine.batch_max_events", "5");
    const auto first = installation.command(line(installation));
    REQUIRE(eventually([&] { return shadow_rows(installation) > 100; }));
    first->kill();
    std::string said;
    CHECK(rebuild(installation, {"--cancel"}, &said) == 0);
    CHECK(said.find("The shadow of probe is removed") != std::string::npos);
    CHECK_FALSE(has_shadow(installation));
    const auto things = [&] {
        return number(installation.domain("probe"), "select count(*) from pg_class where relnamespace = 'probe__rebuild'::regnamespace");
    };
    CHECK(things() == 0);
    CHECK(rebuild(installation, {"--status"}, &said) == 0);
    CHECK(said.find("No rebuild") != std::string::npos);
    publisher.check_rows();
    CHECK(rebuild(installation, {"--json"}, &said) == 0);
    CHECK(said.find("\"decided\":5000,") != std::string::npos);
    CHECK(things() == 0);
    publisher.check_rows();
}
