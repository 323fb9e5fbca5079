// SPDX-License-Identifier: Apache-2.0
// Hidden: `test_store_changes "[speed]"` prints what a change costs, from add to finish.
#include "small_schema.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <cstdio>

using namespace weir::store;
using namespace weir::test;

namespace {

constexpr std::size_t kEvents = 4000;
constexpr std::size_t kBatches = 100;

/// The table of the shipped identity domains.
Schema projection() {
    Table table;
    table.name = "identity_projection";
    table.columns = {make_column("tenant_id", Type::uuid, false), make_column("user_id", Type::uuid, false),
                     make_column("email", Type::text, true),      make_column("display_name", Type::text, true),
                     make_column("status", Type::text, false),    make_column("updated_at", Type::timestamp, false)};
    table.primary_key = {0, 1};
    return Schema{{table}};
}

std::string user_id(std::size_t number) {
    std::string digits = std::to_string(number);
    return "018f3a5c-7d1e-7a90-b3c4-" + std::string(12 - digits.size(), '0') + digits;
}

std::vector<Change> projection_changes(bool guarded) {
    std::vector<Change> changes;
    for (std::size_t i = 0; i < kEvents; ++i) {
        const std::int64_t time = 1'700'000'000'000'000 + static_cast<std::int64_t>(i);
        Change change{0, ChangeKind::upsert, {user_id(7), user_id(i * 7919 % kEvents)}, {}, {}};
        change.cells = {{2, CellOperation::set, std::string("somebody.or.other@example.org")},
                        {3, CellOperation::set, std::string("Somebody Or Other")},
                        {4, CellOperation::set, std::string("active")},
                        {5, CellOperation::set, time}};
        if (guarded) {
            change.guard = Guard{5, time};
        }
        changes.push_back(std::move(change));
    }
    return changes;
}

std::vector<Change> votes() {
    std::vector<Change> changes;
    for (std::size_t i = 0; i < kEvents; ++i) {
        changes.push_back(make_change(ChangeKind::upsert, i % 2 == 0 ? "cats" : "dogs", {{1, CellOperation::add, std::int64_t{1}}}, 1));
    }
    return changes;
}

void measure(const char *what, const Schema &schema, const std::vector<Change> &changes) {
    std::size_t rows = 0;
    std::chrono::nanoseconds total{0};
    for (std::size_t batch = 0; batch < kBatches; ++batch) {
        std::vector<std::vector<Change>> stated; // as a handler's changes arrive: one vector an event
        for (const Change &change : changes) {
            stated.push_back({change});
        }
        const auto start = std::chrono::steady_clock::now();
        BatchRows batch_rows(schema, [](std::uint32_t, std::span<const Key> keys) { return std::vector<std::optional<Row>>(keys.size()); });
        for (std::size_t i = 0; i < stated.size(); ++i) {
            batch_rows.add(i, make_origin(1, 1), std::move(stated[i]));
        }
        for (const TableFlush &flush : batch_rows.finish()) {
            rows += flush.created.size() + (flush.blind.empty() ? 0 : flush.blind[0].rows.size());
        }
        total += std::chrono::steady_clock::now() - start;
    }
    CHECK(rows > 0);
    std::printf("%-28s %6.0f ns a change\n", what, static_cast<double>(total.count()) / static_cast<double>(kBatches * changes.size()));
}

} // namespace

TEST_CASE("what a change costs from add to finish", "[.][speed]") {
    measure("projection, blind", projection(), projection_changes(false));
    measure("projection, guarded", projection(), projection_changes(true));
    measure("votes on two keys", small_schema(), votes());
    const Schema schema = projection();
    std::vector<Change> changes = projection_changes(true);
    const auto start = std::chrono::steady_clock::now();
    for (Change &change : changes) {
        CHECK_FALSE(check_change(schema, change));
    }
    const std::chrono::nanoseconds total = std::chrono::steady_clock::now() - start;
    std::printf("%-28s %6.0f ns a change\n", "check_change", static_cast<double>(total.count()) / static_cast<double>(changes.size()));
}
