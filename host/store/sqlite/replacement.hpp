// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "session.hpp"

#include "store/left_as_they_are.hpp"
#include "store/store.hpp"

#include <functional>

namespace weir::store::sqlite {

/// A replacement that holds the write lock of the domain's file while it lives. The shadow is a file of its own: it is attached to be read
/// when everything in it has been committed, so that no transaction writes two files.
class SqliteReplacement final : public Replacement {
public:
    SqliteReplacement(const Place &place, Place shadow, const Schema &tables, std::shared_ptr<Holders> holders);
    ~SqliteReplacement() override;

    std::vector<event::Uuid> decided(std::span<const event::Uuid> ids) override;
    const std::vector<PrunedRange> &pruned() override { return session_.pruned(); }
    std::vector<UnappliedEvent> unapplied(std::span<const event::Uuid> ids) override { return session_.unapplied(ids); }
    std::vector<StoredPosition> positions() override;
    LedgerCounts ledger_counts() override;
    ReplacementCounts commit() override;

private:
    void attach_shadow();
    std::string theirs(const std::string &table) const;
    std::uint64_t write(const std::string &sql);
    void replace_rows(const Table &table, ReplacementCounts &counts);
    void add_rows(const Table &table, ReplacementCounts &counts, const std::string &where_taken);
    std::vector<std::string> ledgers_of(const std::string &schema);
    void replace_ledger(ReplacementCounts &counts);
    std::uint64_t change_outcomes(const std::string &ledger, const std::string &shadow);
    void count_outcome(const std::string &outcome, std::int64_t difference);
    bool is_pruned();
    void replace_letters(ReplacementCounts &counts, const LeftAsTheyAre &left);
    LeftAsTheyAre remove_rows(const std::function<bool(const Table &)> &stays, ReplacementCounts &counts);
    void check_references();

    const Place shadow_;
    const Schema tables_;
    SqliteSession session_;
    Connection &connection_; ///< the session's
};

} // namespace weir::store::sqlite
