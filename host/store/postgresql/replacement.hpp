// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "session.hpp"

#include "store/left_as_they_are.hpp"

namespace weir::store::postgresql {

/**
 * A replacement in one transaction of the login, who may read the shadow's schema and write the domain's. It locks `event_ledger` before
 * anything else: every batch asks it before it reads rows, so that a batch comes wholly before or wholly after. Readers of the domain's own
 * tables are not held up.
 */
class PostgresqlReplacement final : public Replacement {
public:
    /// @param ours, theirs layouts of the same schema, in the domain's place and in the shadow's
    PostgresqlReplacement(Place place, std::shared_ptr<const Layout> ours, Place shadow, std::shared_ptr<const Layout> theirs,
                          Presence &presence, std::shared_ptr<void> owner);
    ~PostgresqlReplacement() override;

    std::vector<event::Uuid> decided(std::span<const event::Uuid> ids) override { return session_.decided(ids); }
    const std::vector<PrunedRange> &pruned() override { return session_.pruned(); }
    std::vector<UnappliedEvent> unapplied(std::span<const event::Uuid> ids) override { return session_.unapplied(ids); }
    std::vector<StoredPosition> positions() override { return session_.positions(); }
    LedgerCounts ledger_counts() override { return session_.ledger_counts(); }
    ReplacementCounts commit() override;

private:
    std::uint64_t write(const std::string &sql);
    std::vector<std::string> ledgers_of(const std::string &schema);
    bool is_pruned();
    void replace_rows(std::size_t table, ReplacementCounts &counts);
    void replace_ledger(ReplacementCounts &counts);
    std::uint64_t change_outcomes(const std::string &ledger, const std::string &shadow);
    void check_references();
    void count_outcome(const std::string &outcome, std::int64_t difference);
    void replace_letters(ReplacementCounts &counts, const LeftAsTheyAre &left);
    LeftAsTheyAre remove_rows(const std::vector<bool> &stays, ReplacementCounts &counts);
    void add_rows(std::size_t table, ReplacementCounts &counts, const std::string &where_taken);
    std::vector<bool> tables_of_routes();
    void note_rebuilt(const TableLayout &table);

    const Place place_;
    const Place shadow_;
    const std::shared_ptr<const Layout> ours_;
    const std::shared_ptr<const Layout> theirs_;
    PostgresqlSession session_;
    std::chrono::milliseconds reply_timeout_{0};
};

} // namespace weir::store::postgresql
