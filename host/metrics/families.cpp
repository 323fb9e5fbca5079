// SPDX-License-Identifier: Apache-2.0
#include "metrics/exposition.hpp"

#include <functional>

namespace weir::metrics {

namespace {

/// The table of docs/operations.md has these names, in this order.
class Page {
public:
    explicit Page(const Figures &figures) : figures_(figures) {}

    std::string text() {
        host();
        domains();
        topics();
        events();
        stores();
        if (figures_.pool) {
            pool(*figures_.pool);
        }
        if (figures_.http) {
            http(*figures_.http);
        }
        process();
        return out_.text();
    }

private:
    using Domain = DomainFigures;

    static Labels of(const Domain &domain) { return {{"domain", domain.status.name}}; }

    void each(const std::function<double(const Domain &)> &value) {
        for (const Domain &domain : figures_.domains) {
            out_.add(of(domain), value(domain));
        }
    }

    // What is so now. A domain that was taken away, or whose host stops, has counted and is nothing any more: nobody is to be alarmed by
    // it.
    void each_running(const std::function<double(const Domain &)> &value) {
        for (const Domain &domain : figures_.domains) {
            if (domain.status.phase != engine::Phase::stopped) {
                out_.add(of(domain), value(domain));
            }
        }
    }

    void host() {
        out_.gauges("weir_build_info", "Always 1; which Weir this is, and the newest plugin ABI that it takes.");
        out_.add({{"version", figures_.version}, {"abi_version", figures_.abi_version}}, 1);
        out_.gauges("weir_ready", "1 where every domain of this host is ready, else 0.");
        out_.add({}, figures_.ready ? 1 : 0);
        out_.gauges("weir_plugins_refused", "Files in the plugin directory that this host doesn't take.");
        out_.add({}, static_cast<double>(figures_.refused_plugins));
        out_.gauges("weir_configuration_refused", "1 where a changed configuration is wrong and the one before goes on, else 0.");
        out_.add({}, figures_.configuration_refused ? 1 : 0);
    }

    void domains() {
        out_.gauges("weir_domain_ready", "1 where the domain is ready, else 0; `weir status` has the reason.");
        each_running([](const Domain &domain) { return domain.status.ready ? 1 : 0; });
        out_.gauges("weir_domain_phase", "1 for the phase that the domain is in, 0 for the others.");
        for (const Domain &domain : figures_.domains) {
            using engine::Phase;
            for (const Phase phase : {Phase::starting, Phase::standby, Phase::serving, Phase::waiting, Phase::halted, Phase::stopped}) {
                out_.add({{"domain", domain.status.name}, {"phase", engine::phase_name(phase)}}, domain.status.phase == phase ? 1 : 0);
            }
        }
        out_.gauges("weir_domain_plugin_info", "Always 1; the plugin that serves the domain, and its version.");
        for (const Domain &domain : figures_.domains) {
            if (!domain.status.plugin.empty() && domain.status.phase != engine::Phase::stopped) {
                out_.add({{"domain", domain.status.name}, {"plugin", domain.status.plugin}, {"version", domain.status.plugin_version}}, 1);
            }
        }
        out_.gauges("weir_domain_plugin_generation",
                    "How many files this host had loaded for the plugin when it loaded the one that serves.");
        each_running([](const Domain &domain) { return domain.status.generation; });
        out_.gauges("weir_domain_change_refused", "1 where a newer plugin or configuration doesn't fit and the older one goes on, else 0.");
        each_running([](const Domain &domain) { return domain.status.refused.empty() ? 0 : 1; });
        out_.gauges("weir_domain_partitions", "Partitions that this host reads for the domain.");
        each_running([](const Domain &domain) { return static_cast<double>(domain.status.partitions); });
        out_.gauges("weir_domain_topics_missing", "Topics of the domain that are not on the broker.");
        each_running([](const Domain &domain) { return static_cast<double>(domain.status.missing_topics.size()); });
        out_.gauges("weir_domain_in_hand_events", "Events in memory that wait for nothing but their batch, or are in it.");
        each_running([](const Domain &domain) { return static_cast<double>(domain.in_hand); });
        out_.gauges("weir_domain_unread_messages", "Messages that the group has not been given, of the partitions that this host reads.");
        for (const Domain &domain : figures_.domains) {
            if (domain.unread && domain.status.phase != engine::Phase::stopped) {
                out_.add(of(domain), static_cast<double>(*domain.unread));
            }
        }
        out_.gauges("weir_domain_held_events", "Events in memory that wait for a retry, or behind one of their key.");
        each_running([](const Domain &domain) { return static_cast<double>(domain.status.held); });
        out_.gauges("weir_domain_overdue_handlers", "Handlers of events and of routes that are past handler_budget_ms and still run.");
        each_running([](const Domain &domain) { return static_cast<double>(domain.status.overdue); });
    }

    void per_partition(const std::function<double(const broker::PartitionLag &)> &value) {
        for (const Domain &domain : figures_.domains) {
            if (domain.lag) {
                for (const broker::PartitionLag &lag : *domain.lag) {
                    out_.add({{"domain", domain.status.name},
                              {"topic", lag.partition.topic},
                              {"partition", std::to_string(lag.partition.number)}},
                             value(lag));
                }
            }
        }
    }

    void topics() {
        out_.gauges("weir_topic_messages", "Messages that the broker keeps.");
        per_partition([](const broker::PartitionLag &lag) { return static_cast<double>(lag.length); });
        out_.gauges("weir_topic_lag_messages", "Messages that the domain's group has not been given yet, whoever reads for it.");
        per_partition([](const broker::PartitionLag &lag) { return static_cast<double>(lag.backlog); });
        out_.gauges("weir_topic_pending_messages", "Messages that the domain's group was given and has not acknowledged.");
        per_partition([](const broker::PartitionLag &lag) { return static_cast<double>(lag.pending); });
    }

