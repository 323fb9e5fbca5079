// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "events.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace weir::test {

/// What must be in the store after some events, made by applying one after the other. Knows nothing of the host; written from what the
/// plugins promise.
class ChaosModel {
public:
    using Row = std::vector<std::optional<std::string>>;
    /// What one schema must hold.
    struct Schema {
        std::map<std::string, std::string> ledger;       ///< outcome by event id; of events that have one
        std::multiset<std::vector<std::string>> letters; ///< dead letters: event id ("" where it has none), error type, retries
        std::size_t without_id = 0;                      ///< dead letters whose id only the host knows
        std::map<std::string, std::set<Row>> tables;     ///< rows by table, cells as text, times in µs
        std::size_t decided() const { return ledger.size() + without_id; }
    };

    void apply(const ChaosEvent &event);
    /// Ledger rows of all domains so far.
    std::size_t decided() const { return decided_; }
    /// linting, chain, tally, knot. Made when it is asked for.
    std::map<std::string, Schema> schemas() const;

    /// Keys of chains, by the ids of the steps that were applied to them.
    const std::map<std::string, std::string> &keys_by_step() const { return keys_by_step_; }
    /// The row of a chain when these steps were not applied; nothing where none was.
    std::optional<Row> chain_without(const std::string &key, const std::set<std::string> &ids) const;

private:
    struct User {
        std::optional<std::string> email;
        std::optional<std::string> display_name;
        std::string status;
        std::int64_t updated_at = 0;
    };
    struct Counter {
        std::int64_t times = 0, amount = 0, least = 0, most = 0;
    };
    struct Step {
        std::string id;
        std::int64_t number = 0;
    };
    using Person = std::pair<std::string, std::string>;

    void die(const std::string &schema, const ChaosEvent &event, const std::string &error_type, int retries = 0);
    bool apply_identity(const ChaosEvent &event);

    struct Chain {
        std::string schema;
        std::vector<Step> steps; ///< as they were applied
    };

    std::map<std::string, Schema> schemas_{{"linting", {}}, {"chain", {}}, {"tally", {}}, {"knot", {}}};
    std::map<Person, User> users_;
    std::map<Person, std::int64_t> preferences_;
    std::map<std::string, Chain> chains_; ///< those of knots have other keys
    std::map<std::string, std::string> keys_by_step_;
    std::map<std::string, Counter> counters_;
    std::size_t decided_ = 0;
};

} // namespace weir::test
