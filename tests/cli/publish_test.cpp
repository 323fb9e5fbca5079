// SPDX-License-Identifier: Apache-2.0
#include "workbench.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

using namespace weir::test;
using Catch::Matchers::Contains;

namespace {
std::uint64_t length(const Workbench &bench) {
    const auto topics = bench.weir({"topics", "-c", "--json"}).json();
    return topics.empty() ? 0 : topics[0]["length"].get<std::uint64_t>();
}
} // namespace

TEST_CASE("publish refuses wrong lines by number and pointer, and then publishes nothing at all") {
    const Workbench bench;
    const std::string bad_email = R"({"event_id":"10000000-0000-4000-8000-000000000009","event_type":"user.created.v1",)"
                                  R"("tenant_id":"20000000-0000-4000-8000-000000000009","occurred_at":"2026-01-01T00:00:00Z",)"
                                  R"("payload":{"user_id":"00000000-0000-4000-8000-000000000009","email":17}})";
    const std::string lines = created(1) + "\n\n{cut\n" + bad_email + "\n" + created(2) + "\n";
    const Ran refused = bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-"}, lines);
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err,
               Contains("-:3: malformed_json") && Contains("-:4: ") && Contains("/payload/email") && Contains("nothing was published"));
    CHECK_THAT(refused.err, !Contains("-:1:") && !Contains("-:2:") && !Contains("-:5:"));
    CHECK(length(bench) == 0);

    const Ran some = bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-", "--skip-invalid", "--json"}, lines);
    CHECK(some.code == 0);
    CHECK(some.json()["published"] == 2);
    CHECK(some.json()["refused"] == 2);
    CHECK(length(bench) == 2);
}

TEST_CASE("publish --raw sends every line as it is") {
    const Workbench bench;
    const std::string lines = "{cut\n\n\xff\xfe\n" + created(1) + "  \nlast without an end";
    const Ran sent = bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-", "--raw"}, lines);
    CHECK(sent.code == 0);
    CHECK_THAT(sent.err, !Contains("contract"));
    CHECK(length(bench) == 5);
    CHECK(bench.weir({"tail", "-c", "identity.user.v1", "--from-beginning", "--raw"}).out == lines + "\n");
}

TEST_CASE("publish tells that it has made a topic, and --no-create refuses") {
    const Workbench bench;
    const auto publish = [&](const std::string &topic, const std::vector<std::string> &more = {}) {
        std::vector<std::string> line{"publish", "-c", "--topic", topic, "-"};
        line.insert(line.end(), more.begin(), more.end());
        return bench.weir(line, created(1));
    };
    const Ran refused = publish("identity.user.v1", {"--no-create"});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, Contains("no topic 'identity.user.v1'") && Contains("--no-create") && !Contains("no domain"));
    CHECK(length(bench) == 0);
    const Ran first = publish("identity.user.v1");
    CHECK(first.code == 0);
    CHECK_THAT(first.err, Contains("no topic 'identity.user.v1' yet; it was made"));
    CHECK(publish("identity.user.v1").err.empty());
    CHECK(publish("identity.user.v1", {"--no-create"}).code == 0);
    const Ran mistyped = publish("identity.usr.v1");
    CHECK(mistyped.code == 0);
    CHECK_THAT(mistyped.err, Contains("no domain of this configuration reads it (did you mean 'identity.user.v1'?)"));
}

TEST_CASE("publish --dry-run checks and sends nothing") {
    const Workbench bench;
    CHECK(bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-", "--dry-run"}, created(1)).code == 0);
    CHECK(bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-", "--dry-run"}, "{").code == 1);
    CHECK_FALSE(std::filesystem::exists(bench.path() / "data" / "broker.db"));
}

TEST_CASE("messages get their key from the topic's binding, or from --key-pointer") {
    const Workbench bench;
    bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-"}, created(1));
    bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-", "--key-pointer", "/payload/email"}, created(2));
    const std::string shown = bench.weir({"tail", "-c", "identity.user.v1", "--json"}).out;
    const auto end = shown.find('\n');
    CHECK(nlohmann::json::parse(shown.substr(0, end))["key"] ==
          "20000000-0000-4000-8000-000000000001/00000000-0000-4000-8000-000000000001");
    CHECK(nlohmann::json::parse(shown.substr(end + 1))["key"] == "user2@example.org");
    CHECK(bench.weir({"publish", "-c", "--topic", "t", "-", "--key-pointer", "no-pointer"}, created(2)).code == 2);
    const Ran keyless = bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-", "--key-pointer", "/payload/nothing"}, created(3));
    CHECK(keyless.code == 0);
    CHECK_THAT(keyless.err, Contains("1 message has nothing at --key-pointer"));
}

TEST_CASE("publish reads files from any working directory, and names one that can't be read") {
    const Workbench bench;
    write_file(bench / "users.jsonl", created(1) + "\n");
    CHECK(bench.weir({"publish", "-c", "--topic", "identity.user.v1", "users.jsonl"}).code == 0);
    CHECK(bench.run({"sh", "-c", "cd / && exec " + Workbench::program().string() + " topics -c " + bench.config().string()}).code == 0);
    const Ran missing = bench.weir({"publish", "-c", "--topic", "t", "missing.jsonl"});
    CHECK(missing.code == 1);
    CHECK_THAT(missing.err, Contains("missing.jsonl"));
    CHECK(bench.weir({"publish", "-c", "--topic", "t", "plugins"}).code == 1); // a directory
}

TEST_CASE("a thousand lines and more keep their order") {
    const Workbench bench;
    std::string lines;
    for (int user = 1; user <= 2500; ++user) {
        lines += created(user) + "\n";
    }
    CHECK(bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-"}, lines).code == 0);
    CHECK(bench.weir({"tail", "-c", "identity.user.v1", "--from-beginning", "--raw"}).out == lines);
}

TEST_CASE("a terminal gets a progress bar, anything else none") {
    const Workbench bench;
    write_file(bench / "users.jsonl", created(1) + "\n" + created(2) + "\n");
    const std::string command =
        Workbench::program().string() + " publish -c " + bench.config().string() + " --topic identity.user.v1 users.jsonl";
    CHECK_THAT(bench.run({"script", "-qec", command, "/dev/null"}).out, Contains("publishing [####") && Contains("published 2 messages"));
    CHECK_THAT(bench.run({"sh", "-c", command + " 2>&1"}).out, !Contains("publishing ["));
}

TEST_CASE("SIGINT ends a publish that waits for input") {
    const Workbench bench;
    const TemporaryDirectory directory;
    const std::string fifo = (directory / "messages").string();
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    Child publish = bench.start({"publish", "-c", "--topic", "identity.user.v1", fifo});
    int writer = -1;
    REQUIRE(eventually([&] { return (writer = open(fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)) >= 0; })); // once it reads
    publish.signal(SIGINT);
    CHECK(publish.wait().code == 130);
    close(writer);
}
