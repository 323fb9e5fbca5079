// SPDX-License-Identifier: Apache-2.0
#include "host_metrics.hpp"
#include "status_report.hpp"

#include "metrics/exposition.hpp"
#include "store/postgresql/postgresql_store.hpp"
#include "weir/abi.h"

#include <algorithm>

namespace weir::cli {

namespace {

constexpr auto kFreshEnough = std::chrono::seconds(2);
constexpr auto kPatience = std::chrono::seconds(1); // a scrape is given 10 seconds, as a rule

/// What of a lag is this host's to read.
std::uint64_t unread_here(const std::vector<broker::PartitionLag> &lags, const engine::WorkInHand &here, bool parallel) {
    const std::vector<broker::Partition> leased = here.leased();
    std::uint64_t unread = 0;
    for (const broker::PartitionLag &lag : lags) {
        unread += parallel || std::find(leased.begin(), leased.end(), lag.partition) != leased.end() ? lag.backlog : 0;
    }
    return unread;
}

} // namespace

HostMetrics::HostMetrics(Sources sources, Sampler &sampler, const store::Store &store)
    : sources_(std::move(sources)), sampler_(sampler), store_(store) {}

std::string HostMetrics::text() const {
    using Clock = std::chrono::steady_clock;
    metrics::Figures figures;
    figures.version = WEIR_VERSION;
    figures.abi_version = std::to_string(WEIR_ABI_MAJOR) + "." + std::to_string(WEIR_ABI_MINOR);
    const std::shared_ptr<const Samples> samples = sampler_.get(kFreshEnough, kPatience);
    const auto status = sources_.status();
    figures.ready = all_ready(status);
    const auto work = sources_.work ? sources_.work() : decltype(sources_.work())();
    const auto now = Clock::now();
    auto oldest = samples->taken == Clock::time_point::min() ? since_ : samples->taken;
    for (const engine::DomainStatus &domain : status) {
        metrics::DomainFigures &entry = figures.domains.emplace_back();
        entry.status = domain;
        const auto here = work.find(domain.name);
        entry.in_hand = here == work.end() ? 0 : here->second->events();
        const auto sample = samples->domains.find(domain.name);
        if (sample == samples->domains.end()) {
            continue;
        }
        const auto take = [&](auto &to, const auto &last) {
            oldest = std::min(oldest, last.at);
            if (now - last.at < sources_.sample_max_age) {
                to = last.answer;
            }
        };
        take(entry.lag, sample->second.lag);
        take(entry.store, sample->second.store);
        if (entry.lag && here != work.end()) {
            entry.unread = unread_here(*entry.lag, *here->second, sample->second.parallel);
        }
    }
    figures.sample_age_seconds = std::chrono::duration<double>(now - oldest).count();
    const auto pool = store::postgresql::pool_counts(store_);
    if (pool.opened > 0) { // of a store that has no server there are none
        figures.pool = metrics::PoolFigures{sources_.pool_max, pool.in_use, pool.idle, pool.waiting, pool.opened, pool.dropped};
    }
    if (sources_.http) {
        figures.http = sources_.http();
    }
    figures.refused_plugins = sources_.refused_plugins ? sources_.refused_plugins() : 0;
    figures.configuration_refused = sources_.refused_configuration && sources_.refused_configuration() > 0;
    figures.process = metrics::process_figures();
    return metrics::exposition(figures);
}

} // namespace weir::cli
