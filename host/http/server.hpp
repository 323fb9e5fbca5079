// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/routes.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace weir::http {

/// An address can't be listened on: it is taken, not this machine's, or not an address. The message names the config key.
class ListenFailure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// What a client may use up. Each is a key of the same name below `http.` in the configuration.
struct Limits {
    std::size_t max_body_bytes = 1u << 20;         ///< 413
    std::size_t max_header_bytes = 16u << 10;      ///< 431; request line included
    std::size_t max_body_memory_bytes = 64u << 20; ///< of bodies that are read or handled, over all connections; 503 with Retry-After
    std::size_t max_connections = 12000;           ///< all listeners; 503, then closed
    std::size_t max_connections_per_address = 0; ///< of these, for one IPv4 address, or one IPv6 network of 64 bits; 0: no bound of its own
    std::size_t max_event_streams = 2000;        ///< at a time, of all listeners; 503 with Retry-After
    std::size_t max_event_streams_per_address = 0; ///< of these, for one client as above; 0: no bound of its own
    std::size_t max_queue = 1024;                  ///< requests that wait for a worker; 503 with Retry-After
    std::size_t max_requests_per_connection = 100000;
    std::uint32_t header_timeout_ms = 10000;  ///< from the first byte of a request to the end of its header; 408
    std::uint32_t body_timeout_ms = 30000;    ///< to the end of its body; 408
    std::uint32_t idle_timeout_ms = 60000;    ///< between requests, and before the first; closed
    std::uint32_t write_timeout_ms = 30000;   ///< for the client to take an answer; closed
    std::uint32_t handler_timeout_ms = 10000; ///< 504
};

struct ListenerOptions {
    std::string name;                      ///< "public", "operations": for logs and `port`
    std::string address;                   ///< "127.0.0.1:8080", "[::]:8080", "0.0.0.0:0" (any free port)
    std::string config_key;                ///< named where the address can't be had: "http.listen"
    std::string token;                     ///< the bearer token of guarded routes; empty: none is right
    bool trust_local = true;               ///< guarded routes are open to local addresses without a token
    std::vector<std::string> host_names;   ///< further Host names of this machine for local access, beside localhost and the loopbacks
    std::vector<std::string> cors_origins; ///< "https://app.example": exact; no wildcards
    /// Connections beyond the bounds of `Limits`. Routes that run on workers are answered with 503 there, others as ever, and each answer
    /// is the last. Where all of them are taken, a new one pushes out the one that has waited longest; so nobody can keep them from others.
    std::size_t reserve_connections = 0;
    bool reserve_only = false; ///< no bound of `Limits` is for this listener: it has its reserve alone, with all routes
};

/// A request that was answered, for metrics. The views are valid during the call.
struct Served {
    std::string_view listener;
    std::string_view route; ///< the pattern; empty where none matched
    Method method = Method::get;
    int status = 0;
    std::chrono::nanoseconds duration{0}; ///< from its last byte to its answer
    std::size_t request_bytes = 0;        ///< of the body
    std::size_t response_bytes = 0;
};

struct Statistics {
    std::size_t connections = 0;
    std::size_t streams = 0;
    std::size_t body_bytes = 0; ///< of request bodies that count for Limits::max_body_memory_bytes
    std::size_t queued = 0;
    std::size_t running = 0;
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0; ///< connections that were closed, or got a 503, for being beyond the limits
    std::uint64_t requests = 0;
};

struct ServerOptions {
    std::vector<ListenerOptions> listeners;
    Limits limits;
    unsigned io_threads = 1;
    unsigned workers = 4;
    unsigned reserve_workers = 1;                                                ///< for routes that run on `Runs::reserve`
    std::function<void(const Served &)> observe;                                 ///< any thread; must be quick
    std::function<void(std::string_view route, std::string_view reason)> failed; ///< a handler threw; for the log
    std::function<void(std::string_view reason)> trouble;                        ///< connections can't be taken for now; for the log
    std::function<void(std::string_view key, std::string_view address)>
        full; ///< connections are refused; for the log, once in 10 s at most
    /// Event streams are refused; for the log, once until there are fewer again. Any thread.
    std::function<void(std::string_view key, std::string_view address)> streams_full;
};

/// Serves HTTP/1.1 (RFC 9112). TLS is a reverse proxy's. Thread-safe, but for `start` and `stop`, which one thread calls.
class Server {
public:
    explicit Server(ServerOptions options);
    ~Server(); ///< stops, without waiting for handlers that run longer than their deadline
    Server(const Server &) = delete;
    Server &operator=(const Server &) = delete;

    /// Replaces a listener's table; before `start` as well. Requests that are read from now on are matched by it; those that run are not
    /// disturbed; event streams of the old table are ended, and clients come again. Before the first table everything is a 503.
    void set_routes(std::string_view listener, std::shared_ptr<const Routes> routes);

    /// Listens and serves on threads of its own. @throws ListenFailure; then nothing is listened on
    void start();

    /// Takes no more connections, closes idle ones, ends streams, lets requests that run be answered until the deadline, then closes all.
    /// @return false where the deadline passed first
    bool stop(std::chrono::milliseconds deadline);

    /// The port that a listener has; 0 before `start`.
    std::uint16_t port(std::string_view listener) const;

    /// What can be changed while it serves: limits, tokens, CORS lists (listeners by name; their addresses stay).
    void reconfigure(const Limits &limits, const std::vector<ListenerOptions> &listeners);

    Statistics statistics() const;

private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

} // namespace weir::http
