// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sampler.hpp"

#include "engine/domain.hpp"
#include "engine/work_in_hand.hpp"
#include "metrics/figures.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weir::cli {

/// What a running host exposes to Prometheus: counts that are kept anyway, and samples of broker and store that are taken when somebody
/// asks. Thread-safe.
class HostMetrics {
public:
    struct Sources {
        std::function<std::vector<engine::DomainStatus>()> status;
        std::function<std::map<std::string, std::shared_ptr<const engine::WorkInHand>>()> work; ///< by domain, of those served here
        std::function<std::size_t()> refused_plugins;
        std::function<std::size_t()> refused_configuration;
        std::function<metrics::HttpFigures()> http;      ///< empty: no HTTP figures
        std::size_t pool_max = 0;                        ///< store.pool.max
        std::chrono::milliseconds sample_max_age{60000}; ///< what broker or store said longer ago is left out
    };

    /// @param sampler, store outlive this
    HostMetrics(Sources sources, Sampler &sampler, const store::Store &store);

    /// Prometheus's text format; see metrics::kContentType.
    std::string text() const;

private:
    const Sources sources_;
    Sampler &sampler_;
    const store::Store &store_;
    const std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

} // namespace weir::cli
