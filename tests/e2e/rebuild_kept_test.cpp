// SPDX-License-Identifier: Apache-2.0
// What a rebuild does where topics don't hold any more what the domain has decided.
#include "database.hpp"
#include "installation.hpp"

#include <catch2/catch.hpp>

#include <csignal>

using namespace weir::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

const char *const kTopic = "probe.thing.v1";
const char *const kType = "thing.counted.v1";

struct Said {
    int code = -1;
    std::string text;
};

/// A domain whose messages are published, and topics harmed, while no process has the broker open.
class Kept {
public:
    explicit Kept(const Backends &backends) : installation({"probe"}, backends) {}

    Said run(const std::vector<std::string> &words) {
        std::vector<std::string> line = words;
        line.insert(line.end(), {"-c", installation.config().string()});
        const auto process = installation.command(line);
        const auto ended = process->wait(120s);
        REQUIRE(ended);
        return {ended->exit_code, process->output() + process->log()};
    }

    /// Publishes events of one subject, some more than once.
    void publish(const std::string &topic, const std::string &subject, int events, int copies = 1) {
        std::string lines;
        for (int copy = 0; copy < copies; ++copy) {
            for (int number = 0; number < events; ++number) {
                lines += probe_event(kType, subject, number).body + "\n";
            }
        }
        write_file(installation.root() / "lines.jsonl", lines);
        const Said said = run({"publish", "-t", topic, (installation.root() / "lines.jsonl").string()});
        INFO(said.text);
        REQUIRE(said.code == 0);
    }

    void make_anew() {
        if (installation.backends().redis) {
            installation.backends().redis->command({"DEL", kTopic});
        } else {
            std::filesystem::remove(broker());
        }
    }
    void back_up() {
        if (installation.backends().redis) {
            installation.backends().redis->command({"COPY", kTopic, "saved"});
        } else {
            std::filesystem::copy_file(broker(), installation.root() / "saved.db");
        }
    }
    void restore() {
        if (installation.backends().redis) {
            installation.backends().redis->command({"DEL", kTopic});
            installation.backends().redis->command({"RENAME", "saved", kTopic});
        } else {
            std::filesystem::rename(installation.root() / "saved.db", broker());
        }
    }

    std::int64_t rows() const { return number(installation.domain("probe"), "select count(*) from seen"); }

    /// So many of the domain's events are gone: nothing is done to its rows but for who consents, and only once.
    void check_refused(std::int64_t gone) {
        const std::int64_t before = rows();
        const std::string figures = "of the " + std::to_string(before) +
                                    " events that this domain has decided, the topics don't hold about " + std::to_string(gone) +
                                    " any more";
        const Said dry = run({"rebuild", "probe", "--dry-run"});
        CHECK(dry.code == 1);
        CHECK_THAT(dry.text, Contains(figures) && Contains("--from-what-is-kept"));
        const Said refused = run({"rebuild", "probe"});
        CHECK(refused.code == 1);
        CHECK_THAT(refused.text, Contains(figures) && Contains("--from-what-is-kept"));
        CHECK(rows() == before);
        const Said consented = run({"rebuild", "probe", "--from-what-is-kept"});
        INFO(consented.text);
        CHECK(consented.code == 0);
        CHECK(rows() == before - gone);
        const Said again = run({"rebuild", "probe"}); // which loses nothing more
        INFO(again.text);
        CHECK(again.code == 0);
        CHECK(rows() == before - gone);
    }

    Installation installation;

private:
    std::filesystem::path broker() const { return installation.root() / "broker.db"; }
};

} // namespace

TEST_CASE("a rebuild is refused where a topic was made anew, also once the new one was read, and with more messages in it than before") {
    const Backends backends = GENERATE(Backends{}, on_servers());
    INFO(backends.name());
    Kept kept(backends);
    kept.publish(kTopic, "first", 50);
    kept.installation.drain();
    CHECK(kept.run({"rebuild", "probe"}).code == 0);
    kept.make_anew();
    kept.publish(kTopic, "second", 100, 3); // 300 messages, 100 events
    kept.installation.drain();
    REQUIRE(kept.rows() == 150);
    kept.check_refused(50);
    kept.make_anew(); // what was given up once gives no consent to more
    kept.publish(kTopic, "third", 10);
    kept.installation.drain();
    CHECK(kept.run({"rebuild", "probe"}).code == 1);
    CHECK(kept.rows() == 110);
}

