// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "engine/batches_under_way.hpp"
#include "engine/domain.hpp"
#include "engine/work_in_hand.hpp"
#include "event/contracts.hpp"
#include "plugin/module.hpp"
#include "store/store.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>

namespace weir::engine {

class RouteBoard;
struct HandlerResult;

/// What a process's domains share. Everything outlives the workers.
struct Environment {
    broker::Broker *broker = nullptr; ///< of the domains that name none
    store::Store *store = nullptr;
    const event::Contracts *contracts = nullptr;
    std::filesystem::path state_directory; ///< crash marks go to `marks` below it
    EventBudget *budget = nullptr;
    std::map<std::string, broker::Broker *> brokers{}; ///< by the name that a domain's spec has
    RouteBoard *routes = nullptr;                      ///< where domains put what answers their routes; null: nobody serves them
    std::shared_ptr<BatchesUnderWay> under_way = std::make_shared<BatchesUnderWay>(); ///< of all domains that were given this, or a copy
    std::shared_ptr<WorkInHand> in_hand = std::make_shared<WorkInHand>();             ///< of one domain: its worker makes another
    /// Looks over what handlers came to, on their threads, also after the worker is gone; empty: nobody does.
    std::function<void(const event::Event &event, HandlerResult &result)> review{};
};

/**
 * Serves one domain on a thread of its own, from its start to its last commit: reads, runs handlers, commits, acknowledges; waits out
 * outages; takes over new generations of its plugin between two batches. All functions are thread-safe.
 */
class DomainWorker {
public:
    DomainWorker(DomainSpec spec, std::shared_ptr<const plugin::Module> module, Environment environment);
    /// Stops and waits for the batch that runs.
    ~DomainWorker();
    DomainWorker(const DomainWorker &) = delete;
    DomainWorker &operator=(const DomainWorker &) = delete;

    const DomainSpec &spec() const;

    /// The generation that serves; where none does yet, the one that is tried.
    std::shared_ptr<const plugin::Module> module() const;

    /// A new generation of the plugin, taken over after the current batch. One that declines is refused, and the old one goes on.
    void offer(std::shared_ptr<const plugin::Module> module);

    /// Begins to drain: the current batch ends, overdue handlers get until `drain_timeout`, leases are given back.
    void request_stop();
    /// Waits until it has stopped, after `request_stop`.
    void wait();

    DomainStatus status() const;
    /// What it has to do now, here.
    std::shared_ptr<const WorkInHand> work() const;

    /// Nothing left to do in the whole group: no backlog, nothing pending, no retry waiting. False while that can't be known.
    bool drained();

    /// Whether a handler never returned and its thread is still there: the process can't end by returning from main then.
    bool abandoned_handlers() const;

private:
    class Life;
    std::shared_ptr<Life> life_;
};

} // namespace weir::engine