    void events() {
        out_.counters("weir_events_total", "Events that this host has decided, by outcome; each has one.");
        for (const Domain &domain : figures_.domains) {
            for (const engine::TopicCounts &topic : domain.status.counts.topics) {
                const auto add = [&](const char *outcome, std::uint64_t count) {
                    out_.add({{"domain", domain.status.name}, {"topic", topic.topic}, {"outcome", outcome}}, static_cast<double>(count));
                };
                add("applied", topic.applied);
                add("stale", topic.stale);
                add("ignored", topic.ignored);
                add("dead_letter", topic.dead_letters);
                add("duplicate", topic.duplicates);
            }
        }
        out_.counters("weir_event_retries_total", "Runs of handlers that ended in a retry.");
        each([](const Domain &domain) { return static_cast<double>(domain.status.counts.retries); });
        out_.histograms("weir_batch_events", "Events of one committed transaction.");
        for (const Domain &domain : figures_.domains) {
            out_.add(of(domain), domain.status.counts.batch_events);
        }
        out_.histograms("weir_batch_duration_seconds",
                        "Seconds from a transaction's first statement to its commit, its handlers included.");
        for (const Domain &domain : figures_.domains) {
            out_.add(of(domain), domain.status.counts.batch_seconds);
        }
    }

    void per_store(const std::function<std::uint64_t(const store::Figures &)> &value) {
        for (const Domain &domain : figures_.domains) {
            if (domain.store) {
                out_.add(of(domain), static_cast<double>(value(*domain.store)));
            }
        }
    }

    void stores() {
        out_.gauges("weir_dead_letters_pending", "Dead letters that were neither replayed nor dropped.");
        per_store([](const store::Figures &figures) { return figures.dead_letters_pending; });
        out_.gauges("weir_outbox_pending_events", "Emitted events that wait to be published.");
        per_store([](const store::Figures &figures) { return figures.outbox_pending; });
        out_.gauges("weir_ledger_events", "Decided events whose ids the domain's ledger knows.");
        per_store([](const store::Figures &figures) { return figures.ledger_events; });
        out_.gauges("weir_sample_age_seconds",
                    "How long ago lag, dead letters, outbox and ledger were told: by the broker or the store that answered longest ago.");
        out_.add({}, figures_.sample_age_seconds);
    }

    void pool(const PoolFigures &pool) {
        out_.gauges("weir_store_pool_connections", "Connections to the store's server, by what they do.");
        out_.add({{"state", "in_use"}}, static_cast<double>(pool.in_use));
        out_.add({{"state", "idle"}}, static_cast<double>(pool.idle));
        out_.gauges("weir_store_pool_max_connections", "store.pool.max.");
        out_.add({}, static_cast<double>(pool.max));
        out_.gauges("weir_store_pool_waiting_threads", "Threads that wait for a connection.");
        out_.add({}, static_cast<double>(pool.waiting));
        out_.counters("weir_store_pool_opened_connections_total", "Connections that were opened.");
        out_.add({}, static_cast<double>(pool.opened));
        out_.counters("weir_store_pool_dropped_connections_total", "Of these, those that broke.");
        out_.add({}, static_cast<double>(pool.dropped));
    }

    void http(const HttpFigures &http) {
        out_.gauges("weir_http_connections", "Connections of HTTP clients.");
        out_.add({}, static_cast<double>(http.connections));
        out_.gauges("weir_http_event_streams", "Of these, those that get server-sent events.");
        out_.add({}, static_cast<double>(http.streams));
        out_.gauges("weir_http_queued_requests", "Requests that wait for a worker.");
        out_.add({}, static_cast<double>(http.queued));
        out_.gauges("weir_http_request_body_bytes", "Bytes of requests' bodies that are read or handled.");
        out_.add({}, static_cast<double>(http.body_bytes));
        out_.counters("weir_http_connections_total", "Connections that were accepted.");
        out_.add({}, static_cast<double>(http.accepted));
        out_.counters("weir_http_connections_refused_total", "Connections that were closed, or got a 503, for a limit.");
        out_.add({}, static_cast<double>(http.refused));
        out_.histograms("weir_http_request_duration_seconds", "Seconds from a request's last byte to its answer.");
        for (const RouteFigures &route : http.routes) {
            out_.add(
                {{"listener", route.listener}, {"route", route.route}, {"method", route.method}, {"status", std::to_string(route.status)}},
                route.seconds);
        }
    }

    void process() {
        const ProcessFigures &process = figures_.process;
        out_.counters("process_cpu_seconds_total", "Seconds of processor time that the process has used.");
        out_.add({}, process.cpu_seconds);
        out_.gauges("process_resident_memory_bytes", "Resident memory.");
        out_.add({}, static_cast<double>(process.resident_bytes));
        out_.gauges("process_virtual_memory_bytes", "Virtual memory.");
        out_.add({}, static_cast<double>(process.virtual_bytes));
        out_.gauges("process_open_fds", "Open file descriptors.");
        out_.add({}, static_cast<double>(process.open_files));
        out_.gauges("process_max_fds", "Open file descriptors at most; 0: no limit.");
        out_.add({}, static_cast<double>(process.max_files));
        out_.gauges("process_start_time_seconds", "When the process started, in seconds since 1970.");
        out_.add({}, process.start_time_seconds);
    }

    const Figures &figures_;
    Exposition out_;
};

} // namespace

std::string exposition(const Figures &figures) { return Page(figures).text(); }

} // namespace weir::metrics
