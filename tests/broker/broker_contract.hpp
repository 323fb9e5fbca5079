// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::test {

/// What an adapter declares that it can; promises that need more are left out, and said to be.
struct BrokerCapabilities {
    bool atomic_publish = true; ///< a batch is taken whole or not at all
    bool exact_counts = true;   ///< lag and topics are exact
    bool exact_bytes = true;    ///< bodies, keys and headers of any bytes
    bool counts_deliveries = true;
    bool restores_groups = true;        ///< a claim after the group was lost begins after `stored`
    std::chrono::milliseconds wake{50}; ///< how long a waiting reader may take to see a publish (median; generous for busy machines)
};

/// A broker under test, fresh for each promise. Processes are forked by the promises, and only while the parent has nothing of it open.
class BrokerFixture {
public:
    virtual ~BrokerFixture() = default;
    virtual BrokerCapabilities capabilities() const = 0;
    /// A new connection to the same topics; also called in forked children.
    virtual std::unique_ptr<broker::Broker> open() = 0;
    virtual void make_topic(const std::string &topic, std::uint32_t partitions) = 0;
    virtual void drop_topic(const std::string &topic) = 0;
    virtual void drop_group(const std::string &topic, const std::string &group) = 0;
};

/// One promise: a sentence, and a check of Catch2 assertions.
struct BrokerPromise {
    std::string sentence;
    std::function<void(BrokerFixture &)> check;
    std::function<bool(const BrokerCapabilities &)> applies;
};

/// All promises. Run each in a section of its own with a fixture of its own.
std::vector<BrokerPromise> broker_contract();

} // namespace weir::test
