// SPDX-License-Identifier: Apache-2.0
#include "contract_schema.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

namespace weir::test {

using namespace store;

namespace {

std::unique_ptr<Session> crowd(Store &store) {
    auto session = contract_domain(store)->open();
    std::vector<Row> rows;
    for (int i = 0; i < 500; ++i) {
        char name[16];
        std::snprintf(name, sizeof name, "p%03d", i);
        const Value email = i % 3 == 0 ? Value() : Value("M" + std::to_string((i * 7919) % 1000) + "@x.org");
        rows.push_back(person(name, email, i % 10));
    }
    const std::vector<TableFlush> flush = {created(people::kTable, rows)};
    transact(*session, [&] { session->flush(flush); });
    return session;
}

/// Walks to the end in pages, going on after each page's last row; every row once.
std::vector<Row> walk(Session &session, Session::Scan scan, const std::vector<std::uint32_t> &position) {
    std::vector<Row> all;
    for (;;) {
        const std::vector<Row> page = session.scan(scan);
        REQUIRE(page.size() <= scan.limit);
        if (page.empty()) {
            return all;
        }
        all.insert(all.end(), page.begin(), page.end());
        REQUIRE(all.size() <= 500);
        scan.after.clear();
        for (const std::uint32_t column : position) {
            scan.after.push_back(page.back()[column]);
        }
    }
}

std::size_t names(const std::vector<Row> &rows) {
    std::set<Value> names;
    for (const Row &row : rows) {
        names.insert(row[people::kName]);
    }
    return names.size();
}

} // namespace

std::vector<Promise> scan_promises() {
    return {
        {"a scan walks along the primary key in order and in pages",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = crowd(*store);
             Session::Scan scan;
             scan.table = people::kTable;
             scan.limit = 33;
             const auto rows = walk(*session, scan, {people::kName});
             REQUIRE(rows.size() == 500);
             CHECK(std::is_sorted(rows.begin(), rows.end()));
         }},
        {"a scan along an index with equal values skips no row and gives none twice",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = crowd(*store);
             Session::Scan scan;
             scan.table = people::kTable;
             scan.index = people::kByAge;
             scan.limit = 7;
             const auto rows = walk(*session, scan, {people::kAge, people::kName});
             CHECK(rows.size() == 500);
             CHECK(names(rows) == 500);
             CHECK(std::is_sorted(rows.begin(), rows.end(), [](const Row &a, const Row &b) {
                 return std::tie(a[people::kAge], a[people::kName]) < std::tie(b[people::kAge], b[people::kName]);
             }));
         }},
        {"bounds are inclusive, and hold across pages",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = crowd(*store);
             Session::Scan scan;
             scan.table = people::kTable;
             scan.index = people::kByAge;
             scan.limit = 20;
             scan.from = {std::int64_t{3}};
             scan.to = {std::int64_t{4}};
             const auto rows = walk(*session, scan, {people::kAge, people::kName});
             CHECK(rows.size() == 100);
             CHECK(rows.front()[people::kAge] == Value(std::int64_t{3}));
             CHECK(rows.back()[people::kAge] == Value(std::int64_t{4}));
             scan.index.reset();
             scan.from = {std::string("p100")};
             scan.to = {std::string("p102")};
             CHECK(session->scan(scan).size() == 3);
         }},
        {"rows with nulls come first along an index, once each, in pages",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = crowd(*store);
             Session::Scan scan;
             scan.table = people::kTable;
             scan.index = 0;
             scan.limit = 50;
             const auto rows = walk(*session, scan, {people::kEmail, people::kName});
             CHECK(rows.size() == 500);
             CHECK(names(rows) == 500);
             const Value null;
             CHECK(rows.front()[people::kEmail] == null);
             CHECK(rows[166][people::kEmail] == null);
             CHECK(rows[167][people::kEmail] != null);
             scan.after.clear();
             scan.from = {std::string("m919@X.ORG")}; // case-insensitive bounds
             scan.to = {std::string("m919@x.ORG")};
             CHECK(session->scan(scan).size() == 1);
         }},
        {"a scan in a transaction leaves it as it was",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = crowd(*store);
             Session::Scan scan;
             scan.table = people::kTable;
             scan.limit = 1;
             transact(*session, [&] { CHECK(session->scan(scan).size() == 1); });
         }},
    };
}

} // namespace weir::test
