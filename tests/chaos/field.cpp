// SPDX-License-Identifier: Apache-2.0
#include "field.hpp"

#include "events.hpp"
#include "installation.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cctype>
#include <csignal>
#include <sstream>

namespace weir::test {

namespace {

const std::vector<std::string> kTold = {"batch.in_doubt", "handler.crashed", "domain.not_ready", "event.retry"};

RedisOptions durable_redis() {
    RedisOptions options;
    options.appendfsync = "always";
    return options;
}

PostgresOptions durable_postgres() {
    PostgresOptions options;
    options.fsync = true;
    return options;
}

std::string domain_file(const std::string &domain, const std::string &plugin, const std::string &topic, const std::string &key,
                        const std::string &order) {
    return R"({"service": {"name": ")" + domain + R"(", "domain": ")" + domain + R"(", "schema": ")" + domain + R"("}, "plugin": ")" +
           plugin + R"(", "consumer_group": ")" + domain + R"(_group", "order": ")" + order + R"(", "topics": [")" + topic +
           R"("], "bindings": {")" + topic + R"(": {"envelope_required": true, "keys": [")" + key + R"("]}}})";
}
std::string chain_file(const std::string &domain, bool has_unique_index) {
    return domain_file(domain, has_unique_index ? "chaos-unique" : "chaos", "chaos." + domain + ".v1", "/payload/key", "ordered");
}

} // namespace

ChaosField::ChaosField(bool with_knots) : redis(durable_redis()), postgres(durable_postgres()) {
    namespace fs = std::filesystem;
    const fs::path root = directory_.path();
    fs::create_directory(root / "plugins");
    fs::create_directory(root / "domains");
    fs::permissions(root / "plugins", fs::perms::owner_all);
    for (const char *name : {"plugins/linting.so", "tests/chaos_plugins/chaos.so", "tests/chaos_plugins/chaos_unique.so"}) {
        const fs::path there = root / "plugins" / fs::path(name).filename();
        fs::copy_file(build_directory() / name, there);
        fs::permissions(there, fs::perms::owner_all);
    }
    entangle_chain(false);
    write_file(root / "domains/tally.json", domain_file("tally", "chaos", "chaos.count.v1", "/payload/subject", "parallel"));
    if (with_knots) {
        write_file(root / "domains/knot.json", chain_file("knot", true));
    }
    write_file(root / "weir.json", R"({"domains_directory": "domains"})");
    set("plugins.directory", (root / "plugins").string());
    set("engine.batch_max_events", "100");
    set("engine.lease_ttl_ms", std::to_string(kLease_ms));
    set("engine.retry_delays_ms", "20,40,80");
    set("engine.max_retries", "3");
    set("engine.crash_limit", "1000"); // a handler's point is hit again and again, which is not the handler's fault
    for (Host &host : hosts_) {
        host.broker = std::make_unique<TcpProxy>(redis.port(), TcpProxy::Protocol::opaque, "XACK");
        host.store = std::make_unique<TcpProxy>(postgres.port(), TcpProxy::Protocol::postgresql);
    }
}

ChaosField::~ChaosField() = default;

