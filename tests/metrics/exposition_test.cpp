// SPDX-License-Identifier: Apache-2.0
#include "exposition_text.hpp"
#include "left_out.hpp"
#include "support.hpp"

#include "metrics/exposition.hpp"
#include "metrics/http_figures.hpp"

#include <catch2/catch.hpp>

#include <cstdio>
#include <ctime>
#include <set>

using namespace weir;
using test::ExpositionText;

namespace {

/// A host with everything that there can be, and a domain whose name would break a careless writer.
metrics::Figures everything() {
    metrics::Figures figures;
    figures.version = "1.2.3";
    figures.abi_version = "1.0";
    figures.sample_age_seconds = 0.25;
    for (const char *name : {"linting", "od\"d\\\nname"}) {
        metrics::DomainFigures &domain = figures.domains.emplace_back();
        domain.status.name = name;
        domain.status.plugin = "linting";
        domain.status.plugin_version = "1.0.0";
        domain.status.generation = 3;
        domain.status.phase = engine::Phase::serving;
        domain.status.ready = true;
        domain.status.held = 7;
        domain.in_hand = 8;
        domain.unread = 40;
        domain.status.counts.retries = 5;
        engine::TopicCounts &topic = domain.status.counts.of("identity.user.v1");
        topic.applied = 90;
        topic.stale = 4;
        topic.duplicates = 6;
        for (const double events : {1.0, 2.0, 5000.0, 1e9}) {
            domain.status.counts.batch_events.observe(events);
            domain.status.counts.batch_seconds.observe(events / 1000);
        }
        domain.lag = std::vector<broker::PartitionLag>{{{"identity.user.v1", 0}, 100, 40, 2}, {{"identity.user.v1", 1}, 10, 0, 0}};
        domain.store = store::Figures{123456789, 3, 2};
    }
    figures.pool = metrics::PoolFigures{16, 2, 1, 0, 9, 1};
    metrics::HttpCounts counts;
    counts.observe("public", "/api/vote", "POST", 202, 0.002);
    counts.observe("public", "/api/vote", "POST", 202, 2);
    counts.observe("public", "", "GET", 404, 0.0001);
    figures.http = metrics::HttpFigures{3, 1, 0, 4096, 10, 1, counts.figures()};
    figures.process = metrics::process_figures();
    return figures;
}

std::set<std::string> names(const ExpositionText &page, const std::string &type = "") {
    std::set<std::string> found;
    for (const auto &[name, family] : page.families) {
        if (type.empty() || family.type == type) {
            found.insert(name);
        }
    }
    return found;
}

} // namespace

TEST_CASE("a page with everything in it is right to the strictest reader, and keeps to Prometheus's conventions") {
    const std::string text = metrics::exposition(everything());
    const ExpositionText page = test::read_exposition(text);
    for (const std::string &problem : page.problems) {
        FAIL_CHECK(problem);
    }
    if (!test::has_promtool()) {
        test::left_out("what promtool says of metrics: it isn't installed (scripts/install-dependencies.sh --lint)");
    }
    CHECK(test::said_by_promtool(text) == "");
    CHECK(page.value("weir_build_info", {{"version", "1.2.3"}, {"abi_version", "1.0"}}) == 1);
    CHECK(page.value("weir_ready") == 0);
    for (const char *domain : {"linting", "od\"d\\\nname"}) {
        CHECK(page.value("weir_events_total", {{"domain", domain}, {"topic", "identity.user.v1"}, {"outcome", "applied"}}) == 90);
        CHECK(page.value("weir_events_total", {{"domain", domain}, {"topic", "identity.user.v1"}, {"outcome", "dead_letter"}}) == 0);
        CHECK(page.value("weir_topic_lag_messages", {{"domain", domain}, {"topic", "identity.user.v1"}, {"partition", "0"}}) == 40);
        CHECK(page.value("weir_domain_in_hand_events", {{"domain", domain}}) == 8);
        CHECK(page.value("weir_domain_unread_messages", {{"domain", domain}}) == 40);
        CHECK(page.value("weir_ledger_events", {{"domain", domain}}) == 123456789);
        CHECK(page.value("weir_domain_phase", {{"domain", domain}, {"phase", "serving"}}) == 1);
        CHECK(page.value("weir_domain_phase", {{"domain", domain}, {"phase", "waiting"}}) == 0);
        CHECK(page.families.at("weir_batch_events").counts.at({{"domain", domain}}) == 4);
        CHECK(page.families.at("weir_batch_events").sums.at({{"domain", domain}}) == 1e9 + 5003);
        CHECK(page.families.at("weir_batch_events").buckets.at({{"domain", domain}}).at(3) == 2);
    }
    CHECK(page.families.at("weir_http_request_duration_seconds")
              .counts.at({{"listener", "public"}, {"route", "/api/vote"}, {"method", "POST"}, {"status", "202"}}) == 2);
}

