// SPDX-License-Identifier: Apache-2.0
#include "fold_law.hpp"
#include "memory_database.hpp"
#include "random_changes.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>

using namespace weir::store;
using namespace weir::test;

namespace {

/// WEIR_TEST_SEQUENCES runs more of them.
std::size_t sequences() {
    const char *given = std::getenv("WEIR_TEST_SEQUENCES");
    return given ? std::strtoull(given, nullptr, 10) : 12'000;
}

LawCounts run_law(std::size_t count, const LawOptions &options) {
    LawCounts counts;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t own_seed = seed() + i;
        Random random(own_seed);
        const Schema schema = random_schema(random, random.between(1, 4));
        MemoryDatabase database(schema);
        const auto broken = hold_fold_law(schema, database, random, options, counts);
        if (broken) {
            FAIL("sequence " << i << " (WEIR_TEST_SEED=" << own_seed << "): " << *broken);
        }
    }
    std::printf("%zu sequences, %zu changes, %zu stale, %zu reads, %zu failures; rows: %zu blind (%zu of several changes), %zu erased, %zu "
                "changed, %zu created\n",
                counts.sequences, counts.changes, counts.stale, counts.reads, counts.failures, counts.blind, counts.folded, counts.erased,
                counts.changed, counts.created);
    return counts;
}

} // namespace

TEST_CASE("a folded batch leaves the rows that its changes alone, in order, leave") {
    const std::size_t count = sequences();
    const LawCounts counts = run_law(count, {});
    CHECK(counts.failures == 0);
    // The law was held against everything it speaks of, not against idle batches.
    CHECK(counts.changes > count * 10);
    CHECK(counts.blind > count);
    CHECK(counts.folded > count / 2);
    CHECK(counts.changed > count / 10);
    CHECK(counts.created > count / 10);
    CHECK(counts.erased > count / 20);
    CHECK(counts.stale > count / 20);
    CHECK(counts.reads > count / 10);
}

TEST_CASE("an event whose change is refused is named, and the batch without it leaves what the others leave") {
    LawOptions options;
    options.refusals = true;
    const LawCounts counts = run_law(sequences() / 4, options);
    CHECK(counts.failures > 10);
}

TEST_CASE("one key with many changes, and many batches of one event, keep the law") {
    LawOptions options;
    options.batches_max = 25;
    options.events_max = 1;
    run_law(sequences() / 10, options);
    options.batches_max = 1;
    options.events_max = 200;
    run_law(sequences() / 40, options);
}