void ChaosField::set(const std::string &key, const std::string &value) {
    std::string name = "WEIR_";
    for (const char c : key) {
        name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    overrides_[name] = value;
}

void ChaosField::entangle_chain(bool entangled) { write_file(directory_ / "domains/chain.json", chain_file("chain", entangled)); }

void ChaosField::start(int host, const std::string &kill_at, const std::vector<std::string> &arguments) {
    Host &one = hosts_[host];
    if (one.process) {
        for (const std::string &event : kTold) {
            said_before_[event] += one.process->said(event).size();
        }
    }
    auto environment = overrides_;
    environment["WEIR_STATE_DIRECTORY"] = (directory_ / ("state" + std::to_string(host))).string();
    environment["WEIR_BROKER_URL"] = "redis://127.0.0.1:" + std::to_string(direct_ ? redis.port() : one.broker->port()) +
                                     "/0?connect_timeout_ms=1500&timeout_ms=" + std::to_string(kBrokerPatience_ms);
    const std::string name = std::to_string(host) + "." + std::to_string(++one.starts); // overlap.hpp
    environment["WEIR_STORE_URL"] = "postgresql://weir:" + std::string(PostgresServer::kPassword) +
                                    "@127.0.0.1:" + std::to_string(direct_ ? postgres.port() : one.store->port()) +
                                    "/weir?sslmode=disable&options=-c%20chaos.host%3D" + name + "&" + store_patience_;
    if (!kill_at.empty()) {
        environment["WEIR_TEST_KILL_AT"] = kill_at;
    }
    std::vector<std::string> line{"run", "-c", (directory_ / "weir.json").string()};
    line.insert(line.end(), arguments.begin(), arguments.end());
    one.process.reset();
    one.process = std::make_unique<HostProcess>(line, environment, directory_.path());
}

bool ChaosField::running(int host) { return hosts_[host].process && hosts_[host].process->running(); }

void ChaosField::require_sound(int host) {
    const auto ended = hosts_[host].process->wait(std::chrono::milliseconds(0));
    if (ended && ended->signal != SIGKILL) {
        FAIL("host " << host << " ended with exit code " << ended->exit_code << ", signal " << ended->signal << ":\n" << tail_of_logs());
    }
}

std::size_t ChaosField::said(std::string_view event) const {
    const auto found = said_before_.find(std::string(event));
    std::size_t count = found == said_before_.end() ? 0 : found->second;
    for (const Host &host : hosts_) {
        count += host.process ? host.process->said(event).size() : 0;
    }
    return count;
}

std::size_t ChaosField::decided() const {
    std::size_t total = 0;
    for (const char *domain : kDomains) {
        total += decided(domain);
    }
    return total;
}

std::size_t ChaosField::decided(const std::string &domain) const {
    try {
        const auto rows = postgres.query("SELECT coalesce(sum(events), 0)::bigint FROM " + domain + ".event_ledger_counts");
        return std::stoul(rows.at(0).at(0).value());
    } catch (const std::runtime_error &) { // not made yet, or away
        return 0;
    }
}

ChaosField::Generations ChaosField::generations(const std::string &domain) const {
    try {
        const auto rows = postgres.query("SELECT coalesce(max(generation), 1) - 1, coalesce(min(generation), 1) - 1 FROM " + domain +
                                         ".event_ledger_generations");
        return {std::stoul(rows.at(0).at(0).value()), std::stoul(rows.at(0).at(1).value())};
    } catch (const std::runtime_error &) {
        return {};
    }
}

std::size_t ChaosField::left_in_redis() const {
    std::size_t left = 0;
    for (const std::string &stream : ChaosEvents::streams()) {
        // name, NAME, consumers, N, pending, N, last-delivered-id, ID, entries-read, N, lag, N; the lag is not always known
        std::string groups;
        try {
            groups = redis.command({"XINFO", "GROUPS", stream});
        } catch (const std::runtime_error &failure) {
            if (std::string(failure.what()).find("no such key") == std::string::npos) {
                throw;
            }
        }
        std::istringstream lines(groups);
        std::string word;
        while (std::getline(lines, word)) {
            if (word == "pending") {
                std::getline(lines, word);
                left += std::stoul(word);
            } else if (word == "last-delivered-id") {
                std::getline(lines, word);
                left += redis.command({"XRANGE", stream, "(" + word, "+", "COUNT", "1"}).empty() ? 0 : 1;
            }
        }
    }
    return left;
}

std::string ChaosField::tail_of_logs() {
    constexpr std::size_t kTail = 4000;
    std::string result;
    for (int i = 0; i < kHosts; ++i) {
        if (hosts_[i].process) {
            const std::string log = hosts_[i].process->log();
            result += "host " + std::to_string(i) + ":\n" + log.substr(log.size() - std::min(log.size(), kTail)) + "\n";
        }
    }
    return result;
}

} // namespace weir::test