TEST_CASE(
    "a rebuild is refused where the broker was restored from an older copy, before and after new messages have taken the old places") {
    const Backends backends = GENERATE(Backends{}, on_servers());
    INFO(backends.name());
    const bool read_on = GENERATE(false, true);
    CAPTURE(read_on);
    Kept kept(backends);
    kept.publish(kTopic, "first", 50);
    kept.installation.drain();
    kept.back_up();
    kept.publish(kTopic, "second", 30);
    kept.installation.drain();
    kept.restore();
    if (read_on) {
        kept.publish(kTopic, "third", 60);
        kept.installation.drain();
        REQUIRE(kept.rows() == 140);
    } else {
        CHECK_THAT(kept.run({"rebuild", "probe", "--dry-run"}).text, Contains("restored from an older copy"));
    }
    kept.check_refused(30);
}

TEST_CASE("a rebuild is refused where the domain reads other topics than before, and not where these hold the same events") {
    const Backends backends = GENERATE(Backends{}, on_servers());
    INFO(backends.name());
    Kept kept(backends);
    kept.publish(kTopic, "first", 50);
    kept.installation.drain();
    kept.publish("probe.other.v1", "second", 20);
    write_file(kept.installation.domains() / "probe.json",
               R"({"service": {"domain": "probe", "schema": "probe"}, "topics": ["probe.other.v1"]})");
    kept.installation.drain();
    REQUIRE(kept.rows() == 70);
    CHECK_THAT(kept.run({"rebuild", "probe", "--dry-run"}).text, Contains("has read topic probe.thing.v1, which is not among its topics"));
    SECTION("they are gone with it") { kept.check_refused(50); }
    SECTION("they were published again") {
        kept.publish("probe.other.v1", "first", 50);
        kept.installation.drain();
        const Said said = kept.run({"rebuild", "probe"});
        INFO(said.text);
        CHECK(said.code == 0);
        CHECK(kept.rows() == 70);
    }
}

TEST_CASE(
    "a plugin that has lost a handler is told of where it is checked, installed, listed and taken over, and before a rebuild with it") {
    Kept kept({});
    const std::string lost = "handle_probe_thing_counted";
    const std::string file = Installation::built("probe_misspelt").string();
    kept.publish(kTopic, "first", 5);
    const auto host = kept.installation.start();
    REQUIRE(eventually([&] { return kept.rows() == 5; }, 60s));
    CHECK_THAT(kept.run({"plugin", "check", Installation::built("probe_2").string()}).text, !Contains("note"));
    CHECK_THAT(kept.run({"plugin", "check", file}).text, Contains("note") && Contains(lost));
    CHECK_THAT(kept.run({"plugin", "check", file, "--json"}).text, Contains("\"handlers_lost\":[\"" + lost + "\"]"));
    const Said installed = kept.run({"plugin", "install", file});
    CHECK(installed.code == 0);
    CHECK_THAT(installed.text, Contains(lost));
    CHECK_THAT(kept.run({"plugin", "list"}).text, Contains(lost));
    REQUIRE(eventually([&] { return host->said("plugin.handlers_lost", std::vector<std::string>{lost, "6.0.0"}); }, 60s));
    kept.publish(kTopic, "second", 3);
    REQUIRE(eventually([&] { return kept.installation.status().at("probe").counts.ignored == 3; }, 60s));
    CHECK_THAT(kept.run({"rebuild", "probe", "--dry-run"}).text,
               Contains("8 events of type " + std::string(kType) + " have no handler in probe 6.0.0 and would be ignored"));
    CHECK(kept.run({"plugin", "rollback", "probe"}).code == 0);
    CHECK_THAT(kept.run({"plugin", "list"}).text, !Contains(lost));
    CHECK_THAT(kept.run({"rebuild", "probe", "--dry-run"}).text, !Contains("no handler"));
    const Said rebuilt = kept.run({"rebuild", "probe"});
    CHECK_THAT(rebuilt.text, Contains("made again from 8 events (8 applied, 0 ignored, 0 dead letters)"));
    CHECK(kept.rows() == 8);
    host->signal(SIGTERM);
    CHECK(host->wait()->exit_code == 0);
}
