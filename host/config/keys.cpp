// SPDX-License-Identifier: Apache-2.0
#include "keys.hpp"

namespace weir::config {

namespace {

constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;
constexpr std::int64_t kDayMs = 24 * 3600 * 1000;

std::vector<Key> engine_keys() {
    return {
        {"engine.batch_max_events", Type::integer, "800",
         "Events of one transaction at most; half as many where more than two domains are busy, or other domains' transactions keep all "
         "processors so.",
         1, 100000},
        {"engine.batch_max_bytes", Type::integer, "4194304",
         "Bytes of one transaction's messages at most; a message that is larger goes alone.", 1024, 1024 * kMebibyte},
        {"engine.shards", Type::integer, "2",
         "Batches of a domain under way at once, each with keys of its own, on a connection of its own. One where the store is SQLite, or "
         "where the plugin's tables have references or unique indexes.",
         1, 8},
        {"engine.read_max_events", Type::integer, "0",
         "Events that one read asks the broker for at most; a transaction takes what several reads have brought. 0: half as many as a "
         "transaction takes.",
         0, 100000},
        {"engine.read_wait_ms", Type::integer, "250", "Milliseconds that a read waits at the broker where there is nothing to read.", 1,
         3600 * 1000},
        {"engine.retry_delays_ms", Type::integer_list, "1000,2000,3000",
         "Milliseconds before each further try of an event whose handler asked for one; the last repeats.", 0, kDayMs},
        {"engine.max_retries", Type::integer, "3", "Further tries before such an event becomes a dead letter; 0: none.", 0, 1000},
        {"engine.hold_max_events", Type::integer, "10000",
         "Events held back in memory behind retries of their key; at the bound the partition stops reading.", 1, 10000000},
        {"engine.hold_max_bytes", Type::integer, "67108864", "The same bound in bytes.", 1024, 64 * 1024 * kMebibyte},
        {"engine.handler_budget_ms", Type::integer, "1000",
         "Milliseconds that a handler may take: within a batch, past them its event leaves the batch and runs alone; for a request to a "
         "route of the plugin, past them the client gets a 504.",
         1, kDayMs},
        {"engine.crash_limit", Type::integer, "3",
         "How often the host may die in an event's handler before the event becomes a dead letter.", 1, 1000},
        {"engine.lease_ttl_ms", Type::integer, "10000",
         "Milliseconds after which another host takes over a partition whose reader has fallen silent.", 500, kDayMs},
        {"engine.drain_timeout_ms", Type::integer, "30000",
         "Milliseconds to finish what has begun when the host is stopped or a plugin replaced; what is left then is redelivered.", 0,
         kDayMs},
        {"engine.ledger_horizon_hours", Type::integer, "168",
         "Hours for which the ids of decided events are known at least, by the broker's append time. An event that comes again later, "
         "where ids "
         "have been pruned, becomes a dead letter (beyond_horizon). 0: for ever.",
         0, 876000},
    };
}

std::vector<Key> http_keys() {
    return {
        {"http.listen", Type::address, "off",
         "Where HTTP is served: HOST:PORT, [ADDRESS]:PORT, 0.0.0.0:8080 for every interface, or off. Port 0: any that is free."},
        {"http.operations.listen", Type::address, "off",
         "An address of their own for operations (/health, /ready, /metrics, /api/...); http.listen then has the routes of plugins alone. "
         "off: "
         "they are at http.listen."},
        {"http.operations.token", Type::secret, "",
         "The bearer token of everything that changes something. Default: none; only local requests may."},
        {"http.operations.token_file", Type::file, "",
         "A file that holds the token, instead of http.operations.token; read again at SIGHUP."},
        {"http.operations.trust_local", Type::boolean, "true",
         "Requests from this machine (loopback address and Host, no proxy, no page of another origin) need no token."},
        {"http.operations.stalled_after_ms", Type::integer, "30000",
         "Milliseconds after which a domain is not ready that has something to do and settles nothing of it.", 1000, kDayMs},
        {"http.operations.reserve_connections", Type::integer, "64",
         "Connections kept for operations: so many beyond http.max_connections, on which /health, /ready and the like are answered and "
         "everything else gets a 503; with http.operations.listen all that it has. Where they are taken, a new one pushes out the one that "
         "has waited longest.",
         1, 10000},
        {"http.host_names", Type::host_list, "",
         "Further names of this machine that a local request's Host header may have, beside localhost and loopback addresses."},
        {"http.cors.origins", Type::origin_list, "",
         "Origins whose pages may read answers, each in full (https://app.example); no wildcards. Default: none."},
        {"http.max_body_bytes", Type::integer, "1048576", "Bytes of a request's body; more is a 413.", 0, 1024 * kMebibyte},
        {"http.max_body_memory_bytes", Type::integer, "",
         "Bytes of all requests' bodies that are read or handled at a time; further ones get a 503. Bodies of up to 4096 bytes don't "
         "count. "
         "Default: 67108864, or http.max_body_bytes where that is more.",
         0, 64 * 1024 * kMebibyte},
        {"http.max_header_bytes", Type::integer, "16384", "Bytes of a request line and its header fields; more is a 431.", 256, kMebibyte},
        {"http.max_connections", Type::integer, "12000", "Connections at a time; further ones get a 503 and are closed.", 1, 1000000},
        {"http.max_connections_per_address", Type::integer, "",
         "The same bound for one client: an IPv4 address, or an IPv6 network of 64 bits. Behind a reverse proxy that is the proxy. 0: "
         "none. "
         "Default: half of http.max_connections.",
         0, 1000000},
        {"http.max_requests_per_connection", Type::integer, "100000", "Requests after which a connection is closed.", 1, 1000000000},
        {"http.max_event_streams", Type::integer, "2000",
         "Event streams (server-sent events) at a time; further requests for one get a 503.", 0, 1000000},
        {"http.max_event_streams_per_address", Type::integer, "",
         "The same bound for one client, as with http.max_connections_per_address. 0: none. Default: half of http.max_event_streams.", 0,
         1000000},
        {"http.max_queue", Type::integer, "1024", "Requests that wait for a worker; further ones get a 503.", 0, 1000000},
        {"http.header_timeout_ms", Type::integer, "10000",
         "Milliseconds from the first byte of a request to the end of its header; later is a 408.", 10, kDayMs},
        {"http.body_timeout_ms", Type::integer, "30000", "Milliseconds to the end of its body; later is a 408.", 10, kDayMs},
        {"http.idle_timeout_ms", Type::integer, "60000", "Milliseconds without a request after which a connection is closed.", 10, kDayMs},
        {"http.write_timeout_ms", Type::integer, "30000",
         "Milliseconds in which a client must have taken something of an answer, and all of it in one more for each 16 bytes.", 10, kDayMs},
        {"http.handler_timeout_ms", Type::integer, "10000",
         "Milliseconds after which the server answers 504 in a handler's place. Routes of plugins have their domain's "
         "engine.handler_budget_ms instead, and /ready has its own.",
         10, kDayMs},
        {"http.stop_timeout_ms", Type::integer, "5000", "Milliseconds that requests have to end when the host stops.", 0, kDayMs},
        {"http.io_threads", Type::integer, "1", "Threads that read and write connections.", 1, 64},
        {"http.workers", Type::integer, "4", "Threads that run handlers.", 1, 256},
    };
}

} // namespace

const std::vector<Key> &host_keys() {
    static const std::vector<Key> keys = [] {
        std::vector<Key> all{
            {"data_directory", Type::path, "data",
             "Where the host keeps what it writes, unless broker.url, store.url or state_directory name another place."},
            {"broker.url", Type::broker_url, "embedded://",
             "Where topics live: redis://USER:PASSWORD@HOST:PORT/DATABASE (rediss:// with TLS), redis+unix://SOCKET?db=DATABASE, or "
             "embedded://FILE (without a FILE: broker.db in data_directory). Parameters may follow (embedded://FILE?synchronous=normal). "
             "Where it is set, it stands "
             "above every domain's redis.url; where it is not, and domains have one, theirs counts."},
            {"store.url", Type::store_url, "sqlite://",
             "Where domains keep their state: postgresql://USER:PASSWORD@HOST:PORT/DATABASE (also as SQLAlchemy writes it, "
             "postgresql+psycopg://...), or sqlite://DIRECTORY, one file a schema (without a DIRECTORY: store in data_directory). "
             "Parameters "
             "may follow (sqlite://DIRECTORY?synchronous=normal)."},
            {"store.pool.min", Type::integer, "1",
             "PostgreSQL: connections that stay open while nobody needs them; further ones are closed after a minute or two.", 0, 1000},
            {"store.pool.max", Type::integer, "16",
             "PostgreSQL: connections at most; who needs one more waits. A domain needs 2 or 3 at a time.", 1, 1000},
            {"store.roles", Type::boolean, "true",
             "PostgreSQL: each domain works as a role of its own, weir_<schema>, which reaches that schema alone; made where the login may "
             "make "
             "roles. false: as the login itself."},
            {"store.statement_timeout_ms", Type::integer, "30000",
             "PostgreSQL: milliseconds after which the server ends a statement, and the batch runs again.", 1, kDayMs},
            {"store.lock_timeout_ms", Type::integer, "5000",
             "PostgreSQL: milliseconds that a statement waits for another's lock before the batch runs again.", 1, kDayMs},
            {"state_directory", Type::path, "", "Private copies of plugins, crash marks, status. Default: state in data_directory."},
            {"plugins.directory", Type::path, "",
             "Watched for plugins (*.so). Default: plugins or lib/weir/plugins beside the program's own directory."},
            {"plugins.default", Type::plugin_name, "projection",
             "Serves domains that name no plugin and that no plugin claims; \"none\": they are refused."},
            {"plugins.serve_defaults", Type::boolean, "true", "Plugins serve the domain that they were made for, without a domain file."},
            {"plugins.poll_interval_ms", Type::integer, "200",
             "Milliseconds between two looks into the plugin directory, also where inotify works.", 10, 60000},
            {"plugins.inotify", Type::boolean, "true", "Be told by the kernel of changed plugins, besides looking."},
            {"domains_directory", Type::path, "", "Holds one *.json file a domain. Default: none."},
            {"domains", Type::domains, "", "Domains in the host file itself: an object by name, or an array."},
            {"contracts_directory", Type::path, "", "JSON Schemas that add to the built-in contracts or replace them. Default: none."},
            {"log.level", Type::choice, "info", "The least important lines that are written.", 0, 0, "debug|info|warn|error"},
            {"log.format", Type::choice, "auto", "auto: text on a terminal, JSON lines elsewhere.", 0, 0, "auto|json|text"},
        };
        for (const auto &section : {http_keys(), engine_keys()}) {
            all.insert(all.end(), section.begin(), section.end());
        }
        return all;
    }();
    return keys;
}

const std::vector<Key> &domain_keys() {
    static const std::vector<Key> keys = [] {
        std::vector<Key> all{
            {"enabled", Type::boolean, "true", "false: the domain is not served, not even by the plugin that was made for it."},
            {"service.name", Type::service_name, "", "What the consumers call themselves in the broker. Default: the domain's name."},
            {"service.domain", Type::domain_name, "", "The domain's name. Required in a file of its own."},
            {"service.schema", Type::schema_name, "",
             "The database schema that is the domain's own. Default: the plugin's, else the domain's name."},
            {"plugin", Type::plugin_name, "",
             "The plugin that serves it. Default: the one that was made for a domain of this name, else plugins.default."},
            {"redis.url", Type::redis_url, "",
             "The Redis server that has its topics, as in broker.url. Not used where broker.url is set. Where domains name different ones, "
             "each "
             "reads its own."},
            {"consumer_group", Type::group_name, "", "The consumer group. Default: the plugin's, else the domain's name."},
            {"topics", Type::topic_list, "", "The topics it reads. Default: the plugin's."},
            {"order", Type::choice, "",
             "ordered: events of one key take effect in topic order. parallel: any number of readers, for changes that commute. Default: "
             "the plugin's.",
             0, 0, "ordered|parallel"},
            {"bindings", Type::bindings, "",
             "By topic, where the members of an envelope are found; replaces the plugin's binding of that topic."},
            {"settings", Type::object, "{}", "Handed to the plugin; what may stand here is the plugin's to say."},
        };
        for (Key key : engine_keys()) {
            key.default_text = {}; // the host's
            all.push_back(key);
        }
        return all;
    }();
    return keys;
}

const std::vector<BindingMember> &binding_members() {
    static const std::vector<BindingMember> members{
        {"envelope_required", "boolean", "true: a message without an envelope's members is a dead letter. Default: false."},
        {"aliases", "aliases", "Other names for event types, as older producers send them: {\"UserCreated\": \"user.created.v1\"}."},
        {"keys", "sources", "The parts of the ordering key. Default: the broker's key, else the whole partition is one key."},
        {"event_id", "source", "Where the id is; also \"position\": made from the message's place in the topic."},
        {"event_type", "source", "Where the event type is."},
        {"occurred_at", "source", "Where the time is."},
        {"tenant_id", "source", "Where the tenant is."},
        {"correlation_id", "source", "Where the correlation id is."},
        {"payload", "source", "Where the payload is. Default: /payload with an envelope, the whole message without."},
    };
    return members;
}

std::string variable_name(std::string_view path) {
    std::string name = "WEIR_";
    for (const char c : path) {
        const bool lower = c >= 'a' && c <= 'z';
        const bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        name += lower ? static_cast<char>(c - ('a' - 'A')) : plain ? c : '_';
    }
    return name;
}

} // namespace weir::config
