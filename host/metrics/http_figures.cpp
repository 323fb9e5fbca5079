// SPDX-License-Identifier: Apache-2.0
#include "metrics/http_figures.hpp"

namespace weir::metrics {

namespace {
constexpr double kLeastSeconds = 0.0001;
}

void HttpCounts::observe(std::string_view listener, std::string_view route, std::string_view method, int status, double seconds) {
    const std::lock_guard lock(mutex_);
    auto found = counts_.find(KeyView{listener, route, method, status});
    if (found == counts_.end()) {
        found = counts_.emplace(Key{listener, route, method, status}, engine::Histogram(kLeastSeconds)).first;
    }
    found->second.observe(seconds);
}

std::vector<RouteFigures> HttpCounts::figures() const {
    const std::lock_guard lock(mutex_);
    std::vector<RouteFigures> all;
    for (const auto &[key, seconds] : counts_) {
        all.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), std::get<3>(key), seconds});
    }
    return all;
}

} // namespace weir::metrics
