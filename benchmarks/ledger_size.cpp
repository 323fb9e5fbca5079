// SPDX-License-Identifier: Apache-2.0
// What an event costs as the ledger grows: `bench_ledger_size URL [EVENTS...]`, 10,000, 1,000,000 and 10,000,000 by default. A schema for
// each size is filled through the adapter, upkeep included; then the sizes take turns, a few batches of 1,000 each, so that whatever the
// machine does meets them all. --wait says "filled" and reads a line before it measures.
#include "store/postgresql/postgresql_store.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace weir;
using namespace weir::store;

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kBatch = 1000;
constexpr std::size_t kFillBatch = 10'000;
constexpr int kBatches = 20;  // a part of a round
constexpr int kRows = 20'000; // of the table that is written beside the ledger

double milliseconds_since(Clock::time_point start) { return std::chrono::duration<double, std::milli>(Clock::now() - start).count(); }

std::unique_ptr<Store> open_store(const std::string &url) {
    if (url.starts_with("sqlite:")) {
        std::string reason;
        const auto options = sqlite::parse_sqlite_url(url, reason);
        if (!options) {
            throw std::runtime_error(reason);
        }
        return sqlite::open_sqlite_store(*options);
    }
    postgresql::PostgresqlOptions options;
    if (const auto problem = postgresql::parse_postgresql_url(url, options)) {
        throw std::runtime_error(*problem);
    }
    return postgresql::open_postgresql_store(options);
}

Schema items() {
    Table table;
    table.name = "items";
    const auto column = [&](const char *name, Type type) {
        Column made;
        made.name = name;
        made.type = type;
        table.columns.push_back(made);
    };
    column("id", Type::int64);
    column("name", Type::text);
    column("updated_at", Type::timestamp);
    table.primary_key = {0};
    return {{table}};
}

class Host {
public:
    explicit Host(DomainStore &domain) : session_(domain.open()) {}

    std::vector<event::Uuid> fresh_ids(std::size_t count) {
        std::vector<event::Uuid> ids(count);
        for (event::Uuid &id : ids) {
            for (std::size_t i = 0; i < id.bytes.size(); i += 8) {
                const std::uint64_t bits = random_();
                std::copy_n(reinterpret_cast<const std::uint8_t *>(&bits), 8, id.bytes.begin() + static_cast<std::ptrdiff_t>(i));
            }
        }
        std::sort(ids.begin(), ids.end());
        return ids;
    }

    void make_rows() {
        TableFlush rows;
        const event::Micros now = event::now();
        for (std::int64_t key = 0; key < kRows; ++key) {
            rows.created.push_back({key, "nobody", now});
        }
        session_->begin({});
        if (session_->count_rows(0) == 0) {
            session_->flush({&rows, 1});
        }
        session_->commit();
    }

    void batch(const std::vector<event::Uuid> &ids, bool rows) {
        std::vector<LedgerEntry> entries;
        entries.reserve(ids.size());
        const event::Micros now = event::now();
        for (const event::Uuid &id : ids) {
            entries.push_back({id, now, Outcome::applied});
        }
        std::vector<TableFlush> flush;
        if (rows) {
            flush.resize(1);
            std::vector<std::int64_t> keys;
            for (std::size_t i = 0; i < ids.size(); ++i) {
                keys.push_back(static_cast<std::int64_t>(random_() % kRows));
            }
            std::sort(keys.begin(), keys.end());
            keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
            std::vector<Key> wanted;
            for (const std::int64_t key : keys) {
                wanted.push_back({key});
            }
            pending_ = std::move(wanted);
        }
        for (;;) {
            try {
                session_->begin({});
                if (!session_->decided(ids).empty()) {
                    throw std::runtime_error("random ids were decided before");
                }
                if (rows) {
                    const auto there = session_->fetch(0, pending_);
                    flush[0] = {};
                    flush[0].changed_columns = {1, 2};
                    for (std::size_t i = 0; i < pending_.size(); ++i) {
                        auto &part = there[i] ? flush[0].changed : flush[0].created;
                        part.push_back({pending_[i][0], "somebody " + std::to_string(now), now});
                    }
                    session_->flush(flush);
                }
                session_->record(entries);
                session_->commit();
                return;
            } catch (const RunAgain &) {
                session_->rollback();
            }
        }
    }

private:
    std::unique_ptr<Session> session_;
    std::mt19937_64 random_{std::random_device{}()};
    std::vector<Key> pending_;
};

LedgerPolicy policy() {
    LedgerPolicy made;
    made.horizon = std::chrono::hours(7 * 24);
    made.now = event::now();
    return made;
}

/// The domain's own thread of the host: a step, and a pause, as long as there is something to do.
class Keeper {
public:
    explicit Keeper(DomainStore &domain) : session_(domain.open()) {}
    void finish() {
        while (session_->maintain_ledger(policy()).more) {
        }
    }
    bool step() { return session_->maintain_ledger(policy()).more; }

private:
    std::unique_ptr<Session> session_;
};

/// A domain with a ledger of its own, and as many rows beside it as any other.
class Ledger {
public:
    Ledger(Store &store, const std::string &schema, std::uint64_t size) : domain_(store.domain(schema)) {
        domain_->migrate(items());
        host_ = std::make_unique<Host>(*domain_);
        keeper_ = std::make_unique<Keeper>(*domain_);
        std::uint64_t events = domain_->open()->ledger_counts().applied;
        host_->make_rows();
        while (events < size) {
            const std::size_t count = std::min<std::uint64_t>(kFillBatch, size - events);
            host_->batch(host_->fresh_ids(count), false);
            events += count;
            keeper_->step();
        }
        keep();
    }