TEST_CASE("what can't be known is left out, and not told as zero") {
    metrics::Figures figures = everything();
    figures.pool.reset();
    figures.http.reset();
    for (metrics::DomainFigures &domain : figures.domains) {
        domain.lag.reset();
        domain.unread.reset();
        domain.store.reset();
    }
    const ExpositionText page = test::read_exposition(metrics::exposition(figures));
    CHECK(page.problems.empty());
    for (const char *name : {"weir_topic_lag_messages", "weir_domain_unread_messages", "weir_dead_letters_pending",
                             "weir_store_pool_connections", "weir_http_connections"}) {
        CHECK_FALSE(page.families.contains(name));
    }
    CHECK(test::read_exposition(metrics::exposition({})).problems.empty());
}

TEST_CASE("a domain that has stopped keeps its counters, and nothing by which anybody could be alarmed") {
    metrics::Figures figures = everything();
    engine::DomainStatus &stopped = figures.domains[0].status;
    stopped.phase = engine::Phase::stopped;
    stopped.ready = false;
    stopped.refused = "a newer generation";
    stopped.missing_topics = {"identity.user.v1"};
    stopped.overdue = 1;
    const ExpositionText page = test::read_exposition(metrics::exposition(figures));
    CHECK(page.problems.empty());
    const ExpositionText::Labels gone{{"domain", "linting"}};
    const ExpositionText::Labels there{{"domain", "od\"d\\\nname"}};
    int looked = 0;
    for (const auto &[name, family] : page.families) {
        if (name.starts_with("weir_domain_") && family.type == "gauge") {
            CAPTURE(name);
            CHECK_FALSE(family.samples.contains(gone));
            looked += family.samples.contains(there) ? 1 : 0;
        }
    }
    CHECK(looked >= 9);
    CHECK(page.value("weir_domain_phase", {{"domain", "linting"}, {"phase", "stopped"}}) == 1);
    CHECK(page.value("weir_events_total", {{"domain", "linting"}, {"topic", "identity.user.v1"}, {"outcome", "applied"}}) == 90);
    CHECK(page.value("weir_event_retries_total", gone) == 5);
}

TEST_CASE("alerts are sound, and tell of what they are for, and of nothing else") {
    if (!test::has_promtool()) {
        test::left_out("what alerts tell: promtool isn't installed (scripts/install-dependencies.sh --lint)");
    }
    CHECK(test::promtool("check rules '" + (test::source_directory() / "deploy/alerts.yaml").string() + "'") == "");
    CHECK(test::promtool("test rules '" + (test::source_directory() / "tests/metrics/alerts_test.yaml").string() + "'") == "");
}

TEST_CASE("figures of the process are the process's own") {
    const metrics::ProcessFigures figures = metrics::process_figures();
    const double now = static_cast<double>(std::time(nullptr));
    CHECK(figures.start_time_seconds > now - 3600);
    CHECK(figures.start_time_seconds < now + 60);
    CHECK(figures.resident_bytes > 1u << 20);
    CHECK(figures.virtual_bytes >= figures.resident_bytes);
    CHECK(figures.open_files >= 3);
    const std::uint64_t before = figures.open_files;
    const test::TemporaryDirectory directory;
    FILE *one = std::fopen((directory / "file").c_str(), "w");
    REQUIRE(one != nullptr);
    CHECK(metrics::process_figures().open_files == before + 1);
    std::fclose(one);
}

TEST_CASE("dashboard, alerts and documentation name what there is, and the documentation all of it") {
    const ExpositionText page = test::read_exposition(metrics::exposition(everything()));
    const std::set<std::string> all = names(page);
    const std::set<std::string> histograms = names(page, "histogram");
    for (const char *file : {"deploy/alerts.yaml", "deploy/grafana-dashboard.json"}) {
        const auto named = test::metrics_named_in(test::read_file(test::source_directory() / file), histograms);
        CHECK(named.size() > 10);
        for (const std::string &name : named) {
            INFO(file);
            CAPTURE(name);
            CHECK(all.contains(name));
        }
    }
    const std::string operations = test::read_file(test::source_directory() / "docs/operations.md");
    for (const std::string &name : all) {
        CAPTURE(name);
        CHECK(operations.find("| `" + name + "` |") != std::string::npos);
    }
    for (std::size_t at = operations.find("\n| `"); at != std::string::npos; at = operations.find("\n| `", at + 1)) {
        const std::string name = operations.substr(at + 4, operations.find('`', at + 4) - at - 4);
        CAPTURE(name);
        CHECK(((!name.starts_with("weir_") && !name.starts_with("process_")) || all.contains(name)));
    }
}
