// SPDX-License-Identifier: Apache-2.0
// What servers, their administrators and other programs get wrong: each is said with the key to change, and nothing is lost by it.
#include "sample.hpp"

#include <catch2/catch.hpp>

#include <csignal>

using namespace weir::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

const std::string kProbeTopic = "probe.thing.v1";

Text counted(int number) { return probe_event("thing.counted.v1", "subject", number); }

/// The reason with which a domain says that it isn't ready, in the log and in the status.
void says(Installation &installation, HostProcess &host, const std::vector<std::string> &texts, const std::string &domain = "probe") {
    const bool said = eventually([&] { return host.said("domain.not_ready", texts) || !host.running(); }, 60s);
    INFO(host.log().substr(0, 6000));
    REQUIRE(said);
    CHECK(host.running());
    CHECK(host.said("domain.not_ready", texts));
    CHECK(host.log().find("hunter") == std::string::npos);
    CHECK(host.log().find(PostgresServer::kPassword) == std::string::npos);
    CHECK(eventually([&] {
        const auto domains = installation.status();
        return domains.contains(domain) && !domains.at(domain).ready && !domains.at(domain).reason.empty();
    }));
}

/// --fail-fast ends with this code at once and names the key.
void fails_fast(Installation &installation, int code, const std::string &text) {
    const auto host = installation.start({"--fail-fast"});
    const auto ended = host->wait(60s);
    INFO(host->log().substr(0, 4000));
    REQUIRE(ended);
    CHECK(ended->exit_code == code);
    CHECK_THAT(host->log(), Contains(text) && !Contains("hunter"));
}

void stop(HostProcess &host) {
    host.signal(SIGTERM);
    const auto ended = host.wait(60s);
    REQUIRE(ended);
    CHECK(ended->exit_code == 0);
}

} // namespace

TEST_CASE("a wrong password of either server is said with its key, and --fail-fast ends") {
    RedisOptions options;
    options.requirepass = "hunter1";
    Backends backends;
    backends.redis = std::make_shared<RedisServer>(options);
    Installation installation({"probe"}, backends);
    installation.set("broker.url", backends.redis->url("default", "hunter2"));
    {
        const auto host = installation.start();
        says(installation, *host, {"broker.url", "password"});
        stop(*host);
    }
    fails_fast(installation, 4, "broker.url");
    installation.set("broker.url", "redis://127.0.0.1:" + std::to_string(backends.redis->port()));
    fails_fast(installation, 4, "broker.url");          // none at all
    for (const std::string login : {":hunter2@", ""}) { // found before anything is begun, and where no domain would find it
        Installation bare({}, backends);
        bare.set("broker.url", "redis://" + login + "127.0.0.1:" + std::to_string(backends.redis->port()));
        const auto refused = bare.start({"--fail-fast"});
        REQUIRE(refused->wait(60s));
        INFO(refused->log());
        CHECK(refused->wait()->exit_code == 4);
        CHECK(refused->said("host.starting").empty());
        CHECK(refused->said("host.failed", {"broker.url (WEIR_BROKER_URL)"}));
    }

    Installation other({"probe"}, on_embedded_and_postgresql());
    other.set("store.url", other.backends().postgresql->url(other.database_name(), "weir", "hunter2"));
    const auto host = other.start();
    says(other, *host, {"store.url", "password"});
    stop(*host);
    fails_fast(other, 4, "store.url");
}

TEST_CASE("a missing database is said with its key, and the domain goes on by itself once it is there") {
    Installation installation({"probe"}, on_embedded_and_postgresql());
    PostgresServer &server = *installation.backends().postgresql;
    const std::string missing = installation.database_name() + "_missing";
    installation.set("store.url", server.url(missing));
    installation.publish(kProbeTopic, {counted(1)});
    fails_fast(installation, 4, "store.url");
    const auto host = installation.start();
    says(installation, *host, {"store.url", missing});
    server.create_database(missing);
    CHECK(eventually([&] { return number(Database(server, missing, "probe"), "select count(*) from seen") == 1; }, 60s));
    stop(*host);
}

