// SPDX-License-Identifier: Apache-2.0
#include "fold_law.hpp"
#include "postgresql_places.hpp"
#include "random_changes.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>
#include <future>

using namespace weir::store;
using namespace weir::test;

namespace {

/// A session in a transaction that is never committed: each sequence is undone, so that thousands of them need no disk.
class PostgresUnderTest final : public StoreUnderTest {
public:
    PostgresUnderTest(DomainStore &domain, const Schema &schema) : schema_(schema), session_(domain.open()) { begin(); }

    void begin() { session_->begin({}); }
    void undo() {
        session_->rollback();
        begin();
    }

    std::vector<std::optional<Row>> fetch(std::uint32_t table, std::span<const Key> keys) override { return session_->fetch(table, keys); }

    void flush(std::span<const TableFlush> tables) override {
        session_->savepoint(1);
        try {
            session_->flush(tables);
        } catch (const DataRefused &error) {
            session_->rollback_to(1);
            session_->release(1);
            throw DataOutOfRange(error.what());
        }
        session_->release(1);
    }

    std::vector<Row> rows(std::uint32_t table) override {
        Session::Scan scan;
        scan.table = table;
        scan.limit = 1000;
        std::vector<Row> all;
        for (;;) {
            const std::vector<Row> page = session_->scan(scan);
            all.insert(all.end(), page.begin(), page.end());
            if (page.size() < scan.limit) {
                return all;
            }
            scan.after.clear();
            for (const std::uint32_t column : schema_.tables[table].primary_key) {
                scan.after.push_back(page.back()[column]);
            }
        }
    }

private:
    const Schema &schema_;
    std::unique_ptr<Session> session_;
};

/// WEIR_TEST_POSTGRESQL_SEQUENCES runs more of them.
std::size_t sequences() {
    const char *given = std::getenv("WEIR_TEST_POSTGRESQL_SEQUENCES");
    return given ? std::strtoull(given, nullptr, 10) : 10'000;
}

constexpr std::size_t kSequencesOfASchema = 125;

/// What one thread came to.
struct Share {
    LawCounts counts;
    std::string broken;
};

Share run_share(Store &store, std::size_t from, std::size_t to, const LawOptions &options) {
    Share share;
    for (std::size_t done = from; done < to;) {
        const std::uint64_t own_seed = seed() + done;
        Random random(own_seed);
        const Schema schema = random_schema(random, random.between(1, 4));
        const auto domain = store.domain("law_" + std::to_string(done));
        domain->migrate(schema);
        PostgresUnderTest under_test(*domain, schema);
        for (std::size_t i = 0; i < kSequencesOfASchema && done < to; ++i, ++done) {
            if (const auto broken = hold_fold_law(schema, under_test, random, options, share.counts)) {
                share.broken =
                    "sequence " + std::to_string(i) + " of the schema from WEIR_TEST_SEED=" + std::to_string(own_seed) + ": " + *broken;
                return share;
            }
            under_test.undo();
        }
    }
    return share;
}

/// In two threads: while one waits for the server, the other makes up its next batch.
LawCounts run_law(std::size_t count, const LawOptions &options) {
    PostgresPlace place;
    const auto store = place.open();
    seed();
    auto other = std::async(std::launch::async, [&] { return run_share(*store, count / 2, count, options); });
    LawCounts counts;
    Share shares[] = {run_share(*store, 0, count / 2, options), {}};
    shares[1] = other.get();
    for (const Share &share : shares) {
        INFO(share.broken);
        REQUIRE(share.broken.empty());
        counts.sequences += share.counts.sequences;
        counts.changes += share.counts.changes;
        counts.failures += share.counts.failures;
        counts.blind += share.counts.blind;
        counts.erased += share.counts.erased;
        counts.changed += share.counts.changed;
        counts.created += share.counts.created;
    }
    std::printf("PostgreSQL: %zu sequences, %zu changes; rows: %zu blind, %zu erased, %zu changed, %zu created\n", counts.sequences,
                counts.changes, counts.blind, counts.erased, counts.changed, counts.created);
    return counts;
}

} // namespace

TEST_CASE("on PostgreSQL, a folded and flushed batch leaves the rows that its changes alone, in order, leave") {
    const std::size_t count = sequences();
    const LawCounts counts = run_law(count, {});
    CHECK(counts.sequences == count);
    CHECK(counts.failures == 0);
    CHECK(counts.blind > count);
    CHECK(counts.changed > count / 10);
    CHECK(counts.created > count / 10);
    CHECK(counts.erased > count / 20);
}

TEST_CASE("on PostgreSQL, a sum that leaves its column's range is refused as the model says") {
    LawOptions options;
    options.refusals = true;
    run_law(sequences() / 4, options);
}
