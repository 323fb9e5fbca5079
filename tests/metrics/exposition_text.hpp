// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace weir::test {

/// A page in Prometheus's text format, read strictly.
struct ExpositionText {
    using Labels = std::map<std::string, std::string>;
    struct Family {
        std::string type; ///< counter, gauge, histogram
        std::string help;
        std::map<Labels, double> samples;                   ///< of counters and gauges
        std::map<Labels, std::map<double, double>> buckets; ///< of histograms: by upper bound, cumulative
        std::map<Labels, double> sums;
        std::map<Labels, double> counts;
    };
    std::map<std::string, Family> families;
    std::vector<std::string> problems; ///< whatever a strict reader would refuse, or the conventions do

    /// A sample of a counter or gauge; NaN where it isn't there.
    double value(const std::string &family, const Labels &labels = {}) const;
};

ExpositionText read_exposition(const std::string &text);

/// The metrics that a text of PromQL, YAML or JSON names, without the suffixes of histograms' parts.
std::set<std::string> metrics_named_in(const std::string &text, const std::set<std::string> &histograms);

bool has_promtool();

/// Runs promtool. @return what it says where it isn't content; empty where it is, or isn't installed
std::string promtool(const std::string &arguments);

/// What `promtool check metrics` says of a page; empty where it is content, or isn't installed.
std::string said_by_promtool(const std::string &text);

} // namespace weir::test
