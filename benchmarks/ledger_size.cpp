// SPDX-License-Identifier: Apache-2.0
// What an event costs as the ledger grows: `bench_ledger_size URL [EVENTS...]`, 10,000, 1,000,000 and 10,000,000 by default. The store's
// schema "ledger_size" is filled through the adapter, upkeep included; at each size batches of 1,000 are measured, beside the upkeep that
// they make necessary.
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

using namespace weir;
using namespace weir::store;

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kBatch = 1000;
constexpr std::size_t kFillBatch = 10'000;
constexpr int kBatches = 200;
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

struct Measured {
    double microseconds = 0; ///< an event
    double median = 0;
    double longest = 0; ///< milliseconds
};

Measured measure(Host &host, bool rows) {
    std::vector<double> times;
    for (int i = 0; i < kBatches; ++i) {
        const auto ids = host.fresh_ids(kBatch);
        const auto start = Clock::now();
        host.batch(ids, rows);
        times.push_back(milliseconds_since(start));
    }
    double sum = 0;
    for (const double time : times) {
        sum += time;
    }
    std::sort(times.begin(), times.end());
    return {sum / kBatches, times[kBatches / 2], times.back()};
}

void run(const std::string &url, const std::vector<std::uint64_t> &sizes) {
    const auto store = open_store(url);
    const auto domain = store->domain("ledger_size");
    domain->migrate(items());
    Host host(*domain);
    Keeper keeper(*domain);
    std::uint64_t events = domain->open()->ledger_counts().applied;
    double first_ledger = 0;
    double first_whole = 0;
    for (const std::uint64_t size : sizes) {
        const auto filling = Clock::now();
        while (events < size) {
            const std::size_t count = std::min<std::uint64_t>(kFillBatch, size - events);
            host.batch(host.fresh_ids(count), false);
            events += count;
            keeper.step();
        }
        keeper.finish();
        const double filled = milliseconds_since(filling) / 1000;
        const Measured ledger = measure(host, false);
        std::atomic<bool> over{false};
        std::thread beside([&] { // upkeep under load, as often as it likes
            while (!over) {
                if (!keeper.step()) {
                    std::this_thread::yield();
                }
            }
        });
        const Measured busy = measure(host, false);
        over = true;
        beside.join();
        const Measured whole = measure(host, true);
        events += 3 * kBatches * kBatch;
        first_ledger = first_ledger > 0 ? first_ledger : ledger.median;
        first_whole = first_whole > 0 ? first_whole : whole.median;
        std::printf("%9llu events: ledger alone %.2f us an event (median %.2f, %.2f x the first), with rows %.2f (median %.2f, %.2f x the "
                    "first); longest batch "
                    "%.0f ms, beside ceaseless upkeep %.0f ms (median %.1f); filled in %.0f s\n",
                    static_cast<unsigned long long>(size), ledger.microseconds, ledger.median, ledger.median / first_ledger,
                    whole.microseconds, whole.median, whole.median / first_whole, ledger.longest, busy.longest, busy.median, filled);
        std::fflush(stdout);
    }
}

} // namespace

int main(int count, char **arguments) {
    if (count < 2) {
        std::fprintf(stderr, "usage: bench_ledger_size sqlite://DIRECTORY|postgresql://... [EVENTS...]\n");
        return 2;
    }
    std::vector<std::uint64_t> sizes;
    for (int i = 2; i < count; ++i) {
        sizes.push_back(std::strtoull(arguments[i], nullptr, 10));
    }
    if (sizes.empty()) {
        sizes = {10'000, 1'000'000, 10'000'000};
    }
    try {
        run(arguments[1], sizes);
    } catch (const std::exception &failure) {
        std::fprintf(stderr, "%s\n", failure.what());
        return 1;
    }
    return 0;
}
