// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "metrics/figures.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::metrics {

/// What an answer with `exposition` is declared as.
inline constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

using Labels = std::vector<std::pair<std::string, std::string>>;

/// Metrics on their way into Prometheus's text format, family by family. [prometheus.io, exposition formats] One thread.
class Exposition {
public:
    Exposition();
    ~Exposition();
    Exposition(const Exposition &) = delete;
    Exposition &operator=(const Exposition &) = delete;

    /// Begins a family; what is added until the next one belongs to it. One without values is left out.
    /// @param name by Prometheus's conventions, base units last: "weir_batch_duration_seconds"; counters end in "_total"
    void counters(std::string_view name, std::string_view help);
    void gauges(std::string_view name, std::string_view help);
    void histograms(std::string_view name, std::string_view help);

    void add(Labels labels, double value);
    void add(Labels labels, const engine::Histogram &histogram);

    std::string text() const;

private:
    struct Families;
    std::unique_ptr<Families> families_;
};

/// Everything that a host exposes.
std::string exposition(const Figures &figures);

} // namespace weir::metrics
