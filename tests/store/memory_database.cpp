// SPDX-License-Identifier: Apache-2.0
#include "memory_database.hpp"

#include "random_changes.hpp"

#include <algorithm>

namespace weir::test {

using namespace store;

Key MemoryDatabase::folded(std::uint32_t table, Key key) const {
    const Table &declared = schema_.tables[table];
    for (std::size_t i = 0; i < key.size(); ++i) {
        if (declared.columns[declared.primary_key[i]].type == Type::citext) {
            for (char &c : std::get<std::string>(key[i])) {
                c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
            }
        }
    }
    return key;
}

Key MemoryDatabase::key_of(std::uint32_t table, const Row &row) const {
    Key key;
    for (const std::uint32_t column : schema_.tables[table].primary_key) {
        key.push_back(row.at(column));
    }
    return folded(table, std::move(key));
}

void MemoryDatabase::check_row(std::uint32_t table, const Row &row) const {
    const Table &declared = schema_.tables[table];
    if (row.size() != declared.columns.size()) {
        throw WrongFlush("a row has another number of columns than its table");
    }
    for (std::size_t i = 0; i < row.size(); ++i) {
        Value value = row[i];
        if (const auto reason = canonicalise(declared.columns[i], value)) {
            throw DataOutOfRange(*reason);
        }
        if (value != row[i]) {
            throw WrongFlush("a value is not canonical: " + describe(row[i]));
        }
    }
}

void MemoryDatabase::check_shape(std::uint32_t table, const BlindShape &shape) const {
    const std::vector<std::uint32_t> &key = schema_.tables[table].primary_key;
    if (shape.columns.size() != shape.operations.size() || shape.columns.size() < key.size() ||
        !std::equal(key.begin(), key.end(), shape.columns.begin())) {
        throw WrongFlush("a shape does not begin with the key's columns");
    }
    if (std::set<std::uint32_t>(shape.columns.begin(), shape.columns.end()).size() != shape.columns.size()) {
        throw WrongFlush("a shape names a column twice");
    }
    bool writes = false;
    for (std::size_t i = key.size(); i < shape.operations.size(); ++i) {
        writes = writes || shape.operations[i] != CellOperation::keep;
    }
    if (shape.kind != (writes ? ChangeKind::upsert : ChangeKind::insert)) {
        throw WrongFlush("a shape's kind is not what its operations say");
    }
}

void MemoryDatabase::note_keys(std::uint32_t table, const std::vector<Key> &keys, std::set<Key> &seen) const {
    const Key *before = nullptr;
    for (const Key &key : keys) {
        if (before && !(*before < key)) {
            throw WrongFlush("keys of " + schema_.tables[table].name + " are not sorted");
        }
        before = &key;
        if (!seen.insert(key).second) {
            throw WrongFlush("a key comes twice in one flush of " + schema_.tables[table].name);
        }
    }
}

void MemoryDatabase::check_keys(const TableFlush &flush) const {
    std::set<Key> seen;
    std::vector<Key> keys;
    for (const Key &key : flush.erased) {
        keys.push_back(folded(flush.table, key));
    }
    note_keys(flush.table, keys, seen);
    for (const std::vector<Row> *rows : {&flush.changed, &flush.created}) {
        keys.clear();
        for (const Row &row : *rows) {
            keys.push_back(key_of(flush.table, row));
        }
        note_keys(flush.table, keys, seen);
    }
    for (const BlindWrite &write : flush.blind) {
        check_shape(flush.table, write.shape);
        keys.clear();
        for (const Row &row : write.rows) {
            if (row.size() != write.shape.columns.size()) {
                throw WrongFlush("a blind row has another number of values than its shape");
            }
            const auto key_size = static_cast<std::ptrdiff_t>(schema_.tables[flush.table].primary_key.size());
            keys.push_back(folded(flush.table, Key(row.begin(), row.begin() + key_size)));
        }
        note_keys(flush.table, keys, seen);
    }
}

void MemoryDatabase::erase(const TableFlush &flush) {
    for (const Key &key : flush.erased) {
        if (tables_[flush.table].erase(folded(flush.table, key)) == 0) {
            throw WrongFlush("a row to erase does not exist: " + describe(key));
        }
    }
}

void MemoryDatabase::change(const TableFlush &flush) {
    for (const Row &row : flush.changed) {
        check_row(flush.table, row);
        const auto found = tables_[flush.table].find(key_of(flush.table, row));
        if (found == tables_[flush.table].end()) {
            throw WrongFlush("a changed row does not exist: " + describe(row));
        }
        if (found->second == row) {
            throw WrongFlush("a changed row is as it was: " + describe(row));
        }
        for (const std::uint32_t column : flush.changed_columns) {
            found->second[column] = row[column];
        }
    }
}

void MemoryDatabase::create(const TableFlush &flush) {
    for (const Row &row : flush.created) {
        check_row(flush.table, row);
        if (!tables_[flush.table].emplace(key_of(flush.table, row), row).second) {
            throw WrongFlush("a created row exists: " + describe(row));
        }
    }
}

Row MemoryDatabase::new_row(std::uint32_t table, const BlindShape &shape, const Row &values) const {
    const Table &declared = schema_.tables[table];
    Row row(declared.columns.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] = declared.columns[i].default_kind == Default::literal ? declared.columns[i].default_value : Value();
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        row[shape.columns[i]] = values[i];
    }
    return row;
}

