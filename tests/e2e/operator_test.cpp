// SPDX-License-Identifier: Apache-2.0
// What operators are told of a host on servers: mistyped topics, hosts that are gone, missing rights, the key that is in effect.
#include "sample.hpp"

#include <catch2/catch.hpp>

#include <csignal>

using namespace weir::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

const std::string kProbeTopic = "probe.thing.v1";

Text counted(int number) { return probe_event("thing.counted.v1", "subject", number); }

struct Answer {
    int code = -1;
    std::string text; ///< standard output and error
};

/// Runs a command with the installation's configuration.
Answer ask(Installation &installation, std::vector<std::string> words) {
    words.insert(words.end(), {"-c", installation.config().string()});
    const auto process = installation.command(words);
    const auto ended = process->wait();
    REQUIRE(ended);
    return {ended->exit_code, process->output() + process->log()};
}

void stop(HostProcess &host) {
    host.signal(SIGTERM);
    const auto ended = host.wait(60s);
    REQUIRE(ended);
    CHECK(ended->exit_code == 0);
}

} // namespace

TEST_CASE("a mistyped topic is said by the log, status, doctor and config check with the one that was meant, and waited for") {
    for (const Backends &backends : {on_redis_and_sqlite(), Backends{}}) {
        CAPTURE(backends.name());
        Installation installation({"probe"}, backends);
        installation.publish(kProbeTopic, {counted(1)});
        write_file(installation.domains() / "probe.json", R"({"service": {"domain": "probe"}, "topics": ["probe.think.v1"]})");
        for (const char *command : {"doctor", "config"}) {
            const Answer answer = command == std::string("doctor") ? ask(installation, {"doctor"}) : ask(installation, {"config", "check"});
            INFO(answer.text);
            CHECK(answer.code == 0); // it may be published to yet
            CHECK_THAT(answer.text, Contains("topic 'probe.think.v1' is not on the broker") && Contains("did you mean 'probe.thing.v1'?"));
        }
        const auto host = installation.start();
        REQUIRE(eventually([&] { return host->said("domain.topic_missing", {"probe.think.v1", "did you mean 'probe.thing.v1'?"}); }));
        REQUIRE(eventually([&] { return installation.ready("probe"); }));
        const Answer status = ask(installation, {"status"});
        CHECK(status.code == 0);
        CHECK_THAT(status.text, Contains("topic 'probe.think.v1' is not on the broker") && Contains("did you mean 'probe.thing.v1'?"));
        installation.publish("probe.think.v1", {counted(2)});
        CHECK(eventually([&] { return number(installation.domain("probe"), "select count(*) from seen") == 1; }, 60s));
        CHECK(eventually([&] { return ask(installation, {"status"}).text.find("is not on the broker") == std::string::npos; }));
        stop(*host);
        CHECK(host->said("domain.topic_missing").size() == 1);
    }
}

TEST_CASE("a host that drains names a topic that isn't there, on either broker, and ends with 4 where --fail-fast wants that") {
    for (const Backends &backends : {on_redis_and_sqlite(), Backends{}}) {
        CAPTURE(backends.name());
        Installation installation({"probe"}, backends);
        installation.publish(kProbeTopic, {counted(1)});
        write_file(installation.domains() / "probe.json",
                   R"({"service": {"domain": "probe"}, "topics": ["probe.thing.v1", "probe.think.v1"]})");
        const auto drain = [&](const std::vector<std::string> &words, int expected) {
            const auto host = installation.start(words);
            const auto ended = host->wait(60s);
            REQUIRE(ended);
            INFO(host->log());
            CHECK(ended->exit_code == expected);
            return host->said("host.topic_not_drained", {"probe.think.v1", "did you mean 'probe.thing.v1'?"});
        };
        CHECK(drain({"--until-drained"}, 0));
        CHECK(number(installation.domain("probe"), "select count(*) from seen") == 1);
        CHECK(drain({"--until-drained", "--fail-fast"}, 4));
        installation.publish("probe.think.v1", {counted(2)});
        CHECK_FALSE(drain({"--until-drained", "--fail-fast"}, 0));
        CHECK(number(installation.domain("probe"), "select count(*) from seen") == 2);
    }
}

TEST_CASE("a killed host is told as gone at once, one beside it goes on being shown, and one that stands still is shown with its age") {
    Installation installation({"probe"}, on_redis_and_sqlite());
    const auto first = installation.start();
    REQUIRE(eventually([&] { return installation.ready("probe"); }));
    const auto second = installation.start(); // on the same state directory
    const auto shows = [&](const HostProcess &host) {
        return ask(installation, {"status"}).text.find("host of process " + std::to_string(host.pid()) + ", as it said ") !=
               std::string::npos;
    };
    REQUIRE(eventually([&] { return shows(*second); }));
    CHECK(shows(*first));
    first->kill(); // returns when it is gone: from now on nothing of it may look alive
    const Answer status = ask(installation, {"status"});
    INFO(status.text);
    CHECK_THAT(status.text, !Contains("host of process " + std::to_string(first->pid()) + ", as it said"));
    CHECK(shows(*second));
    second->signal(SIGSTOP);
    CHECK(eventually([&] { return ask(installation, {"status"}).text.find("hangs or stands still") != std::string::npos; }));
    second->signal(SIGCONT);
    CHECK(eventually([&] { return ask(installation, {"status"}).text.find("hangs or stands still") == std::string::npos; }));
    second->kill();
    const Answer gone = ask(installation, {"status"});
    CHECK(gone.code == 1);
    CHECK_THAT(gone.text, Contains("is gone: it was killed"));
}

