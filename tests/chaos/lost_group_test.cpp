// SPDX-License-Identifier: Apache-2.0
// A host that dies while it has nothing to do, a ledger that forgets, and a broker that loses its group: each is harmless alone.
#include "field.hpp"
#include "installation.hpp"
#include "publisher.hpp"
#include "steps.hpp"

#include <catch2/catch.hpp>

using namespace weir::test;
using namespace std::chrono_literals;

namespace {

constexpr auto kPatience = 180s;

std::string one(const ChaosField &field, const std::string &sql) {
    try {
        return field.postgres.query(sql).at(0).at(0).value_or("");
    } catch (const std::exception &) {
        return "";
    }
}

void serve_to_the_end(ChaosField &field) {
    field.start(0, "", {"--until-drained"});
    const auto ended = field.host(0).wait(kPatience);
    REQUIRE(ended);
    REQUIRE(ended->exit_code == 0);
}

} // namespace

TEST_CASE("Nothing is applied again when a host is killed while idle, its ids are pruned, and the group is lost") {
    ChaosField field;
    field.set("test.ledger", "1,chain:300");
    StreamPublisher publisher(field.redis.socket());
    constexpr int kCount = 20;
    publisher.publish(steps("first", kCount));
    field.start(0);
    REQUIRE(eventually([&] { return field.decided("chain") == kCount && field.left_in_redis() == 0; }, kPatience));
    field.host(0).kill();

    // Another partition goes on until the ledger has forgotten all of them.
    field.start(0);
    int published = 0;
    const std::string first = id_of("first", 0).substr(0, 8);
    REQUIRE(eventually(
        [&] {
            publisher.publish({on_chain(event_text(id_of("later", published), "later", published), 1)});
            ++published;
            REQUIRE(eventually([&] { return field.decided("chain") >= static_cast<std::size_t>(kCount + published); }, kPatience));
            return one(field, "SELECT count(*) FROM chain.event_ledger_all WHERE event_id::text LIKE '" + first + "%'") == "0";
        },
        kPatience));
    REQUIRE(eventually([&] { return field.left_in_redis() == 0; }, kPatience));
    field.host(0).kill();

    const auto times = [&] { return one(field, "SELECT sum(times) FROM chain.chain WHERE key <> 'later'"); };
    field.redis.command({"XGROUP", "DESTROY", "chaos.chain.v1.0", "chain_group"});
    serve_to_the_end(field);
    CHECK(times() == std::to_string(kCount));
    CHECK(one(field, "SELECT count(*) FROM chain.dead_letter_queue") == "0"); // the stored position stands behind all of them

    // Set back by hand it brings everything, and what can't be known any more is quarantined.
    field.redis.command({"XGROUP", "SETID", "chaos.chain.v1.0", "chain_group", "0"});
    serve_to_the_end(field);
    CHECK(times() == std::to_string(kCount));
    CHECK(one(field, "SELECT count(*) FROM chain.dead_letter_queue WHERE error_type = 'beyond_horizon'") == std::to_string(kCount));
    CHECK(one(field, "SELECT times FROM chain.chain WHERE key = 'later'") == std::to_string(published));
}
