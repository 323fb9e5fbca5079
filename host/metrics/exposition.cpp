// SPDX-License-Identifier: Apache-2.0
#include "metrics/exposition.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>

namespace weir::metrics {

struct Exposition::Families {
    std::vector<prometheus::MetricFamily> all;

    void begin(std::string_view name, std::string_view help, prometheus::MetricType type) {
        if (!all.empty() && all.back().metric.empty()) {
            all.pop_back();
        }
        prometheus::MetricFamily family;
        family.name = name;
        family.help = help;
        family.type = type;
        all.push_back(std::move(family));
    }

    prometheus::ClientMetric &add(Labels labels) {
        prometheus::ClientMetric &metric = all.back().metric.emplace_back();
        for (auto &[name, value] : labels) {
            metric.label.push_back({std::move(name), std::move(value)});
        }
        return metric;
    }
};

Exposition::Exposition() : families_(std::make_unique<Families>()) {}
Exposition::~Exposition() = default;

void Exposition::counters(std::string_view name, std::string_view help) { families_->begin(name, help, prometheus::MetricType::Counter); }
void Exposition::gauges(std::string_view name, std::string_view help) { families_->begin(name, help, prometheus::MetricType::Gauge); }
void Exposition::histograms(std::string_view name, std::string_view help) {
    families_->begin(name, help, prometheus::MetricType::Histogram);
}

void Exposition::add(Labels labels, double value) {
    prometheus::ClientMetric &metric = families_->add(std::move(labels));
    metric.counter.value = value;
    metric.gauge.value = value;
}

void Exposition::add(Labels labels, const engine::Histogram &histogram) {
    prometheus::ClientMetric &metric = families_->add(std::move(labels));
    metric.histogram.sample_sum = histogram.sum();
    std::uint64_t below = 0;
    for (std::size_t at = 0; at < engine::Histogram::kBuckets; ++at) {
        below += histogram.count(at);
        const bool last = at + 1 == engine::Histogram::kBuckets;
        metric.histogram.bucket.push_back({below, last ? std::numeric_limits<double>::infinity() : histogram.bound(at)});
    }
    metric.histogram.sample_count = below;
}

std::string Exposition::text() const {
    std::vector<prometheus::MetricFamily> families = families_->all;
    if (!families.empty() && families.back().metric.empty()) {
        families.pop_back();
    }
    return prometheus::TextSerializer().Serialize(families);
}

} // namespace weir::metrics
