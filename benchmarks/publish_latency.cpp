// SPDX-License-Identifier: Apache-2.0
// How long an event takes from its publisher's clock to its commit.
//   bench_publish_latency EVENTS REDIS_PORT TOPIC POSTGRES_PORT USER DATABASE SCHEMA RATE SECONDS SEED
// The load is open: events are due at moments drawn in advance (exponential gaps, RATE a second on the average), whatever becomes of those
// before, and each counts from the moment when it was due. Beside it another thread asks PostgreSQL every quarter of a millisecond for its
// snapshot. Afterwards each ledger row's transaction is looked up in those: the first in which it is visible is when its commit was seen,
// never too early, and late by one question at most. Prints one JSON object; latencies in milliseconds.
#include "wire.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <fstream>
#include <random>
#include <thread>
#include <unordered_map>

using namespace weir::bench;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kAsk = std::chrono::microseconds(250);
constexpr auto kWarmUp = std::chrono::seconds(1); // events due in it are not counted
constexpr auto kPatience = std::chrono::seconds(30);

struct Snapshot {
    Clock::time_point seen;
    std::uint64_t next = 0; ///< transactions from this one on had not begun
    std::vector<std::uint64_t> running;
};

std::uint64_t number(std::string_view text) { return std::strtoull(std::string(text).c_str(), nullptr, 10); }

Snapshot take_snapshot(PostgresSession &session) {
    Snapshot snapshot;
    session.query("select pg_current_snapshot()", [&](const std::vector<std::string_view> &row) { // lowest:next:running,running
        std::string_view text = row[0];
        text.remove_prefix(text.find(':') + 1);
        snapshot.next = number(text.substr(0, text.find(':')));
        text.remove_prefix(text.find(':') + 1);
        while (!text.empty()) {
            snapshot.running.push_back(number(text.substr(0, text.find(','))));
            text.remove_prefix(std::min(text.size(), text.find(',') == text.npos ? text.size() : text.find(',') + 1));
        }
    });
    snapshot.seen = Clock::now();
    return snapshot;
}

std::string xadd(const std::string &topic, const std::string &body) {
    std::string command = "*5\r\n";
    for (const std::string &word : {std::string("XADD"), topic, std::string("*"), std::string("event"), body}) {
        command += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    }
    return command;
}

void read_reply(Socket &redis) {
    std::string line;
    while (!line.ends_with("\r\n")) {
        line += redis.read(1);
    }
    if (line[0] != '$') {
        give_up("Redis: " + line);
    }
    redis.read(static_cast<std::size_t>(std::atoi(line.c_str() + 1)) + 2);
}

double milliseconds(Clock::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

double percentile(const std::vector<double> &sorted, double percent) {
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(sorted.size())));
    return sorted[std::min(std::max<std::size_t>(rank, 1), sorted.size()) - 1];
}

} // namespace

int main(int count, char **arguments) {
    if (count != 11) {
        give_up("usage: bench_publish_latency EVENTS REDIS_PORT TOPIC POSTGRES_PORT USER DATABASE SCHEMA RATE SECONDS SEED");
    }
    const double rate = std::atof(arguments[8]);
    const auto wanted = static_cast<std::size_t>(rate * std::atof(arguments[9]));
    const std::string schema = arguments[7];

    std::vector<std::string> ids;
    std::vector<std::string> commands;
    std::ifstream file(arguments[1]);
    for (std::string line; commands.size() < wanted && std::getline(file, line);) {
        const std::size_t at = line.find("\"event_id\":\"");
        ids.push_back(at == line.npos ? "" : line.substr(at + 12, 36));
        commands.push_back(xadd(arguments[3], line));
    }
    std::mt19937_64 random(number(arguments[10]));
    std::exponential_distribution<double> gap(rate);
    std::vector<Clock::duration> due(commands.size());
    double at = 0.2;
    for (auto &moment : due) {
        moment = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(at += gap(random)));
    }

    Socket redis(static_cast<std::uint16_t>(std::atoi(arguments[2])));
    const auto postgres_port = static_cast<std::uint16_t>(std::atoi(arguments[4]));
    PostgresSession watcher(postgres_port, arguments[5], arguments[6]);
    PostgresSession reader(postgres_port, arguments[5], arguments[6]);

    std::atomic<bool> stop = false;
    std::vector<Snapshot> snapshots;
    snapshots.reserve(commands.size() * 8);
    std::thread watch([&] {
        for (auto next = Clock::now(); !stop; next = std::max(next + kAsk, Clock::now())) {
            std::this_thread::sleep_until(next);
            Snapshot snapshot = take_snapshot(watcher);
            if (snapshots.empty() || snapshot.next != snapshots.back().next || snapshot.running != snapshots.back().running) {
                snapshots.push_back(std::move(snapshot));
            }
        }
    });

    const auto began = Clock::now();
    std::vector<double> lags; // of the generator itself
    for (std::size_t i = 0; i < commands.size(); ++i) {
        std::this_thread::sleep_until(began + due[i]);
        redis.write(commands[i]);
        read_reply(redis);
        lags.push_back(milliseconds(Clock::now() - (began + due[i])));
    }

    std::unordered_map<std::string, std::size_t> first; // a second delivery changes nothing, so it has no commit of its own
    for (std::size_t i = 0; i < ids.size(); ++i) {
        first.try_emplace(ids[i], i);
    }
    const auto deadline = Clock::now() + kPatience;
    for (std::uint64_t there = 0; there < first.size() && Clock::now() < deadline;) {
        reader.query("select count(*) from " + schema + ".event_ledger", [&](const auto &row) { there = number(row[0]); });
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    stop = true;
    watch.join();

    std::vector<double> latencies;
    std::unordered_map<std::uint64_t, Clock::time_point> visible; // by transaction
    std::size_t missing = 0;
    std::unordered_map<std::string, std::uint64_t> transactions;
    reader.query("select event_id, xmin from " + schema + ".event_ledger",
                 [&](const auto &row) { transactions.emplace(row[0], number(row[1])); });
    for (const auto &[id, i] : first) {
        const auto found = transactions.find(id);
        if (found == transactions.end()) {
            ++missing;
            continue;
        }
        const std::uint64_t transaction = found->second;
        auto seen = visible.find(transaction);
        if (seen == visible.end()) {
            // Snapshots only grow, so those that hold the transaction as done are at the end.
            const auto at_end = std::partition_point(snapshots.begin(), snapshots.end(), [&](const Snapshot &snapshot) {
                return transaction >= snapshot.next ||
                       std::find(snapshot.running.begin(), snapshot.running.end(), transaction) != snapshot.running.end();
            });
            if (at_end == snapshots.end()) {
                ++missing;
                continue;
            }
            seen = visible.emplace(transaction, at_end->seen).first;
        }
        if (due[i] >= kWarmUp) {
            latencies.push_back(milliseconds(seen->second - (began + due[i])));
        }
    }
    if (latencies.empty()) {
        give_up("no event was committed");
    }
    std::sort(latencies.begin(), latencies.end());
    std::sort(lags.begin(), lags.end());
    std::printf("{\"events\": %zu, \"missing\": %zu, \"transactions\": %zu, \"p50\": %.3f, \"p99\": %.3f, \"p99.9\": %.3f, \"max\": %.3f, "
                "\"publish_p50\": %.3f, \"publish_p99\": %.3f}\n",
                latencies.size(), missing, visible.size(), percentile(latencies, 50), percentile(latencies, 99),
                percentile(latencies, 99.9), latencies.back(), percentile(lags, 50), percentile(lags, 99));
    return missing == 0 ? 0 : 1;
}
