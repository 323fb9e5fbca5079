// SPDX-License-Identifier: Apache-2.0
#include "backends.hpp"
#include "checkup.hpp"
#include "host_access.hpp"
#include "missing_topics.hpp"
#include "serving.hpp"

#include "broker/embedded/embedded_broker.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <set>

namespace weir::cli {

namespace {

namespace fs = std::filesystem;

/// Runs a trial, and makes what it throws the finding.
template <typename Trial> Finding tried(const char *name, const char *good, const char *key, const Trial &trial) {
    try {
        trial();
        return {name, Health::good, good, ""};
    } catch (const std::exception &failure) {
        return {name, Health::fault, failure.what(), std::string("mend it, or name another place: ") + key};
    }
}

/// A directory beside the real one, on the same file system; gone afterwards.
class TrialDirectory {
public:
    explicit TrialDirectory(const fs::path &beside) : path_((nearest_existing(beside) / ".weir-doctor-XXXXXX").string()) {
        if (!mkdtemp(path_.data())) {
            throw std::runtime_error(path_ + " can't be made: " + std::strerror(errno));
        }
    }
    ~TrialDirectory() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    TrialDirectory(const TrialDirectory &) = delete;
    TrialDirectory &operator=(const TrialDirectory &) = delete;
    fs::path path() const { return path_; }

private:
    std::string path_;
};

void try_broker(broker::EmbeddedOptions options) {
    const TrialDirectory directory(options.file.parent_path());
    options.file = directory.path() / "broker.db";
    const auto broker = broker::open_embedded_broker(options);
    const broker::Outgoing message{"key", {}, "{}"};
    broker->publish("trial", std::span(&message, 1));
    if (broker->browse({"trial", 0}, std::nullopt, 1).empty()) {
        throw std::runtime_error("a message that was published can't be read again");
    }
}

void try_store(store::sqlite::SqliteOptions options) {
    const TrialDirectory directory(options.directory);
    options.directory = directory.path();
    const auto store = store::sqlite::open_sqlite_store(options);
    const auto domain = store->domain("trial");
    store::Table table;
    table.name = "words";
    table.columns.push_back({"word", store::Type::text, false, 0, 0, store::Default::none, {}});
    table.primary_key = {0};
    domain->migrate({{table}});
    const auto session = domain->open();
    session->begin({});
    session->commit();
}

/// What would be served; nothing of it where plugins can't be looked at, which check_plugins says.
Serving serving_of(const config::HostConfig &config, const Context &context) {
    try {
        return find_serving(config, context, load_contracts(config));
    } catch (const std::exception &) {
        return {};
    }
}

const std::string &broker_of(const engine::DomainSpec &spec, const config::HostConfig &config) {
    return spec.broker.empty() ? config.broker_url : spec.broker;
}

/// The topics that domains read from a broker, each once.
std::vector<std::string> topics_of(const Serving &serving, const config::HostConfig &config, const std::string &url) {
    std::set<std::string> topics;
    for (const auto &[name, domain] : serving.domains) {
        if (broker_of(domain.spec, config) == url) {
            topics.insert(domain.spec.topics.begin(), domain.spec.topics.end());
        }
    }
    return {topics.begin(), topics.end()};
}

std::vector<Finding> check_topics(const Serving &serving, const config::HostConfig &config) {
    std::vector<Finding> findings;
    try {
        const Brokers brokers = open_existing_brokers(config);
        for (const auto &[name, domain] : serving.domains) {
            const auto broker = brokers.find(broker_of(domain.spec, config));
            if (broker == brokers.end() || !broker->second) {
                continue; // nothing was ever published here
            }
            for (const MissingTopic &missing : missing_topics(domain.spec.topics, *broker->second)) {
                findings.push_back({"topic_missing", Health::warning,
                                    "domain " + name + ": topic '" + missing.topic + "' is not on the broker, and would be waited for",
                                    remedy(missing)});
            }
        }
    } catch (const std::exception &) { // said of the broker already
    }
    return findings;
}

/// Domains whose tables are there and don't fit what their plugins declare: they would not be served.
std::vector<Finding> check_schemas(const Serving &serving, const config::HostConfig &config) {
    std::vector<Finding> findings;
    try {
        const auto store = open_store(config);
        for (const auto &[name, domain] : serving.domains) {
            if (!store->has_domain(domain.spec.schema)) {
                continue;
            }
            try {
                store->domain(domain.spec.schema)->preview(domain.module->description().schema);
            } catch (const store::SchemaWrong &failure) {
                findings.push_back({"schema_misfit", Health::fault, "domain " + name + " would not be served: " + failure.what(),
                                    "mend the tables, or give the domain another \"service.schema\""});
            }
        }
    } catch (const std::exception &) { // said of the store already
    }
    return findings;
}

} // namespace

std::vector<Finding> check_databases(const config::HostConfig &config, const Context &context) {
    std::vector<Finding> findings;
    const Serving serving = serving_of(config, context);
    const auto add = [&](std::vector<Finding> more) { std::move(more.begin(), more.end(), std::back_inserter(findings)); };
    for (const std::string &url : broker_urls(config)) {
        broker::EmbeddedOptions broker;
        if (!url.starts_with("embedded://")) {
            add(examine_broker(config, url, topics_of(serving, config, url)));
        } else if (!broker::parse_embedded_url(url, broker)) {
            findings.push_back(tried("broker", "the broker keeps a message", "broker.url (WEIR_BROKER_URL)", [&] {
                try_broker(broker);
                (void)open_existing_brokers(config); // the real one: not damaged, not another program's
            }));
        }
    }
    std::string reason;
    if (const auto store = store::sqlite::parse_sqlite_url(config.store_url, reason)) {
        findings.push_back(tried("store", "the store makes a table and commits", "store.url (WEIR_STORE_URL)", [&] { try_store(*store); }));
    } else {
        std::vector<std::string> schemas;
        for (const auto &[name, domain] : serving.domains) {
            schemas.push_back(domain.spec.schema);
        }
        add(examine_store(config, schemas));
    }
    add(check_schemas(serving, config));
    add(check_topics(serving, config));
    return findings;
}

} // namespace weir::cli