TEST_CASE("missing rights in PostgreSQL are said with the statements to run, and these are enough") {
    Installation installation({"probe"}, on_embedded_and_postgresql());
    PostgresServer &server = *installation.backends().postgresql;
    const std::string login = installation.database_name() + "_login";
    server.create_role(login, "hunter3");
    installation.set("store.url", server.url(installation.database_name(), login, "hunter3"));
    installation.publish(kProbeTopic, {counted(1)});
    fails_fast(installation, 4, "CREATE SCHEMA");
    const auto host = installation.start();
    says(installation, *host, {"store.url", "CREATE SCHEMA"});
    const std::string reason = installation.status().at("probe").reason;
    INFO(reason);
    // What stands between the colon and the last sentence is SQL.
    const std::size_t begin = reason.find('\n');
    const std::size_t end = reason.rfind('\n');
    REQUIRE(begin != std::string::npos);
    REQUIRE(end > begin);
    server.query(reason.substr(begin, end - begin), installation.database_name());
    CHECK(eventually([&] { return number(installation.domain("probe"), "select count(*) from seen") == 1; }, 60s));
    stop(*host);
}

TEST_CASE("a schema that exists with other columns is refused before anything in it is changed") {
    const Backends backends = GENERATE(on_embedded_and_postgresql(), Backends{});
    INFO(backends.name());
    Installation installation({"linting"}, backends);
    const Database database = installation.domain("linting");
    const std::string table = "identity_projection (tenant_id text primary key, user_id integer, extra text not null)";
    if (backends.postgresql) {
        backends.postgresql->query("set role weir; create schema linting; create table linting." + table, installation.database_name());
    } else {
        std::filesystem::create_directories(installation.store());
        write_file(installation.database("linting"), ""); // an empty file is an empty database
        query(database, "create table " + table);
    }
    installation.publish(kIdentityTopic, {sample().front()});
    const auto host = installation.start();
    says(installation, *host, {"the schema doesn't fit", "another service.schema", "identity_projection", "user_id"}, "linting");
    if (backends.postgresql) {
        CHECK(number(database, "select count(*) from information_schema.tables where table_schema = 'linting'") == 1);
        CHECK(number(database, "select count(*) from information_schema.columns where table_schema = 'linting'") == 3);
    } else {
        CHECK(number(database, "select count(*) from sqlite_master where type = 'table'") == 1);
        CHECK(number(database, "select count(*) from pragma_table_info('identity_projection')") == 3);
    }
    fails_fast(installation, 4, "service.schema");
    stop(*host);
}

TEST_CASE("a column dropped while running stops the domain with what is missing, dead-letters nothing, and it goes on when it is back") {
    const Backends backends = GENERATE(on_servers(), Backends{});
    INFO(backends.name());
    Installation installation({"probe"}, backends);
    const auto host = installation.start();
    installation.publish(kProbeTopic, {counted(1)});
    const Database database = installation.domain("probe");
    REQUIRE(eventually([&] { return number(database, "select count(*) from seen") == 1; }, 60s));
    query(database, "alter table seen drop column version"); // has no default: can't be added again to rows
    installation.publish(kProbeTopic, {counted(2), counted(3)});
    // What the database says of the statement, and then what the migration says that is to mend it.
    says(installation, *host, {backends.postgresql ? "SQLSTATE 42703" : "SQLite code 1", "version", "store.url", "service.schema"});
    says(installation, *host, {"seen.version is new", "another service.schema"});
    CHECK(number(database, "select count(*) from dead_letter_queue") == 0);
    query(database, "alter table seen add column version text not null default 'lost'");
    if (backends.postgresql) {
        query(database, "alter table seen alter column version drop default");
    }
    CHECK(eventually([&] { return number(database, "select count(*) from seen") == 3; }, 60s));
    CHECK(number(database, "select count(*) from dead_letter_queue") == 0);
    CHECK(number(database, "select sum(times) from subjects") == 3);
    stop(*host);
}

TEST_CASE("a Redis that is a replica is refused with the key, and serves once it is the master") {
    Backends backends = on_redis_and_sqlite();
    RedisOptions options;
    options.replica_of_port = backends.redis->port();
    const auto master = backends.redis;
    backends.redis = std::make_shared<RedisServer>(options);
    Installation installation({"probe"}, backends);
    const auto host = installation.start();
    says(installation, *host, {"broker.url", "replica"});
    backends.redis->command({"REPLICAOF", "NO", "ONE"});
    installation.publish(kProbeTopic, {counted(1)});
    CHECK(eventually([&] { return number(installation.domain("probe"), "select count(*) from seen") == 1; }, 60s));
    stop(*host);
}

