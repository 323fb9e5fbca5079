// SPDX-License-Identifier: Apache-2.0
#include "refused_rows.hpp"

#include <algorithm>

namespace weir::engine {

namespace {

constexpr int kDepth = 1;

/// Rows of a flush as one sequence: table by table; in each those that are erased, changed, created, and written blindly.
class Rows {
public:
    Rows(const store::Schema &schema, std::span<const store::TableFlush> flush) : schema_(schema), flush_(flush) {}

    std::size_t count() const {
        std::size_t rows = 0;
        for (const store::TableFlush &table : flush_) {
            rows += table.erased.size() + table.changed.size() + table.created.size();
            for (const store::BlindWrite &write : table.blind) {
                rows += write.rows.size();
            }
        }
        return rows;
    }

    /// Some of them, as a flush.
    std::vector<store::TableFlush> part(std::size_t first, std::size_t last) const {
        std::vector<store::TableFlush> result;
        std::size_t begin = 0;
        for (const store::TableFlush &whole : flush_) {
            store::TableFlush some;
            some.table = whole.table;
            some.changed_columns = whole.changed_columns;
            const auto take = [&](const auto &from, auto &to) {
                const std::size_t from_here = std::min(from.size(), first > begin ? first - begin : 0);
                const std::size_t to_here = std::min(from.size(), last > begin ? last - begin : 0);
                to.assign(from.begin() + static_cast<std::ptrdiff_t>(from_here), from.begin() + static_cast<std::ptrdiff_t>(to_here));
                begin += from.size();
            };
            take(whole.erased, some.erased);
            take(whole.changed, some.changed);
            take(whole.created, some.created);
            for (const store::BlindWrite &write : whole.blind) {
                store::BlindWrite rows{write.shape, {}};
                take(write.rows, rows.rows);
                if (!rows.rows.empty()) {
                    some.blind.push_back(std::move(rows));
                }
            }
            if (!some.erased.empty() || !some.changed.empty() || !some.created.empty() || !some.blind.empty()) {
                result.push_back(std::move(some));
            }
        }
        return result;
    }

    store::RefusedRow at(std::size_t number) const {
        store::TableFlush only = std::move(part(number, number + 1).front());
        const store::Table &table = schema_.tables[only.table];
        if (!only.erased.empty()) {
            return {only.table, std::move(only.erased.front())};
        }
        store::RefusedRow result{only.table, {}};
        if (!only.blind.empty()) { // the key stands in front
            const store::Row &row = only.blind.front().rows.front();
            result.key.assign(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(table.primary_key.size()));
            return result;
        }
        const store::Row &row = only.changed.empty() ? only.created.front() : only.changed.front();
        for (const std::uint32_t column : table.primary_key) {
            result.key.push_back(row[column]);
        }
        return result;
    }

private:
    const store::Schema &schema_;
    std::span<const store::TableFlush> flush_;
};

} // namespace

bool is_taken(store::Session &session, std::span<const store::TableFlush> flush) {
    session.savepoint(kDepth);
    bool taken = true;
    try {
        session.flush(flush);
    } catch (const store::DataRefused &) {
        taken = false;
    }
    session.rollback_to(kDepth);
    session.release(kDepth);
    return taken;
}

std::vector<store::RefusedRow> refused_rows(store::Session &session, const store::Schema &schema, std::span<const store::TableFlush> flush,
                                            bool all) {
    struct Part {
        std::size_t first;
        std::size_t last;
    };
    const Rows rows(schema, flush);
    std::vector<store::RefusedRow> result;
    std::vector<Part> refused{{0, rows.count()}};
    while (!refused.empty()) {
        const Part part = refused.back();
        refused.pop_back();
        if (part.last - part.first <= 1) {
            if (part.first < part.last) {
                result.push_back(rows.at(part.first));
            }
            continue;
        }
        const std::size_t middle = part.first + (part.last - part.first) / 2;
        if (is_taken(session, rows.part(part.first, middle))) {
            refused.push_back({middle, part.last}); // what else
            continue;
        }
        if (all && !is_taken(session, rows.part(middle, part.last))) {
            refused.push_back({middle, part.last});
        }
        refused.push_back({part.first, middle});
    }
    return result;
}

} // namespace weir::engine
