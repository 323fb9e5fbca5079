// SPDX-License-Identifier: Apache-2.0
#include "examine.hpp"

#include "roles.hpp"

#include "event/time.hpp"

#include <cstdlib>

namespace weir::store::postgresql {

namespace {

using health::Finding;
using health::Health;

constexpr event::Micros kClockMayDiffer = 1'000'000;

/// What one query tells of the server.
struct Server {
    int version = 0; ///< 150004
    std::string version_text;
    std::string synchronous_commit;
    std::string fsync;
    bool full_page_writes = true;
    bool standby = false;
    bool read_only = false;
    std::int64_t connections_free = 0; ///< for others than superusers
    std::int64_t max_connections = 0;
    event::Micros now = 0;
};

Server ask(Connection &connection) {
    Server server;
    connection.guard([&] {
        connection
            .query(
                "select current_setting('server_version_num'), current_setting('server_version'), current_setting('synchronous_commit'), "
                "current_setting('fsync'), current_setting('full_page_writes') = 'on', pg_is_in_recovery(), "
                "current_setting('default_transaction_read_only') = 'on', current_setting('max_connections')::bigint, "
                "current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint - "
                "(select count(*) from pg_stat_activity where backend_type = 'client backend'), "
                "(extract(epoch from clock_timestamp()) * 1000000)::bigint",
                0, 10)
            .each([&](Query &row) {
                server.version = static_cast<int>(row.take_integer(0));
                server.version_text = row.take_text(1);
                server.synchronous_commit = row.take_text(2);
                server.fsync = row.take_text(3);
                server.full_page_writes = row.take_boolean(4);
                server.standby = row.take_boolean(5);
                server.read_only = row.take_boolean(6);
                server.max_connections = row.take_integer(7);
                server.connections_free = row.take_integer(8);
                server.now = row.take_integer(9);
            });
    });
    return server;
}

Finding durability(const Server &server) {
    const std::string settings = "synchronous_commit is " + server.synchronous_commit + ", fsync is " + server.fsync;
    if (server.fsync == "off" || !server.full_page_writes) {
        return {"postgresql_durability", Health::warning,
                settings + (server.full_page_writes ? "" : ", full_page_writes is off") + ": a power cut may destroy the database",
                "alter system set fsync = on; alter system set full_page_writes = on; select pg_reload_conf()"};
    }
    if (server.synchronous_commit == "off") {
        return {"postgresql_durability", Health::warning,
                settings + ": a crash of the server takes the last commits back, whose events were acknowledged",
                "alter role ... set synchronous_commit = on, or alter system"};
    }
    return {"postgresql_durability", Health::good, settings};
}

Finding connections(const Server &server, const PostgresqlOptions &options) {
    // Besides the pool, one connection shows who lives; this one is counted as taken, and is given back.
    const auto wanted = static_cast<std::int64_t>(options.pool_max) + 1;
    const std::string what = std::to_string(server.connections_free + 1) + " of max_connections " + std::to_string(server.max_connections) +
                             " are free, store.pool.max and the watch need " + std::to_string(wanted);
    if (server.connections_free + 1 < wanted) {
        return {"postgresql_connections", Health::warning, what,
                "lower store.pool.max, or raise the server's max_connections; a host that runs already has its own among them"};
    }
    return {"postgresql_connections", Health::good, what};
}

Finding clock(const Server &server) {
    const event::Micros apart = std::abs(server.now - event::now());
    if (apart > kClockMayDiffer) {
        return {"postgresql_clock", Health::warning, "its clock and this machine's are " + std::to_string(apart / 1000) + " ms apart",
                "run NTP on both: leases expire by these clocks"};
    }
    return {"postgresql_clock", Health::good, "its clock agrees with this machine's"};
}

Finding rights(Connection &connection, Pool &pool, const std::string &schema) {
    const std::string name = "postgresql_rights";
    try {
        const Place place{&pool, schema};
        const std::string missing = missing_rights(look_around(connection, place), place);
        return missing.empty() ? Finding{name, Health::good, "schema " + schema + ": the login has the rights that it needs"}
                               : Finding{name, Health::fault, missing, "run that, or name another user in store.url"};
    } catch (const std::exception &failure) {
        return {name, Health::fault, failure.what(), "mend it, or name another database in store.url"};
    }
}

} // namespace

std::vector<Finding> examine_postgresql(const PostgresqlOptions &options, const std::vector<std::string> &schemas) {
    std::vector<Finding> findings;
    try {
        Pool pool(options);
        const Pool::Lent connection = pool.take();
        const Server server = ask(*connection);
        findings.push_back(server.version >= 130000
                               ? Finding{"postgresql", Health::good, options.name + " can be reached, PostgreSQL " + server.version_text}
                               : Finding{"postgresql", Health::fault,
                                         options.name + " is PostgreSQL " + server.version_text + "; Weir needs 13 or later",
                                         "upgrade it, or name another: store.url"});
        if (server.standby || server.read_only) {
            findings.push_back(
                {"postgresql_role", Health::fault,
                 options.name + (server.standby ? " is a standby" : " has default_transaction_read_only on") + " and takes no writes",
                 "name the primary in store.url, with target_session_attrs=read-write where there are several hosts"});
        }
        findings.push_back(durability(server));
        findings.push_back(connections(server, options));
        findings.push_back(clock(server));
        for (const std::string &schema : schemas) {
            findings.push_back(rights(*connection, pool, schema));
        }
    } catch (const Misconfigured &failure) { // it runs
        findings.push_back({"postgresql", Health::fault, failure.what(), "change that on the server, or in store.url (WEIR_STORE_URL)"});
    } catch (const std::exception &failure) {
        findings.push_back({"postgresql", Health::fault, failure.what(), "start it, or correct store.url (WEIR_STORE_URL)"});
    }
    return findings;
}

} // namespace weir::store::postgresql
