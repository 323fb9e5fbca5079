// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "engine/domain.hpp"
#include "event/contracts.hpp"
#include "plugin/module.hpp"
#include "store/store.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::engine {

class OverdueRoutes;
class RelayBell;

/// A request to a plugin's route, after everything that HTTP asks for was checked. The views are valid until `RouteService::answer`
/// returns.
struct RouteRequest {
    using Fields = std::vector<std::pair<std::string_view, std::string_view>>;
    std::string_view path;       ///< decoded
    std::string_view query_text; ///< as it was sent
    std::string_view body;
    std::string_view content_type;   ///< empty: no body
    Fields variables;                ///< of the route's path
    Fields query;                    ///< decoded
    mutable bool query_read = false; ///< the handler has asked for one of `query`
    Fields headers;
    std::string_view correlation_id;
    std::optional<std::chrono::steady_clock::time_point> deadline; ///< what is not being committed by then is dropped
};

/// What a request is answered with.
struct RouteAnswer {
    int status = 204;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string content_type; ///< empty: no body
    std::string body;
    /// A problem instead of a body: a code that is the same for all of its kind, and a sentence for the caller.
    bool is_problem = false;
    std::string code;
    std::string detail;
    std::optional<std::chrono::seconds> retry_after;

    static RouteAnswer problem(int status, std::string code, std::string detail);
};

/**
 * Answers requests to the routes of one domain, for one generation of its plugin, beside the domain's own thread. Thread-safe.
 *
 * GET reads what is committed. Other methods run in a transaction that begins when the handler first reads, and commits what it changed and
 * emitted, with the request's id in the ledger, so that a lost answer to the commit is decided by it. What a handler publishes goes to the
 * broker before the answer, many requests at a time. Under an Idempotency-Key a POST's id follows from the key; body and answer are kept
 * (`request_keys.hpp`), so that a repetition gets the same answer, and another body under the same key is refused.
 */
class RouteService {
public:
    struct Setup {
        DomainSpec spec;
        std::shared_ptr<plugin::Instance> instance;
        broker::Broker *broker = nullptr; ///< outlives this
        const event::Contracts *contracts = nullptr;
        std::shared_ptr<RelayBell> relay_bell; ///< rung where something was put into the outbox; may be null
    };
    explicit RouteService(Setup setup);
    /// Waits for what is being published, and no longer; not to be called where `done` is. See Retirement.
    ~RouteService();
    RouteService(const RouteService &) = delete;
    RouteService &operator=(const RouteService &) = delete;

    /// The domain's tables are there. Before, what needs the store is answered with 503. May be called again, with another store.
    /// @param store used by this alone, because a later generation's tables have other numbers; it is migrated to `schema_with_requests`.
    /// Throws what the store does
    void begin(std::shared_ptr<store::DomainStore> store);
    /// What waits to be published is until then, and after that answered with 503. Doesn't wait for it. Called once at the most.
    void end_by(std::chrono::steady_clock::time_point when);
    /// Forgets requests under an Idempotency-Key that came before `until`, while there are any and `goes_on`, asked between two steps, says
    /// so. Throws what the store does. @return how many
    std::uint64_t forget_requests(event::Micros until, const std::function<bool()> &goes_on);

    const DomainSpec &spec() const;
    const plugin::Module &module() const;
    /// What handles the routes, and may handle the domain's events as well.
    const std::shared_ptr<plugin::Instance> &instance() const;
    const std::shared_ptr<RelayBell> &relay_bell() const;
    /// Requests that are past their time and still run. Whoever runs `answer` tells it.
    OverdueRoutes &overdue() const;
    /// The routes that `answer` knows.
    const std::vector<plugin::Route> &routes() const;

    /// Answers one request: calls `done` once, before it returns or later, on another thread. Whatever the handler does, this doesn't
    /// throw.
    void answer(const plugin::Route &route, const RouteRequest &request, std::function<void(RouteAnswer)> done) noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Whether a description has routes that keep what was answered under an Idempotency-Key.
bool keeps_requests(const plugin::Description &description);

/// A domain's tables as they are migrated: the plugin's own, and after them the host's for requests, where there are routes that need it.
store::Schema schema_with_requests(const plugin::Description &description);

} // namespace weir::engine
