// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::test {

/// An empty place for one test, gone when the test is. An adapter's tests say how to make one.
class StorePlace {
public:
    virtual ~StorePlace() = default;
    /// A store on this place. Called again for a second host, and in a forked child for a second process.
    virtual std::unique_ptr<store::Store> open() = 0;
    /// Returns when a server has done, or dropped, all that a killed process had sent to it.
    virtual void settle() {}
    /// What another program does in a domain's schema, in SQL that every store knows. No session of this process is open.
    virtual void as_another(const std::string &schema, const std::string &sql) = 0;
    /// The first column of the first row.
    virtual std::string ask(const std::string &schema, const std::string &sql) = 0;
};
using MakePlace = std::function<std::unique_ptr<StorePlace>()>;

/// One promise of store.hpp, as a sentence and a check with Catch2's assertions.
struct Promise {
    std::string sentence;
    std::function<void(StorePlace &)> check;
};

// The promises, by concept. Every adapter runs them all, each on a place of its own.
std::vector<Promise> row_promises();
std::vector<Promise> flush_promises();
std::vector<Promise> scan_promises();
std::vector<Promise> ledger_promises();
std::vector<Promise> ledger_upkeep_promises();
std::vector<Promise> lease_promises();
std::vector<Promise> dead_letter_promises();
std::vector<Promise> transaction_promises();
std::vector<Promise> migration_promises();
std::vector<Promise> crash_promises();
std::vector<Promise> replacement_promises();

} // namespace weir::test
