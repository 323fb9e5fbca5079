// SPDX-License-Identifier: Apache-2.0
#include "check.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <sstream>

namespace weir::test {

namespace {

const std::map<std::string, std::string> kQueries = {
    {"identity_projection", "SELECT tenant_id, user_id, email, display_name, status, (extract(epoch FROM updated_at) * 1000000)::bigint"},
    {"user_prefs", "SELECT tenant_id, user_id, rules, version, (extract(epoch FROM updated_at) * 1000000)::bigint"},
    {"chain", "SELECT key, times, hash"},
    {"counters", "SELECT subject, times, amount, least, most"},
};

template <typename Entry> std::string text_of(const Entry &entry) {
    std::ostringstream out;
    for (const auto &cell : entry) {
        if constexpr (std::is_same_v<std::decay_t<decltype(cell)>, std::string>) {
            out << cell << " | ";
        } else {
            out << cell.value_or("NULL") << " | ";
        }
    }
    return out.str();
}

/// The first few that are in one and not in the other.
template <typename Set> std::string differences(const Set &wanted, const Set &found) {
    constexpr std::size_t kShown = 5;
    std::vector<typename Set::value_type> lost;
    std::vector<typename Set::value_type> extra;
    std::set_difference(wanted.begin(), wanted.end(), found.begin(), found.end(), std::back_inserter(lost));
    std::set_difference(found.begin(), found.end(), wanted.begin(), wanted.end(), std::back_inserter(extra));
    std::ostringstream out;
    out << lost.size() << " missing, " << extra.size() << " too many";
    for (std::size_t i = 0; i < std::min(kShown, lost.size()); ++i) {
        out << "\n  missing:  " << text_of(lost[i]);
    }
    for (std::size_t i = 0; i < std::min(kShown, extra.size()); ++i) {
        out << "\n  too many: " << text_of(extra[i]);
    }
    return out.str();
}

} // namespace

void check_store(const PostgresServer &postgres, const ChaosModel &model) {
    for (const auto &[name, wanted] : model.schemas()) {
        INFO("schema " << name);
        for (const auto &[table, rows] : wanted.tables) {
            const auto all = postgres.query(kQueries.at(table) + " FROM " + name + "." + table);
            const std::set<ChaosModel::Row> found(all.begin(), all.end());
            INFO(table << ": " << differences(rows, found));
            CHECK(all.size() == found.size());
            CHECK((found == rows));
        }

        using Texts = std::vector<std::string>;
        std::multiset<Texts> letters;
        std::set<std::string> letters_without_id;
        for (const auto &row : postgres.query("SELECT event_id, error_type, retry_count, status FROM " + name + ".dead_letter_queue")) {
            const bool is_known = wanted.ledger.contains(row[0].value());
            letters.insert({is_known ? *row[0] : "", row[1].value(), row[2].value()});
            CHECK(row[3].value() == "pending");
            if (!is_known) {
                letters_without_id.insert(*row[0]);
            }
        }
        INFO("dead letters: " << differences(wanted.letters, letters));
        CHECK((letters == wanted.letters));
        CHECK(letters_without_id.size() == wanted.without_id);

        std::set<Texts> ledger;
        std::set<Texts> wanted_ledger;
        for (const auto &[id, outcome] : wanted.ledger) {
            wanted_ledger.insert({id, outcome});
        }
        for (const std::string &id : letters_without_id) {
            wanted_ledger.insert({id, "dead"});
        }
        const auto rows = postgres.query("SELECT event_id, outcome FROM " + name + ".event_ledger");
        for (const auto &row : rows) {
            ledger.insert({row[0].value(), row[1].value()});
        }
        INFO("ledger: " << differences(wanted_ledger, ledger));
        CHECK(rows.size() == ledger.size());
        CHECK((ledger == wanted_ledger));
    }
}

} // namespace weir::test
