// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fold_law.hpp"

#include <map>
#include <set>
#include <stdexcept>

namespace weir::test {

/// A flush that breaks its own rules: not sorted, a key twice, a row that should exist and does not. A fault of the fold, never of the
/// data.
class WrongFlush : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

/// A store in a map that executes flushes by what changes.hpp says of them, written apart from the fold and from apply_change, and checks
/// everything that an adapter may rely on.
class MemoryDatabase : public StoreUnderTest {
public:
    explicit MemoryDatabase(const store::Schema &schema) : schema_(schema), tables_(schema.tables.size()) {}

    std::vector<std::optional<store::Row>> fetch(std::uint32_t table, std::span<const store::Key> keys) override;
    void flush(std::span<const store::TableFlush> tables) override;
    std::vector<store::Row> rows(std::uint32_t table) override;

    std::size_t fetches = 0; ///< calls so far

private:
    using Rows = std::map<store::Key, store::Row>; // by key with citext in lower case

    store::Key folded(std::uint32_t table, store::Key key) const;
    store::Key key_of(std::uint32_t table, const store::Row &row) const;
    void check_row(std::uint32_t table, const store::Row &row) const;
    void check_shape(std::uint32_t table, const store::BlindShape &shape) const;
    void note_keys(std::uint32_t table, const std::vector<store::Key> &keys, std::set<store::Key> &seen) const;
    void check_keys(const store::TableFlush &flush) const;
    void erase(const store::TableFlush &flush);
    void change(const store::TableFlush &flush);
    void create(const store::TableFlush &flush);
    void write_blind(std::uint32_t table, const store::BlindShape &shape, const store::Row &values);
    store::Row new_row(std::uint32_t table, const store::BlindShape &shape, const store::Row &values) const;

    const store::Schema &schema_;
    std::vector<Rows> tables_;
};

} // namespace weir::test
