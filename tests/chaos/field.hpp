// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host_process.hpp"
#include "proxy.hpp"
#include "servers.hpp"
#include "support.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weir::test {

/// Redis (appendfsync always) and PostgreSQL (durable commits), and two hosts on one group, each with a proxy of its own before either
/// server.
class ChaosField {
public:
    static constexpr int kHosts = 2;
    static constexpr int kLease_ms = 1000;
    static constexpr int kBrokerPatience_ms = 1500; ///< for an answer of Redis
    static constexpr int kStorePatience_ms = 7000;  ///< for one of PostgreSQL; never less than 5 s more than a statement may take
    static constexpr const char *kDomains[] = {"linting", "chain", "tally", "knot"};

    /// @param with_knots also the domain "knot", which is like "chain" and has a unique index
    explicit ChaosField(bool with_knots = false);
    ~ChaosField();

    RedisServer redis;
    PostgresServer postgres;
    TcpProxy &broker_proxy(int host) { return *hosts_[host].broker; }
    TcpProxy &store_proxy(int host) { return *hosts_[host].store; }

    /// Starts a host that does not run. @param kill_at a named point and a count, or nothing: "commit:3"
    void start(int host, const std::string &kill_at = "", const std::vector<std::string> &arguments = {});
    HostProcess &host(int host) { return *hosts_[host].process; }
    bool running(int host);
    /// Overrides a key for hosts started from now on.
    void set(const std::string &key, const std::string &value);
    /// What the store's url says of timeouts, for hosts started from now on.
    void set_store_patience(std::string parameters) { store_patience_ = std::move(parameters); }
    /// Whether the domain "chain" has a unique index, and with it one shard, in hosts started from now on. Its schema is that of before, or
    /// isn't there.
    void entangle_chain(bool entangled);
    /// Hosts started from now on speak to the servers themselves: proxies take processor time, and some for each answer.
    void leave_out_proxies() { direct_ = true; }
    /// Ends the test where a host has ended otherwise than by SIGKILL.
    void require_sound(int host);
    /// Whether the host's process has begun to serve, and takes signals.
    bool is_up(int host) const { return hosts_[host].process && !hosts_[host].process->said("host.starting").empty(); }
    /// What all hosts' logs so far hold of an event name.
    std::size_t said(std::string_view event) const;

    /// Events that all domains have decided, of whatever their ledgers still know; nothing is thrown while the server is away.
    std::size_t decided() const;
    /// The same of one domain; 0 where that can't be known.
    std::size_t decided(const std::string &domain) const;
    /// Generations of a domain's ledger that were sealed, and those of them that are pruned.
    struct Generations {
        std::size_t sealed = 0;
        std::size_t pruned = 0;
    };
    Generations generations(const std::string &domain) const;
    /// 0 where all groups have been given everything and have acknowledged it.
    std::size_t left_in_redis() const;
    std::string tail_of_logs();

private:
    struct Host {
        std::unique_ptr<TcpProxy> broker;
        std::unique_ptr<TcpProxy> store;
        std::unique_ptr<HostProcess> process;
        int starts = 0;
    };
    TemporaryDirectory directory_;
    std::map<std::string, std::string> overrides_;
    std::string store_patience_ = "connect_timeout=5&statement_timeout_ms=2000&reply_timeout_ms=" + std::to_string(kStorePatience_ms);
    bool direct_ = false;
    Host hosts_[kHosts];
    std::map<std::string, std::size_t> said_before_; ///< of processes that are gone
};

} // namespace weir::test