namespace {

/// What "on conflict do update" makes of a cell.
Value conflict(CellOperation operation, const Value &held, const Value &excluded) {
    if (operation == CellOperation::keep) {
        return held;
    }
    if (operation == CellOperation::set || std::holds_alternative<std::monostate>(held)) {
        return excluded;
    }
    if (std::holds_alternative<std::monostate>(excluded)) {
        return held;
    }
    const std::int64_t left = std::get<std::int64_t>(held);
    const std::int64_t right = std::get<std::int64_t>(excluded);
    if (operation == CellOperation::add) {
        std::int64_t sum = 0;
        if (__builtin_add_overflow(left, right, &sum)) {
            throw DataOutOfRange("a sum is out of range");
        }
        return sum;
    }
    return operation == CellOperation::max ? std::max(left, right) : std::min(left, right);
}

} // namespace

void MemoryDatabase::write_blind(std::uint32_t table, const BlindShape &shape, const Row &values) {
    const Row made = new_row(table, shape, values);
    check_row(table, made);
    const auto [found, is_new] = tables_[table].emplace(key_of(table, made), made);
    if (is_new || shape.kind == ChangeKind::insert) {
        return;
    }
    for (std::size_t i = schema_.tables[table].primary_key.size(); i < values.size(); ++i) {
        Value &held = found->second[shape.columns[i]];
        held = conflict(shape.operations[i], held, values[i]);
    }
    check_row(table, found->second);
}

std::vector<std::optional<Row>> MemoryDatabase::fetch(std::uint32_t table, std::span<const Key> keys) {
    ++fetches;
    std::set<Key> seen;
    note_keys(table, {keys.begin(), keys.end()}, seen);
    std::vector<std::optional<Row>> rows;
    for (const Key &key : keys) {
        if (key != folded(table, key)) {
            throw WrongFlush("a fetched key is not comparable: " + describe(key));
        }
        const auto found = tables_[table].find(key);
        rows.push_back(found == tables_[table].end() ? std::nullopt : std::optional<Row>(found->second));
    }
    return rows;
}

void MemoryDatabase::flush(std::span<const TableFlush> tables) {
    const std::vector<Rows> before = tables_;
    try {
        for (std::size_t i = tables.size(); i-- > 0;) {
            check_keys(tables[i]);
            erase(tables[i]);
        }
        for (const TableFlush &flush : tables) {
            change(flush);
            create(flush);
            for (const BlindWrite &write : flush.blind) {
                for (const Row &row : write.rows) {
                    write_blind(flush.table, write.shape, row);
                }
            }
        }
    } catch (...) {
        tables_ = before;
        throw;
    }
}

std::vector<Row> MemoryDatabase::rows(std::uint32_t table) {
    std::vector<Row> rows;
    for (const auto &[key, row] : tables_[table]) {
        rows.push_back(row);
    }
    return rows;
}

} // namespace weir::test
