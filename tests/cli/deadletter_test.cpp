// SPDX-License-Identifier: Apache-2.0
#include "workbench.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

using namespace weir::test;
using Catch::Matchers::Contains;

namespace {

/// `good` users whose events are refused only by a stricter contract, and one message that can never be an event.
void fill(Workbench &bench, int good) {
    write_file(bench.path() / "strict" / "user.created.v1.json",
               R"({"type": "object", "required": ["payload"], "properties": {"payload": {"type": "object", "required": ["department"]}}})");
    std::string lines = "{cut\n";
    for (int user = 1; user <= good; ++user) {
        lines += created(user) + "\n";
    }
    REQUIRE(bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-", "--raw"}, lines).code == 0);
    bench.environment["WEIR_CONTRACTS_DIRECTORY"] = (bench / "strict").string();
    REQUIRE(bench.weir({"run", "-c", "--until-drained", "--drain-timeout", "30"}).code == 0);
    bench.environment.erase("WEIR_CONTRACTS_DIRECTORY");
}

std::string pending(const Workbench &bench) {
    return bench.query("linting", "select count(*) from dead_letter_queue where status = 'pending'");
}
std::string rows(const Workbench &bench) { return bench.query("linting", "select count(*) from identity_projection"); }

struct Filled : Workbench {
    explicit Filled(int good) {
        std::filesystem::create_directory(path() / "strict");
        fill(*this, good);
    }
};

} // namespace

TEST_CASE("list shows reasons and no payloads; show shows all of one") {
    const Filled bench(2);
    const auto listed = bench.weir({"deadletter", "list", "-c", "--domain", "linting", "--json"}).json();
    REQUIRE(listed["dead_letters"].size() == 3);
    CHECK(listed["dead_letters"][0]["error_type"] == "malformed_json");
    CHECK(listed["dead_letters"][1]["error_type"] == "contract_violation");
    const Ran table = bench.weir({"deadletter", "list", "-c", "--domain", "linting", "--error-type", "contract_violation"});
    CHECK_THAT(table.out, Contains("/payload/department") && !Contains("example.org") && !Contains("malformed_json"));
    CHECK(bench.weir({"deadletter", "list", "-c", "--domain", "linting", "--limit", "1", "--json"}).json()["more"] == true);
    CHECK(bench.weir({"deadletter", "list", "-c", "--domain", "linting", "--event-type", "user.created.v1", "--json"})
              .json()["dead_letters"]
              .size() == 2);

    const std::string event_id = listed["dead_letters"][1]["event_id"];
    const std::string id = listed["dead_letters"][1]["id"].dump();
    CHECK(bench.weir({"deadletter", "show", "-c", "--domain", "linting", event_id, "--json"}).json()["raw"] == created(1));
    CHECK_THAT(bench.weir({"deadletter", "show", "-c", "--domain", "linting", id}).out,
               Contains("user1@example.org") && Contains("contract_violation"));
    CHECK(bench.weir({"deadletter", "show", "-c", "--domain", "linting", "999"}).code == 1);
    CHECK(bench.weir({"deadletter", "show", "-c", "--domain", "linting", "what"}).code == 2);
}

TEST_CASE("a replay applies what can be applied, once, however often it is run") {
    const Filled bench(3);
    REQUIRE(rows(bench) == "0");
    const auto dry = bench.weir({"deadletter", "replay", "-c", "--domain", "linting", "--all", "--dry-run", "--json"});
    CHECK(dry.code == 1); // one would fail
    CHECK(dry.json()["would apply"] == 3);
    CHECK(dry.json()["failed"] == 1);
    CHECK(rows(bench) == "0");
    CHECK(pending(bench) == "4");
    CHECK(bench.query("linting", "select max(retry_count) from dead_letter_queue") == "0");

    const auto first = bench.weir({"deadletter", "replay", "-c", "--domain", "linting", "--event-type", "user.created.v1", "--json"});
    CHECK(first.code == 0);
    CHECK(first.json()["replayed"] == 3);
    CHECK(first.json()["applied"] == 3);
    CHECK(rows(bench) == "3");
    CHECK(pending(bench) == "1");
    CHECK(bench.query("linting", "select count(*) from event_ledger where outcome = 'applied'") == "3");

    const auto second = bench.weir({"deadletter", "replay", "-c", "--domain", "linting", "--event-type", "user.created.v1", "--json"});
    CHECK(second.code == 0);
    CHECK(second.json()["replayed"] == 0);
    const auto named = bench.weir({"deadletter", "replay", "-c", "--domain", "linting", "2", "--json"});
    CHECK(named.code == 0);
    CHECK(named.json()["not_pending"] == 1);
    CHECK(rows(bench) == "3");

    const auto broken = bench.weir({"deadletter", "replay", "-c", "--domain", "linting", "--all", "--json"});
    CHECK(broken.code == 1);
    CHECK(broken.json()["letters"][0]["error_type"] == "malformed_json");
    CHECK(pending(bench) == "1");
}

TEST_CASE("a replay that a guard turns away is told as stale, and leaves the later row as it is") {
    const Filled bench(1);
    std::string later = created(1);
    later.replace(later.find("\"1"), 2, "\"9"); // another event of the same user
    later.replace(later.find("2026-01-01"), 10, "2026-02-01");
    later.replace(later.find("user1@"), 6, "later@");
    REQUIRE(bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-"}, later + "\n").code == 0);
    REQUIRE(bench.weir({"run", "-c", "--until-drained", "--drain-timeout", "30"}).code == 0);
    REQUIRE(rows(bench) == "1");
    const auto dry = bench.weir({"deadletter", "replay", "-c", "--domain", "linting", "--error-type", "contract_violation", "--dry-run"});
    CHECK_THAT(dry.out, Contains("stale"));
    const auto ran = bench.weir({"deadletter", "replay", "-c", "--domain", "linting", "--error-type", "contract_violation", "--json"});
    CHECK(ran.code == 0);
    CHECK(ran.json()["replayed"] == 1);
    CHECK(ran.json()["stale"] == 1);
    CHECK_FALSE(ran.json().contains("applied"));
    CHECK(ran.json()["letters"][0]["decided"] == "stale");
    CHECK(bench.query("linting", "select email from identity_projection") == "later@example.org");
    CHECK(bench.query("linting", "select count(*) from event_ledger where outcome = 'stale'") == "1");
}

TEST_CASE("a drop keeps the letter as dropped, and a dropped one is not replayed") {
    const Filled bench(1);
    CHECK(bench.weir({"deadletter", "drop", "-c", "--domain", "linting", "--all", "--dry-run"}).code == 0);
    CHECK(pending(bench) == "2");
    CHECK(bench.weir({"deadletter", "drop", "-c", "--domain", "linting", "--error-type", "malformed_json", "--json"}).json()["dropped"] ==
          1);
    CHECK(pending(bench) == "1");
    CHECK(bench.weir({"deadletter", "replay", "-c", "--domain", "linting", "1", "--json"}).json()["not_pending"] == 1);
    CHECK(bench.weir({"deadletter", "list", "-c", "--domain", "linting", "--status", "dropped", "--json"}).json()["dead_letters"].size() ==
          1);
}

TEST_CASE("an id that isn't there stops a replay before it does anything") {
    const Filled bench(1);
    const Ran ran = bench.weir({"deadletter", "replay", "-c", "--domain", "linting", "2", "77"});
    CHECK(ran.code == 1);
    CHECK_THAT(ran.err, Contains("'77'"));
    CHECK(rows(bench) == "0");
}

TEST_CASE("SIGINT stops a replay between two letters, and another goes on with the rest") {
    const Filled bench(5);
    Child replay = bench.start({"deadletter", "replay", "-c", "--domain", "linting", "--event-type", "user.created.v1", "--rate", "1"});
    REQUIRE(eventually([&] { return rows(bench) != "0"; }));
    replay.signal(SIGINT);
    const Ran stopped = replay.wait();
    CHECK(stopped.code == 130);
    const int done = std::stoi(rows(bench));
    CHECK(done < 5);
    CHECK_THAT(stopped.out, Contains(std::to_string(done) + " replayed"));
    CHECK(
        bench.weir({"deadletter", "replay", "-c", "--domain", "linting", "--event-type", "user.created.v1", "--json"}).json()["replayed"] ==
        5 - done);
    CHECK(rows(bench) == "5");
}

TEST_CASE("a domain that isn't there is refused with those that are, and makes no database") {
    const Workbench bench;
    const Ran ran = bench.weir({"deadletter", "list", "-c", "--domain", "lintng"});
    CHECK(ran.code == 2);
    CHECK_THAT(ran.err, Contains("did you mean 'linting'"));
    CHECK(bench.weir({"deadletter", "list", "-c", "--domain", "linting"}).code == 0);
    CHECK(bench.weir({"deadletter", "replay", "-c", "--domain", "linting", "--all"}).code == 0);
    CHECK_FALSE(std::filesystem::exists(bench.path() / "data" / "store" / "linting.db"));
}

TEST_CASE("a topic that the domain doesn't read is said to be none of its, with the one that was meant") {
    const Filled bench(1);
    for (const char *verb : {"list", "replay", "drop"}) {
        CAPTURE(verb);
        const Ran ran = bench.weir({"deadletter", verb, "-c", "--domain", "linting", "--topic", "identity.usr.v1"});
        CHECK(ran.code == 0);
        CHECK_THAT(ran.err, Contains("linting reads no topic 'identity.usr.v1'; did you mean 'identity.user.v1'?"));
    }
    CHECK(pending(bench) == "2");
    const Ran right = bench.weir({"deadletter", "list", "-c", "--domain", "linting", "--topic", "identity.user.v1"});
    CHECK_THAT(right.err, !Contains("note:"));
}

TEST_CASE("dead letters of a domain whose plugin is gone or refused are listed, shown and dropped; a replay says what it needs") {
    const Filled bench(1);
    const Ran before = bench.weir({"deadletter", "list", "-c", "--domain", "linting", "--json"});
    write_file(bench / "plugins" / "linting.so", "no plugin any more");
    CHECK(bench.weir({"deadletter", "list", "-c", "--domain", "linting", "--json"}).out == before.out);
    const std::string id = before.json()["dead_letters"][1]["id"].dump();
    CHECK_THAT(bench.weir({"deadletter", "show", "-c", "--domain", "linting", id}).out, Contains("user1@example.org"));
    const Ran replay = bench.weir({"deadletter", "replay", "-c", "--domain", "linting", id});
    CHECK(replay.code == 4);
    CHECK_THAT(replay.err, Contains("no plugin offers domain linting") || Contains("there is no domain 'linting'"));
    CHECK_THAT(replay.err, Contains("POST /api/deadletters/linting/ID/replay"));
    CHECK(bench.weir({"deadletter", "drop", "-c", "--domain", "linting", id}).code == 0);
    CHECK(pending(bench) == "1");
    const Ran unknown = bench.weir({"deadletter", "list", "-c", "--domain", "nobody"});
    CHECK(unknown.code == 2);
    CHECK_THAT(unknown.err, Contains("there is no domain 'nobody'"));
}
