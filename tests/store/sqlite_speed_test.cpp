// SPDX-License-Identifier: Apache-2.0
#include "contract_schema.hpp"
#include "random.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>

using namespace weir;
using namespace weir::store;
using namespace weir::test;

namespace {

using Clock = std::chrono::steady_clock;

/// Of this thread: on a busy machine the wall clock says more about the neighbours.
double processor_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::size_t from_environment(const char *name, std::size_t otherwise) {
    const char *given = std::getenv(name);
    return given ? std::strtoull(given, nullptr, 10) : otherwise;
}

Schema projection_schema() {
    Table table;
    table.name = "identity_projection";
    const auto column = [&](const char *name, Type type, bool nullable) {
        Column made;
        made.name = name;
        made.type = type;
        made.nullable = nullable;
        table.columns.push_back(made);
    };
    column("tenant_id", Type::uuid, false);
    column("user_id", Type::uuid, false);
    column("email", Type::text, true);
    column("display_name", Type::text, true);
    column("status", Type::text, false);
    column("updated_at", Type::timestamp, false);
    table.primary_key = {0, 1};
    return Schema{{table}};
}

event::Uuid random_id(Random &random) {
    event::Uuid id;
    for (auto &byte : id.bytes) {
        byte = static_cast<std::uint8_t>(random.below(256));
    }
    return id;
}

struct Costs {
    double decided = 0;
    double fetch = 0;
    double flush = 0;
    double record = 0;
    double commit = 0;
    double all() const { return decided + fetch + flush + record + commit; }
};

} // namespace

/// WEIR_SPEED_EVENTS, WEIR_SPEED_BATCH and WEIR_SPEED_USERS change the sizes; WEIR_SPEED_DIRECTORY the disk.
TEST_CASE("the cost of an event: decided, fetched, flushed, recorded, committed", "[.speed]") {
    const TemporaryDirectory temporary;
    sqlite::SqliteOptions options;
    const char *given = std::getenv("WEIR_SPEED_DIRECTORY");
    options.directory = given ? std::filesystem::path(given) : temporary / "store";
    const auto store = sqlite::open_sqlite_store(options);
    const auto domain = store->domain("linting");
    domain->migrate(projection_schema());
    const auto session = domain->open();
    const auto lease = session->acquire_lease("t", 0, "speed", std::chrono::minutes(10));
    REQUIRE(lease);
    const std::vector<Lease> leases = {*lease};
    Random random(seed());
    const std::size_t events = from_environment("WEIR_SPEED_EVENTS", 200'000);
    const std::size_t batch = from_environment("WEIR_SPEED_BATCH", 1000);
    const std::size_t report = std::max<std::size_t>(events / 5, batch);
    std::vector<std::string> users;
    for (std::size_t i = 0; i < from_environment("WEIR_SPEED_USERS", 20'000); ++i) {
        users.push_back(random_id(random).text());
    }
    const std::string tenant = random_id(random).text();
    Costs costs;
    std::size_t counted = 0;
    double processor = 0;
    for (std::size_t done = 0; done < events;) {
        std::vector<event::Uuid> ids(batch);
        std::generate(ids.begin(), ids.end(), [&] { return random_id(random); });
        std::sort(ids.begin(), ids.end());
        std::vector<LedgerEntry> entries;
        for (const event::Uuid &id : ids) {
            entries.push_back({id, 1'700'000'000'000'000, Outcome::applied});
        }
        std::vector<Key> keys;
        for (std::size_t i = 0; i < batch; ++i) {
            keys.push_back({tenant, random.pick(users)});
        }
        std::sort(keys.begin(), keys.end());
        keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
        const auto timed = [&](double &cost, auto work) {
            const double processor_start = processor_seconds();
            const auto start = Clock::now();
            work();
            cost += seconds_since(start);
            processor += processor_seconds() - processor_start;
        };
        timed(costs.decided, [&] {
            session->begin(leases);
            REQUIRE(session->decided(ids).empty());
        });
        std::vector<std::optional<Row>> rows;
        timed(costs.fetch, [&] { rows = session->fetch(0, keys); });
        std::vector<TableFlush> flush(1);
        flush[0].changed_columns = {2, 3, 4, 5};
        for (std::size_t i = 0; i < keys.size(); ++i) {
            auto &part = rows[i] ? flush[0].changed : flush[0].created;
            part.push_back({keys[i][0], keys[i][1], "somebody" + std::to_string(done + i) + "@example.org", std::string("Some Body"),
                            std::string("active"), static_cast<std::int64_t>(1'700'000'000'000'000 + done)});
        }
        timed(costs.flush, [&] { session->flush(flush); });
        timed(costs.record, [&] {
            session->record(entries);
            const std::vector<StoredPosition> positions = {{"t", 0, "x", {done, 0}}};
            session->save_positions(positions);
        });
        timed(costs.commit, [&] { session->commit(); });
        done += batch;
        counted += batch;
        if (counted >= report || done >= events) {
            const double per = 1e6 / static_cast<double>(counted);
            std::printf("%9zu events: %6.2f us an event (begin and decided %.2f, fetch %.2f, flush %.2f, record %.2f, commit %.2f), %.2f "
                        "us of a processor\n",
                        done, costs.all() * per, costs.decided * per, costs.fetch * per, costs.flush * per, costs.record * per,
                        costs.commit * per, processor * per);
            costs = {};
            counted = 0;
            processor = 0;
        }
    }
}