TEST_CASE("a Redis that is out of memory refuses to publish with the key and what to change, and what is there is served") {
    Backends backends = on_redis_and_sqlite();
    Installation installation({"probe"}, backends);
    installation.publish(kProbeTopic, {counted(1)});
    const auto host = installation.start();
    REQUIRE(eventually([&] { return number(installation.domain("probe"), "select count(*) from seen") == 1; }, 60s));
    installation.publish(kProbeTopic, {counted(2)});
    backends.redis->command({"CONFIG", "SET", "maxmemory", "1"});
    write_file(installation.root() / "event.jsonl", counted(3).body + "\n");
    const auto publish = installation.command(
        {"publish", "-c", installation.config().string(), "-t", kProbeTopic, (installation.root() / "event.jsonl").string()});
    REQUIRE(publish->wait());
    CHECK(publish->wait()->exit_code == 5);
    CHECK_THAT(publish->log(), Contains("broker.url") && Contains("maxmemory"));
    CHECK(eventually([&] { return number(installation.domain("probe"), "select count(*) from seen") == 2; }, 60s));
    backends.redis->command({"CONFIG", "SET", "maxmemory", "0"});
    installation.publish(kProbeTopic, {counted(3)});
    CHECK(eventually([&] { return number(installation.domain("probe"), "select count(*) from seen") == 3; }, 60s));
    stop(*host);
}

TEST_CASE("entries without a message, with binary fields or with a field twice are dead letters and block nobody") {
    Backends backends = on_servers();
    Installation installation({"probe"}, backends);
    RedisServer &redis = *backends.redis;
    redis.command({"XADD", kProbeTopic, "*", "", ""});
    redis.command({"XADD", kProbeTopic, "*", std::string("\xff\xfe\0bin", 6), std::string("\x80\0\x01", 3)});
    redis.command({"XADD", kProbeTopic, "*", "event", std::string("\xff\xfe\0", 3)});
    redis.command({"XADD", kProbeTopic, "*", "event", "{}", "event", "[]"});
    redis.command({"XADD", kProbeTopic, "*", "event", counted(1).body});
    const auto report = installation.drain();
    const DomainCounts &counts = report.at("probe").counts;
    CHECK(counts.messages == 5);
    CHECK(counts.applied == 1);
    CHECK(counts.dead_letters == 4);
    const Database database = installation.domain("probe");
    CHECK(number(database, "select count(*) from dead_letter_queue where error_message <> ''") == 4);
    CHECK(number(database, "select count(*) from seen") == 1);
    CHECK(installation.pending(kProbeTopic, "probe_group") == 0);

    // Whoever looks at one sees what it was made of.
    const auto show = [&](int id, const std::vector<std::string> &options) {
        std::vector<std::string> line{"deadletter", "show", "-c", installation.config().string(), "--domain", "probe", std::to_string(id)};
        line.insert(line.end(), options.begin(), options.end());
        const auto command = installation.command(line);
        REQUIRE(command->wait(60s));
        INFO(command->log());
        CHECK(command->wait()->exit_code == 0);
        return command->output();
    };
    CHECK_THAT(show(2, {"--json"}), Contains(R"("fields":[{"name_base64":"//4AYmlu","value_base64":"gAAB"}])"));
    CHECK_THAT(show(3, {"--json"}), Contains(R"("raw_base64":"//4A")") && !Contains("\"fields\":[{"));
    CHECK_THAT(show(4, {"--json"}), Contains(R"("fields":[{"name":"event","value":"{}"},{"name":"event","value":"[]"}])"));
    CHECK_THAT(show(4, {}), Contains("\nevent: {}\nevent: []\n"));
}

TEST_CASE("a stream key of another type is said with the key's name, and the domain goes on once it is a stream") {
    Backends backends = on_redis_and_sqlite();
    Installation installation({"probe"}, backends);
    backends.redis->command({"SET", kProbeTopic, "not a stream"});
    const auto host = installation.start();
    says(installation, *host, {"broker.url", kProbeTopic, "stream"});
    backends.redis->command({"DEL", kProbeTopic});
    installation.publish(kProbeTopic, {counted(1)});
    CHECK(eventually([&] { return number(installation.domain("probe"), "select count(*) from seen") == 1; }, 60s));
    stop(*host);
}

TEST_CASE("servers that can't be reached at the start are waited for and said, and --fail-fast ends with code 5 at once") {
    Backends backends;
    backends.redis = std::make_shared<RedisServer>();
    backends.postgresql = std::make_shared<PostgresServer>();
    Installation installation({"probe"}, backends);
    installation.publish(kProbeTopic, {counted(1)});
    backends.postgresql->stop();
    fails_fast(installation, 5, "store.url");
    backends.redis->stop();
    fails_fast(installation, 5, "broker.url");
    const auto host = installation.start();
    says(installation, *host, {"store.url"});
    backends.postgresql->start();
    says(installation, *host, {"broker.url"});
    backends.redis->start();
    CHECK(eventually([&] { return number(installation.domain("probe"), "select count(*) from seen") == 1; }, 60s));
    CHECK(eventually([&] { return installation.ready("probe"); }));
    stop(*host);
}