    void keep() { keeper_->finish(); }

    /// Microseconds an event.
    double measure(bool rows, double *longest = nullptr) {
        double sum = 0;
        for (int i = 0; i < kBatches; ++i) {
            const auto ids = host_->fresh_ids(kBatch);
            const auto start = Clock::now();
            host_->batch(ids, rows);
            const double took = milliseconds_since(start);
            sum += took;
            if (longest != nullptr) {
                *longest = std::max(*longest, took);
            }
        }
        return sum * 1000 / kBatches / kBatch;
    }

    /// The same beside upkeep that looks as often as it likes. @return the longest batch, in milliseconds
    double beside_upkeep() {
        std::atomic<bool> over{false};
        std::thread beside([&] {
            while (!over) {
                if (!keeper_->step()) {
                    std::this_thread::yield();
                }
            }
        });
        double longest = 0;
        measure(true, &longest);
        over = true;
        beside.join();
        return longest;
    }

private:
    std::unique_ptr<DomainStore> domain_;
    std::unique_ptr<Host> host_;
    std::unique_ptr<Keeper> keeper_;
};

struct Series {
    std::vector<double> alone; ///< microseconds an event, one a round
    std::vector<double> whole;
    double longest = 0; ///< milliseconds
};

std::string spread(std::vector<double> values, const char *format) {
    std::sort(values.begin(), values.end());
    std::string text;
    for (const auto &[before, value] : {std::pair{"", values[values.size() / 2]}, {" [", values.front()}, {" ... ", values.back()}}) {
        char number[32];
        std::snprintf(number, sizeof number, format, value);
        text += before + std::string(number);
    }
    return text + "]";
}

/// Each round of one size relative to the same round of another.
std::vector<double> relative(const std::vector<double> &values, const std::vector<double> &to) {
    std::vector<double> result;
    for (std::size_t i = 0; i < values.size(); ++i) {
        result.push_back(values[i] / to[i]);
    }
    return result;
}

void run(const std::string &url, const std::vector<std::uint64_t> &sizes, int rounds, bool waits) {
    const auto store = open_store(url);
    std::vector<std::unique_ptr<Ledger>> large;
    for (std::size_t i = 1; i < sizes.size(); ++i) {
        const auto filling = Clock::now();
        large.push_back(std::make_unique<Ledger>(*store, "ledger_of_" + std::to_string(sizes[i]), sizes[i]));
        std::fprintf(stderr, "%llu events recorded in %.0f s\n", static_cast<unsigned long long>(sizes[i]),
                     milliseconds_since(filling) / 1000);
    }
    if (waits) { // until whoever started this has brought the tables to where they are after days
        std::puts("filled");
        std::fflush(stdout);
        std::getchar();
    }
    std::vector<Series> series(sizes.size());
    for (int round = -1; round < rounds; ++round) { // the first one warms up
        // The small one would not stay small: one a round.
        Ledger small(*store, "ledger_round_" + std::to_string(round + 1), sizes[0]);
        for (std::size_t turn = 0; turn < sizes.size(); ++turn) {
            const std::size_t i = round % 2 == 0 ? turn : sizes.size() - 1 - turn;
            Ledger &ledger = i == 0 ? small : *large[i - 1];
            const double alone = ledger.measure(false);
            const double whole = ledger.measure(true);
            ledger.keep();
            if (round >= 0) {
                series[i].alone.push_back(alone);
                series[i].whole.push_back(whole);
            }
        }
    }
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        std::printf("%9llu events: with rows %s us an event, x %s; the ledger alone %s, x %s", static_cast<unsigned long long>(sizes[i]),
                    spread(series[i].whole, "%.1f").c_str(), spread(relative(series[i].whole, series[0].whole), "%.2f").c_str(),
                    spread(series[i].alone, "%.1f").c_str(), spread(relative(series[i].alone, series[0].alone), "%.2f").c_str());
        if (i > 0) {
            std::printf("; longest batch beside ceaseless upkeep %.0f ms", large[i - 1]->beside_upkeep());
        }
        std::puts("");
    }
}

} // namespace

int main(int count, char **arguments) {
    if (count < 2) {
        std::fprintf(stderr, "usage: bench_ledger_size sqlite://DIRECTORY|postgresql://... [--rounds=N] [--wait] [EVENTS...]\n");
        return 2;
    }
    std::vector<std::uint64_t> sizes;
    int rounds = 11;
    bool waits = false;
    for (int i = 2; i < count; ++i) {
        const std::string argument = arguments[i];
        waits = waits || argument == "--wait";
        if (argument.starts_with("--rounds=")) {
            rounds = std::max(1, std::atoi(argument.c_str() + argument.find('=') + 1));
        } else if (argument != "--wait") {
            sizes.push_back(std::strtoull(arguments[i], nullptr, 10));
        }
    }
    if (sizes.empty()) {
        sizes = {10'000, 1'000'000, 10'000'000};
    }
    try {
        run(arguments[1], sizes, rounds, waits);
    } catch (const std::exception &failure) {
        std::fprintf(stderr, "%s\n", failure.what());
        return 1;
    }
    return 0;
}
