// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

#include <algorithm>

namespace weir::store::sqlite {

SqliteSession::SqliteSession(const Place &place, std::shared_ptr<const Schema> schema, std::shared_ptr<Holders> holders,
                             std::shared_ptr<LedgerFilters> filters)
    : connection_(place), schema_(std::move(schema)), holders_(std::move(holders)), filters_(std::move(filters)) {
    has_references_ =
        std::any_of(schema_->tables.begin(), schema_->tables.end(), [](const Table &table) { return !table.references.empty(); });
}

void SqliteSession::begin(std::span<const Lease> leases) {
    connection_.begin();
    try {
        for (const Lease &lease : leases) {
            if (!holds(lease)) {
                throw Fenced("partition " + std::to_string(lease.partition) + " of " + lease.topic + " was taken over by another host");
            }
        }
    } catch (...) {
        connection_.rollback();
        throw;
    }
}

void SqliteSession::begin_reading() { connection_.begin_reading(); }

void SqliteSession::commit() { connection_.commit(); }

void SqliteSession::rollback() noexcept { connection_.rollback(); }

void SqliteSession::savepoint(int depth) { connection_.execute("savepoint s" + std::to_string(depth)); }

void SqliteSession::rollback_to(int depth) { connection_.execute("rollback to s" + std::to_string(depth)); }

void SqliteSession::release(int depth) { connection_.execute("release s" + std::to_string(depth)); }

const Table &SqliteSession::table_of(std::uint32_t table) const {
    if (table >= schema_->tables.size()) {
        throw SchemaWrong("table number " + std::to_string(table) + " isn't declared: open sessions after the migration");
    }
    return schema_->tables[table];
}

std::string SqliteSession::name_of(std::uint32_t table) const { return connection_.qualified(table_of(table).name); }

} // namespace weir::store::sqlite
