// SPDX-License-Identifier: Apache-2.0
#include "backends.hpp"
#include "checkup.hpp"
#include "host_access.hpp"
#include "serving.hpp"

#include "broker/embedded/embedded_broker.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>

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

/// The schemas of the domains that would be served: what the login of a database needs rights for.
std::vector<std::string> schemas_of(const config::HostConfig &config, const Context &context) {
    std::vector<std::string> schemas;
    try {
        for (const auto &[name, domain] : find_serving(config, context, load_contracts(config)).domains) {
            schemas.push_back(domain.spec.schema);
        }
    } catch (const std::exception &) { // check_plugins says so
    }
    return schemas;
}

} // namespace

std::vector<Finding> check_databases(const config::HostConfig &config, const Context &context) {
    std::vector<Finding> findings;
    const auto add = [&](std::vector<Finding> more) { std::move(more.begin(), more.end(), std::back_inserter(findings)); };
    for (const std::string &url : broker_urls(config)) {
        broker::EmbeddedOptions broker;
        if (!url.starts_with("embedded://")) {
            add(examine_broker(url));
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
        add(examine_store(config, schemas_of(config, context)));
    }
    return findings;
}

} // namespace weir::cli
