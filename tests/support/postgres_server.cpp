// SPDX-License-Identifier: Apache-2.0
#include "server_process.hpp"
#include "servers.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <libpq-fe.h>
#include <sstream>
#include <stdexcept>
#include <sys/file.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::test {

namespace {

namespace fs = std::filesystem;

struct Installation {
    fs::path programs;
    std::string version;
};

Installation find_installation() {
    if (const char *given = std::getenv("WEIR_TEST_POSTGRESQL_BIN"); given && *given) {
        const fs::path programs = fs::canonical(given);
        return {programs, std::to_string(std::hash<std::string>()(programs.string()))}; // a template of its own
    }
    std::vector<fs::path> found;
    std::error_code ignored;
    for (const fs::directory_entry &entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
        found.push_back(entry.path() / "bin");
    }
    std::sort(found.begin(), found.end(), [](const fs::path &a, const fs::path &b) {
        return std::atoi(a.parent_path().filename().c_str()) > std::atoi(b.parent_path().filename().c_str());
    });
    const fs::path server = find_executable("postgres", found, "postgresql");
    return {server.parent_path(), server.parent_path().parent_path().filename().string()};
}

/// A lock among processes, by file.
class FileLock {
public:
    explicit FileLock(const fs::path &path) : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {
        if (file_ < 0 || ::flock(file_, LOCK_EX) != 0) {
            throw std::runtime_error("cannot lock " + path.string());
        }
    }
    ~FileLock() { ::close(file_); }
    FileLock(const FileLock &) = delete;
    FileLock &operator=(const FileLock &) = delete;

private:
    int file_;
};

/// A cluster that has never been started, made once by initdb, which takes a second, and then copied.
fs::path template_cluster(const Installation &installation, const Account &account) {
    constexpr const char *kLayout = "1"; // another number when what is below changes
    const fs::path place =
        fs::temp_directory_path() / ("weir-postgres-template-" + std::to_string(account.user) + "-" + installation.version + "-" + kLayout);
    const FileLock lock(place.string() + ".lock");
    struct stat status {};
    if (::lstat(place.c_str(), &status) == 0) {
        if (!S_ISDIR(status.st_mode) || status.st_uid != account.user) {
            throw std::runtime_error(place.string() + " is not a directory of the user that PostgreSQL runs as; remove it");
        }
        return place;
    }
    std::string pattern = place.string() + "-XXXXXX";
    if (!::mkdtemp(pattern.data()) || ::chown(pattern.c_str(), account.user, account.group) != 0) {
        throw std::runtime_error("no temporary directory can be made at " + pattern);
    }
    const std::string data = pattern + "/data";
    try {
        run_program({(installation.programs / "initdb").string(), "--pgdata", data, "--username", "postgres", "--auth-host",
                     "scram-sha-256", "--auth-local", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"},
                    account);
        const std::string password = std::string("PASSWORD '") + PostgresServer::kPassword + "'";
        run_program({(installation.programs / "postgres").string(), "--single", "-D", data, "-F", "-j", "postgres"}, account,
                    "ALTER ROLE postgres " + password + ";\n\nCREATE ROLE weir LOGIN CREATEROLE CREATEDB " + password +
                        ";\n\nCREATE DATABASE weir OWNER weir;\n\n");
        fs::rename(data, place);
    } catch (...) {
        fs::remove_all(pattern);
        throw;
    }
    fs::remove_all(pattern);
    return place;
}

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

/// A server that was killed leaves its System V segment behind; the next server on the same data would remove it.
void remove_shared_memory(const fs::path &data) {
    std::ifstream in(data / "postmaster.pid");
    std::string line;
    for (int number = 1; number <= 7 && std::getline(in, line); ++number) {
    }
    std::istringstream words(line);
    unsigned long key = 0;
    int id = -1;
    if (words >> key >> id) {
        ::shmctl(id, IPC_RMID, nullptr);
    }
}

} // namespace

PostgresServer::PostgresServer(const PostgresOptions &options) {
    const Installation installation = find_installation();
    process_ = std::make_unique<ServerProcess>("postgres", unprivileged_account());
    const fs::path cluster = template_cluster(installation, process_->account());
    const fs::path data = process_->directory() / "data";
    if (options.standby_of) {
        run_program({(installation.programs / "pg_basebackup").string(), "--pgdata", data.string(), "--host",
                     options.standby_of->socket_directory().string(), "--port", std::to_string(options.standby_of->port()), "--username",
                     "postgres", "--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-sync"},
                    process_->account());
    } else {
        run_program({"/bin/cp", "-a", "--reflink=auto", cluster.string(), data.string()}, process_->account());
    }
    port_ = free_port();
    arguments_ = {(installation.programs / "postgres").string(),
                  "-D",
                  data.string(),
                  "-k",
                  process_->directory().string(),
                  "-p",
                  std::to_string(port_)};
    const auto set = [this](const std::string &name, const std::string &value) {
        arguments_.insert(arguments_.end(), {"-c", name + "=" + value});
    };
    set("listen_addresses", "127.0.0.1");
    set("fsync", options.fsync ? "on" : "off");
    if (options.tls) {
        const std::string key = (process_->directory() / "server.key").string();
        run_program({find_executable("openssl", {}, "openssl").string(), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                     "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate().string()},
                    process_->account());
        set("ssl", "on");
        set("ssl_key_file", key);
        set("ssl_cert_file", certificate().string());
    }
    for (const auto &[name, value] : options.settings) {
        set(name, value);
    }
    start();
}

PostgresServer::~PostgresServer() {
    if (process_->running()) {
        resume();
        process_->signal(SIGQUIT); // its quickest end at which it still clears up
        process_->wait(std::chrono::seconds(2));
    }
    if (process_->running()) {
        kill();
    }
    remove_shared_memory(process_->directory() / "data");
}

fs::path PostgresServer::socket_directory() const { return process_->directory(); }
fs::path PostgresServer::certificate() const { return process_->directory() / "server.crt"; }

std::string PostgresServer::url(const std::string &database, const std::string &user, const std::string &password) const {
    return "postgresql://" + user + ":" + password + "@127.0.0.1:" + std::to_string(port_) + "/" + database;
}

std::string PostgresServer::create_database(const std::string &name) {
    static std::atomic<int> count = 0;
    const std::string chosen = name.empty() ? "test_" + std::to_string(++count) : name;
    query("CREATE DATABASE \"" + chosen + "\" OWNER weir");
    return chosen;
}

void PostgresServer::create_role(const std::string &name, const std::string &password, const std::string &attributes) {
    query("CREATE ROLE \"" + name + "\" LOGIN " + attributes + " PASSWORD '" + password + "'");
}

std::vector<PostgresServer::Row> PostgresServer::query(const std::string &sql, const std::string &database) const {
    const std::string directory = socket_directory().string();
    const std::string port = std::to_string(port_);
    const char *const names[] = {"host", "port", "dbname", "user", "connect_timeout", nullptr};
    const char *const values[] = {directory.c_str(), port.c_str(), database.c_str(), "postgres", "30", nullptr};
    const Connection connection(PQconnectdbParams(names, values, 0), &PQfinish);
    if (PQstatus(connection.get()) != CONNECTION_OK) {
        throw std::runtime_error(std::string("postgres cannot be reached: ") + PQerrorMessage(connection.get()));
    }
    const Result result(PQexec(connection.get(), sql.c_str()), &PQclear);
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
        throw std::runtime_error(std::string("postgres: ") + PQerrorMessage(connection.get()));
    }
    std::vector<Row> rows;
    for (int i = 0; i < PQntuples(result.get()); ++i) {
        Row &row = rows.emplace_back();
        for (int column = 0; column < PQnfields(result.get()); ++column) {
            row.push_back(PQgetisnull(result.get(), i, column) ? std::nullopt
                                                               : std::optional<std::string>(PQgetvalue(result.get(), i, column)));
        }
    }
    return rows;
}

void PostgresServer::stop() {
    resume();
    process_->signal(SIGINT);
    if (!process_->wait(std::chrono::seconds(60))) {
        throw std::runtime_error("postgres does not end: " + process_->log());
    }
}

void PostgresServer::kill() {
    process_->signal_all(SIGKILL);
    process_->wait(std::chrono::seconds(60));
}

void PostgresServer::start() {
    const std::string directory = socket_directory().string();
    const std::string port = std::to_string(port_);
    process_->start(arguments_, [&] {
        const char *const names[] = {"host", "port", "dbname", "user", nullptr};
        const char *const values[] = {directory.c_str(), port.c_str(), "postgres", "postgres", nullptr};
        return PQpingParams(names, values, 0) == PQPING_OK;
    });
}

void PostgresServer::pause() { process_->signal_all(SIGSTOP); }
void PostgresServer::resume() { process_->signal_all(SIGCONT); }
bool PostgresServer::running() { return process_->running(); }
std::string PostgresServer::log() const { return process_->log(); }

} // namespace weir::test
