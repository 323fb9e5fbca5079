// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "database.hpp"
#include "installation.hpp"

#include <string>
#include <vector>

namespace weir::test {

inline const std::string kIdentityTopic = "identity.user.v1";

/// The sample's messages, keyed by the event's id and user so that everything that must stay in order has one key.
const std::vector<Text> &sample();

/// The sample once more as another set of users, tenants and events: one digit of each UUID is changed. 0 is the sample itself; up to 15.
std::vector<Text> sample_copy(unsigned copy);

/// What must be in the store.
struct Expectation {
    std::int64_t messages = 0, applied = 0, duplicates = 0, stale = 0, ignored = 0, dead_letters = 0, user_prefs = 0;
    std::vector<Row> rows; ///< tenant_id, user_id, email, display_name, status, updated_at; sorted
};
const Expectation &expectation();
/// Of this many copies together.
Expectation expectation_of(unsigned copies);

/// Compares a domain's database with the expectation: rows, ledger, dead letters.
void check_database(const Database &database, const Expectation &expected, const std::string &preferences);

/// Both domains, and that their groups have nothing left.
void check_domains(const Installation &installation, const Expectation &expected);

/// What a host counted in one run over everything.
void check_counts(const DomainCounts &counts, const Expectation &expected);

} // namespace weir::test
