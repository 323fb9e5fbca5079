// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/histogram.hpp"
#include "event/binding.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace weir::engine {

/// How events are taken. Times in milliseconds.
struct Options {
    std::size_t batch_max_events = 800; ///< half of it where other batches leave no processor
    std::size_t batch_max_bytes = 4u << 20;
    std::size_t shards = 2; ///< batches under way at once, each of other keys; fewer where the store or the tables don't take so many
    std::size_t read_max_events = 0; ///< that one read asks for; 0: half of batch_max_events
    std::chrono::milliseconds read_wait{250};
    std::vector<std::chrono::milliseconds> retry_delays{std::chrono::milliseconds(1000), std::chrono::milliseconds(2000),
                                                        std::chrono::milliseconds(3000)};
    std::uint32_t max_retries = 3;
    std::size_t hold_max_events = 10000;
    std::size_t hold_max_bytes = 64u << 20;
    std::chrono::milliseconds handler_budget{1000};
    std::size_t max_overdue_handlers = 8; ///< handlers past their budget that may run beside a domain's batches; at the bound it waits
    std::uint32_t crash_limit = 3;
    std::chrono::milliseconds lease_time_to_live{10000};
    std::chrono::milliseconds drain_timeout{30000};
    std::chrono::seconds ledger_horizon{7 * 24 * 3600}; ///< how long ids of decided events are known at least; 0: for ever

    friend bool operator==(const Options &, const Options &) = default;
};

/// A domain as it is to be served: configuration and the plugin's defaults put together.
struct DomainSpec {
    std::string name;
    std::string plugin;
    std::string schema;
    std::string group;
    std::string consumer; ///< unique to this process
    std::vector<std::string> topics;
    std::string broker; ///< in `Environment::brokers`; empty: the one that all share
    bool parallel = false;
    std::vector<event::Binding> bindings; ///< one for each topic that needs one
    std::string settings_json = "{}";
    Options options;
};

/// How a topic's messages are read: the domain's binding for it, or a plain one.
event::Binding binding_for(const DomainSpec &spec, const std::string &topic);

/// Whether two specs differ in something that a running domain can't take over between two batches.
bool needs_restart(const DomainSpec &running, const DomainSpec &wanted);

inline constexpr double kLeastBatchSeconds = 0.001; ///< the first bound of `Counts::batch_seconds`

/// What became of one topic's messages. Each has one of these.
struct TopicCounts {
    std::string topic;
    std::uint64_t applied = 0; ///< without the stale ones
    std::uint64_t stale = 0;
    std::uint64_t ignored = 0;
    std::uint64_t dead_letters = 0;
    std::uint64_t duplicates = 0;
};

/// What became of the messages that a domain took, since it was started. messages = applied + duplicates + ignored + dead_letters, and what
/// is still waiting.
struct Counts {
    std::uint64_t messages = 0;
    std::uint64_t applied = 0; ///< the stale ones among them
    std::uint64_t duplicates = 0;
    std::uint64_t stale = 0;
    std::uint64_t ignored = 0;
    std::uint64_t dead_letters = 0;
    std::uint64_t retries = 0;       ///< runs that ended in a retry
    std::uint64_t batches = 0;       ///< transactions committed
    std::vector<TopicCounts> topics; ///< the same by topic, of those that had any
    Histogram batch_events{1};       ///< decided in one transaction
    Histogram batch_seconds{kLeastBatchSeconds};

    /// The counts of a topic. Valid until the next call.
    TopicCounts &of(const std::string &topic);

    Counts &operator+=(const Counts &other);
};

enum class Phase : std::uint8_t { starting, standby, serving, waiting, halted, stopped };
const char *phase_name(Phase phase) noexcept;

/// A domain as operators see it.
struct DomainStatus {
    std::string name;
    std::string plugin;
    std::string plugin_version;
    std::uint32_t generation = 0;
    Phase phase = Phase::starting;
    bool ready = false;
    std::string reason;        ///< why it is not ready, and what to do; empty where it is
    bool needs_change = false; ///< not ready until somebody changes something: waiting alone doesn't help
    std::string refused;       ///< a newer generation or change that doesn't fit, and why, while the older one goes on; empty: none
    std::size_t partitions = 0;
    std::vector<std::string> missing_topics{}; ///< not on the broker; waited for, which is no fault where nobody has published yet
    std::size_t held = 0;                      ///< events waiting for a retry or behind one
    std::size_t overdue = 0;                   ///< handlers past their budget that still run, of events and of routes
    std::string overdue_routes{};              ///< of routes, where it is ready all the same: which, and what to do; empty: none
    Counts counts;
};

/// How many more events a whole process may take (`--max-events`); shared by its domains. Thread-safe.
class EventBudget {
public:
    explicit EventBudget(std::int64_t limit = std::numeric_limits<std::int64_t>::max()) : left_(limit) {}
    /// Takes up to `wanted`; returns how many were granted.
    std::size_t take(std::size_t wanted) noexcept;
    void give_back(std::size_t unused) noexcept { left_ += static_cast<std::int64_t>(unused); }
    bool spent() const noexcept { return left_ <= 0; }

private:
    std::atomic<std::int64_t> left_;
};

} // namespace weir::engine