TEST_CASE("doctor names the rights that a Redis user lacks on the topics with the statement that grants them, which is enough") {
    RedisOptions options;
    options.acl = "user default on nopass ~* &* +@all\n"
                  "user none on >secret ~elsewhere +hello +auth\n"
                  "user weir on >secret ~probe.thing.v1 ~probe.thing.v1.* +hello +auth +type +xinfo +xgroup +xpending +xclaim +xrange "
                  "+xrevrange +xlen +config|get +info +time\n";
    Backends backends;
    backends.redis = std::make_shared<RedisServer>(options);
    Installation installation({"probe"}, backends);
    installation.publish(kProbeTopic, {counted(1)});
    const auto as = [&](const std::string &user) {
        installation.set("broker.url", backends.redis->url(user, "secret"));
        return ask(installation, {"doctor"});
    };
    const Answer none = as("none");
    CHECK(none.code == 1);
    CHECK_THAT(none.text, Contains("ACL SETUSER none ") && Contains("~probe.thing.v1"));
    Answer answer = as("weir");
    INFO(answer.text);
    CHECK(answer.code == 1);
    CHECK_THAT(answer.text,
               Contains("the user 'weir' lacks +xack +xreadgroup: ") && Contains("the user 'weir' lacks +exec +multi +xadd: "));
    const std::string before = backends.redis->command({"XINFO", "STREAM", kProbeTopic});
    std::size_t granted = 0;
    for (std::size_t at = answer.text.find("ACL SETUSER weir "); at != std::string::npos;
         at = answer.text.find("ACL SETUSER weir ", at + 1)) {
        std::vector<std::string> words;
        std::string word;
        for (const char c : answer.text.substr(at, answer.text.find(" (", at) - at)) {
            if (c == ' ') {
                words.push_back(std::exchange(word, {}));
            } else {
                word += c;
            }
        }
        words.push_back(word);
        backends.redis->command(words);
        ++granted;
    }
    CHECK(granted == 4); // serving, publishing, limits, looking
    answer = ask(installation, {"doctor"});
    CHECK(answer.code == 0);
    CHECK_THAT(answer.text, Contains("has the rights that Weir needs") && !Contains("lacks"));
    CHECK(backends.redis->command({"XINFO", "STREAM", kProbeTopic}) == before); // nothing was done by asking
    CHECK(backends.redis->command({"XLEN", kProbeTopic}) == "1");
    CHECK(installation.drain().at("probe").counts.applied == 1);
}

TEST_CASE("where a domain's redis.url is in effect, messages name it, and not broker.url") {
    RedisOptions options;
    options.requirepass = "hunter1";
    Backends backends;
    backends.redis = std::make_shared<RedisServer>(options);
    Installation installation({"probe"}, backends);
    installation.set("broker.url", ""); // counts as not set
    const std::string wrong = backends.redis->url("default", "hunter2");
    write_file(installation.domains() / "probe.json",
               R"({"service": {"domain": "probe"}, "redis": {"url": ")" + wrong + R"("}, "topics": ["probe.thing.v1"]})");
    const auto host = installation.start();
    REQUIRE(eventually([&] {
        return host->said("domain.not_ready", {"redis.url of the domain probe: ", "set them in redis.url of the domain"});
    }));
    CHECK_THAT(host->log(), !Contains("broker.url") && !Contains("hunter"));
    stop(*host);
    for (const std::vector<std::string> &command : {std::vector<std::string>{"doctor"}, {"config", "check"}, {"topics"}}) {
        const Answer answer = ask(installation, command);
        INFO(answer.text);
        CHECK_THAT(answer.text, Contains("redis.url of the domain probe") && !Contains("hunter") && !Contains("start it")); // it runs
    }
    CHECK(ask(installation, {"topics"}).code == 4);
}

TEST_CASE("the lines of a rebuild are marked as its own") {
    Installation installation({"probe"});
    installation.publish(kProbeTopic, {counted(1), {"subject", "{cut"}});
    REQUIRE(installation.drain().at("probe").counts.dead_letters == 1);
    const auto rebuild = installation.command({"rebuild", "probe", "-c", installation.config().string()});
    REQUIRE(rebuild->wait());
    INFO(rebuild->log());
    CHECK(rebuild->wait()->exit_code == 0);
    REQUIRE(rebuild->said("event.dead_letter").size() == 1);
    REQUIRE(rebuild->said("domain.ready").size() == 1);
    for (const char *event : {"event.dead_letter", "domain.ready", "rebuild.swapped"}) {
        CHECK(rebuild->said(event, {R"("rebuild":"probe")"}));
    }
}
