// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Servers of Debian's packages for tests: each object is one real server on a free port of 127.0.0.1 and on a Unix socket, with its data
/// in a directory of its own. Any number of them may run at once, in any number of test programs. Server and directory are gone when the
/// object is, and also when the test process ends without a chance to say so (kill -9).
///
/// Constructors and `start` return when the server answers. They throw std::runtime_error with the server's own last words where it does
/// not start; where the package is missing, naming scripts/install-dependencies.sh. An object belongs to one thread at a time.
namespace weir::test {

class ServerProcess;

struct RedisOptions {
    bool appendonly = true;
    std::string appendfsync = "everysec";        ///< always, everysec, no
    std::uint64_t maxmemory_bytes = 0;           ///< 0: no limit; what is over it is refused, nothing is evicted
    std::string requirepass;                     ///< the password of the user "default"
    std::string acl;                             ///< lines of an ACL file: "user weir on >secret ~* &* +@all"; not with requirepass
    std::uint16_t replica_of_port = 0;           ///< a replica of the server on this port of 127.0.0.1
    std::map<std::string, std::string> settings; ///< further lines of redis.conf
};

class RedisServer {
public:
    explicit RedisServer(const RedisOptions &options = {});
    ~RedisServer();
    RedisServer(const RedisServer &) = delete;
    RedisServer &operator=(const RedisServer &) = delete;

    std::uint16_t port() const noexcept { return port_; }
    std::filesystem::path socket() const;
    /// redis://127.0.0.1:PORT/DATABASE, with the password where there is one.
    std::string url(int database = 0) const;
    std::string url(const std::string &user, const std::string &password, int database = 0) const;
    /// redis+unix://SOCKET?db=DATABASE, with the password where there is one.
    std::string unix_url(int database = 0) const;

    /// Ends it as `redis-cli shutdown` does.
    void stop();
    /// kill -9.
    void kill();
    /// Starts it again on the same port and data.
    void start();
    void restart() { stop(), start(); }
    /// It stands still (SIGSTOP), connections stay open; and goes on.
    void pause();
    void resume();
    bool running();

    /// Runs one command on a connection of its own, as the user "default"; elements of arrays stand a line each, nil is empty.
    /// Throws std::runtime_error with the server's words where it refuses.
    std::string command(const std::vector<std::string> &words) const;
    std::string log() const;

private:
    std::string password_;
    std::uint16_t port_ = 0;
    std::vector<std::string> arguments_;
    std::unique_ptr<ServerProcess> process_;
};

struct PostgresOptions {
    bool fsync =
        false; ///< what a kill of the whole machine loses is of interest to benchmarks and chaos only; synchronous_commit is on in any case
    std::map<std::string, std::string> settings;      ///< further settings of postgresql.conf
    bool tls = false;                                 ///< with a certificate of its own making for 127.0.0.1; else it speaks no TLS
    const class PostgresServer *standby_of = nullptr; ///< a hot standby of this server, which runs
};

/// Besides the superuser `postgres` there is from the beginning the role `weir` (may log in, create roles and databases; not a superuser),
/// which owns the database `weir`. Passwords are checked (scram-sha-256) on the port; through the socket everybody is let in.
class PostgresServer {
public:
    /// Runs as this user where the caller is one, else (root) as `postgres` or `nobody`.
    explicit PostgresServer(const PostgresOptions &options = {});
    ~PostgresServer();
    PostgresServer(const PostgresServer &) = delete;
    PostgresServer &operator=(const PostgresServer &) = delete;

    static constexpr const char *kPassword = "weir-secret"; ///< of both roles

    std::uint16_t port() const noexcept { return port_; }
    /// The directory of the Unix socket.
    std::filesystem::path socket_directory() const;
    /// The certificate that it shows, where it speaks TLS.
    std::filesystem::path certificate() const;
    /// postgresql://USER:PASSWORD@127.0.0.1:PORT/DATABASE
    std::string url(const std::string &database = "weir", const std::string &user = "weir", const std::string &password = kPassword) const;
    /// As the superuser.
    std::string admin_url(const std::string &database = "weir") const { return url(database, "postgres"); }

    /// Makes an empty database owned by `weir`; its name is @param name, or one that is new in this process. Returns the name.
    std::string create_database(const std::string &name = "");
    /// Makes a role that may log in; @param attributes as in CREATE ROLE, such as "CREATEROLE".
    void create_role(const std::string &name, const std::string &password, const std::string &attributes = "");

    using Row = std::vector<std::optional<std::string>>;
    /// Runs statements on a connection of its own as the superuser; the rows of the last one. Throws std::runtime_error with the server's
    /// words.
    std::vector<Row> query(const std::string &sql, const std::string &database = "weir") const;

    /// Ends it as `pg_ctl stop --mode=fast` does.
    void stop();
    /// kill -9 of the server and all its processes.
    void kill();
    /// Starts it again on the same port and data.
    void start();
    void restart() { stop(), start(); }
    /// All its processes stand still (SIGSTOP), connections stay open; and go on.
    void pause();
    void resume();
    bool running();
    std::string log() const;

private:
    std::uint16_t port_ = 0;
    std::vector<std::string> arguments_;
    std::unique_ptr<ServerProcess> process_;
};

} // namespace weir::test
