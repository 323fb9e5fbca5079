// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::broker {

/// How to reach a Redis, and what to do with the topics that this host publishes to or reads.
struct RedisOptions {
    std::string host = "127.0.0.1"; ///< a name or an address; not used with `unix_socket`
    std::uint16_t port = 6379;
    std::string unix_socket; ///< a path; empty: TCP
    std::string user;        ///< empty: Redis's `default`
    std::string password;    ///< empty: none
    std::uint32_t database = 0;
    std::chrono::milliseconds connect_timeout{2000}; ///< connecting and logging in
    std::chrono::milliseconds timeout{5000};         ///< for each answer; a server that says nothing for so long counts as gone

    bool tls = false;            ///< "rediss://"
    std::string tls_ca;          ///< file or directory of those whose signatures are trusted; empty: the system's
    std::string tls_certificate; ///< a file; empty: none is shown
    std::string tls_key;         ///< its key's file; empty: in the same
    bool tls_verify = true;      ///< the server's certificate has to be trusted,
    bool tls_check_host = true;  ///< and to be for its host

    std::uint32_t partitions = 1; ///< of topics that `publish` makes; 1..1024
    /// What a partition keeps beyond what its groups have not acknowledged; 0: everything.
    std::uint64_t max_messages = 0;
    std::chrono::milliseconds max_age{0};
    bool trim_unread = false; ///< the two limits hold whether groups have read what they remove or not

    std::string key = "broker.url"; ///< what messages call the configuration key that named this server

    /// "redis://HOST:PORT/DATABASE", "rediss://HOST:PORT/DATABASE" or "redis+unix://PATH?db=DATABASE", without user and password: what
    /// messages name the server by.
    std::string place() const;
};

/// Reads `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE][?PARAMETERS]`, the same with `rediss://` for TLS, or
/// `redis+unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE&...]`, with the parameters partitions, max_messages, max_age_s,
/// trim=acknowledged|always, connect_timeout_ms, timeout_ms, and for TLS those that redis-py has: ssl_ca_certs, ssl_certfile, ssl_keyfile,
/// ssl_cert_reqs=required|none, ssl_check_hostname=true|false. User, password and paths may hold %XX escapes; an IPv6 address stands in
/// brackets. @return what is wrong, naming the key `broker.url` and never the password;
/// `out` is then unchanged
std::optional<std::string> parse_redis_url(std::string_view url, RedisOptions &out);

/// Topics as Redis streams (docs/redis.md says how they lie there). Thread-safe. The server need not be there: each call connects where it
/// must, and throws `Unavailable` while it can't. A consumer may outlive its broker. Neither is to be used across `fork`.
std::unique_ptr<Broker> open_redis_broker(const RedisOptions &options);

} // namespace weir::broker
