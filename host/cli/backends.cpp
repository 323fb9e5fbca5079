// SPDX-License-Identifier: Apache-2.0
#include "backends.hpp"
#include "command.hpp"

#include "broker/embedded/embedded_broker.hpp"
#include "broker/redis/examine.hpp"
#include "broker/redis/redis_broker.hpp"
#include "store/postgresql/examine.hpp"
#include "store/postgresql/postgresql_store.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace weir::cli {

namespace {

namespace fs = std::filesystem;

/// @return what is wrong; nothing where an adapter takes the url
std::optional<std::string> broker_problem(const std::string &url) {
    broker::EmbeddedOptions embedded;
    if (url.starts_with("embedded://")) {
        return broker::parse_embedded_url(url, embedded);
    }
    broker::RedisOptions redis;
    return broker::parse_redis_url(url, redis);
}

[[noreturn]] void refuse_broker(const std::string &problem) {
    throw Failure(Exit::configuration, "broker.url (WEIR_BROKER_URL): " + problem);
}

broker::EmbeddedOptions embedded_options(const std::string &url) {
    broker::EmbeddedOptions options;
    if (const auto problem = broker::parse_embedded_url(url, options)) {
        refuse_broker(*problem);
    }
    return options;
}

/// A key, and the variables that its value came through, where there are any.
std::string key_of(const std::string &key, const std::string &set_by) { return set_by.empty() ? key : key + " (" + set_by + ")"; }

/// What messages call the key that named this server.
std::string broker_key(const config::HostConfig &config, const std::string &url) {
    std::string domains;
    std::string set_by;
    std::size_t count = 0;
    for (const config::DomainConfig &domain : config.domains) {
        if (config.broker_from_domains && domain.enabled && domain.broker_url == url) {
            domains += (count++ == 0 ? "" : ", ") + domain.name;
            if (!domain.broker_url_set_by.empty() && set_by.find(domain.broker_url_set_by) == std::string::npos) {
                set_by += (set_by.empty() ? "" : ", ") + domain.broker_url_set_by;
            }
        }
    }
    return count == 0 ? key_of("broker.url", config.broker_url_set_by)
                      : key_of((count == 1 ? "redis.url of the domain " : "redis.url of the domains ") + domains, set_by);
}

broker::RedisOptions redis_options(const config::HostConfig &config, const std::string &url) {
    broker::RedisOptions options;
    broker::parse_redis_url(url, options);
    options.key = broker_key(config, url);
    return options;
}

std::unique_ptr<broker::Broker> open(const config::HostConfig &config, const std::string &url) {
    if (const auto problem = broker_problem(url)) {
        refuse_broker(*problem);
    }
    if (url.starts_with("embedded://")) {
        return broker::open_embedded_broker(embedded_options(url));
    }
    return broker::open_redis_broker(redis_options(config, url));
}

/// Null where it is a file that isn't there yet.
std::unique_ptr<broker::Broker> open_existing(const config::HostConfig &config, const std::string &url) {
    std::error_code failure;
    if (url.starts_with("embedded://") && fs::status(embedded_options(url).file, failure).type() == fs::file_type::not_found) {
        return nullptr;
    }
    return open(config, url);
}

bool names_postgresql(const std::string &url) { return url.starts_with("postgres"); }

std::optional<std::string> postgresql_options(const config::HostConfig &config, store::postgresql::PostgresqlOptions &out) {
    out.pool_min = config.store.pool_min;
    out.pool_max = config.store.pool_max;
    out.roles = config.store.roles;
    out.statement_timeout = std::chrono::milliseconds(config.store.statement_timeout_ms);
    out.lock_timeout = std::chrono::milliseconds(config.store.lock_timeout_ms);
    const auto problem = store::postgresql::parse_postgresql_url(config.store_url, out);
    out.name = key_of(out.name, config.store_url_set_by);
    // The server has to be the one that gives up first, or every long statement would look like a lost connection.
    out.reply_timeout = std::max(out.reply_timeout, out.statement_timeout + std::chrono::seconds(5));
    return problem;
}

std::optional<std::string> store_problem(const config::HostConfig &config) {
    if (names_postgresql(config.store_url)) {
        store::postgresql::PostgresqlOptions options;
        return postgresql_options(config, options);
    }
    std::string reason;
    return store::sqlite::parse_sqlite_url(config.store_url, reason) ? std::nullopt : std::optional(reason);
}

/// The url that a command means.
std::string broker_url(const config::HostConfig &config, const std::string &topic) {
    if (!config.broker_url.empty()) {
        return config.broker_url;
    }
    std::vector<std::string> possible;
    std::string domains;
    for (const config::DomainConfig &domain : config.domains) {
        const bool reads = topic.empty() || std::find(domain.topics.begin(), domain.topics.end(), topic) != domain.topics.end();
        if (domain.enabled && reads && std::find(possible.begin(), possible.end(), domain.broker_url) == possible.end()) {
            possible.push_back(domain.broker_url);
            domains += (domains.empty() ? "" : ", ") + domain.name + ": " + config::masked_url(domain.broker_url);
        }
    }
    if (possible.size() == 1) {
        return possible.front();
    }
    throw Failure(Exit::configuration,
                  "which broker? broker.url is not set, and the domains' redis.url " +
                      (possible.empty() ? "name several, none of them for topic '" + topic + "'" : "differ (" + domains + ")") +
                      "; say it with WEIR_BROKER_URL=URL");
}

} // namespace

std::vector<std::string> broker_urls(const config::HostConfig &config) {
    std::vector<std::string> urls;
    if (!config.broker_url.empty()) {
        urls.push_back(config.broker_url);
    }
    for (const config::DomainConfig &domain : config.domains) {
        if (domain.enabled && std::find(urls.begin(), urls.end(), domain.broker_url) == urls.end()) {
            urls.push_back(domain.broker_url);
        }
    }
    return urls;
}

void check_backends(config::Loaded &loaded) {
    if (!loaded.problems.empty()) {
        return; // everything else would only be noise
    }
    const auto where = [&](const std::string &key) {
        const auto found = std::find_if(loaded.settings.begin(), loaded.settings.end(),
                                        [&](const config::Setting &setting) { return setting.key == key; });
        return found == loaded.settings.end() ? key : found->source;
    };
    const auto add = [&](const std::string &key, const std::optional<std::string> &problem) {
        if (problem) {
            loaded.problems.push_back({where(key), problem->starts_with(key) ? *problem : key + ": " + *problem});
        }
    };
    const config::HostConfig &config = loaded.config;
    if (!config.broker_url.empty()) {
        add("broker.url", broker_problem(config.broker_url));
    }
    for (const config::DomainConfig &domain : config.domains) {
        if (domain.enabled && domain.broker_url != config.broker_url) {
            auto problem = broker_problem(domain.broker_url);
            constexpr std::string_view kHosts = "broker.url: ";
            if (problem && problem->starts_with(kHosts)) {
                problem->erase(0, kHosts.size());
            }
            add("domains." + domain.name + ".redis.url", problem);
        }
    }
    add("store.url", store_problem(config));
}

Brokers open_brokers(const config::HostConfig &config) {
    Brokers brokers;
    for (const std::string &url : broker_urls(config)) {
        brokers[url] = open(config, url);
    }
    return brokers;
}

Brokers open_existing_brokers(const config::HostConfig &config) {
    Brokers brokers;
    for (const std::string &url : broker_urls(config)) {
        brokers[url] = open_existing(config, url);
    }
    return brokers;
}

std::unique_ptr<broker::Broker> open_broker(const config::HostConfig &config, const std::string &topic) {
    return open(config, broker_url(config, topic));
}

std::unique_ptr<broker::Broker> open_broker_at(const config::HostConfig &config, const std::string &url) { return open(config, url); }

std::unique_ptr<broker::Broker> open_existing_broker_at(const config::HostConfig &config, const std::string &url) {
    return open_existing(config, url);
}

std::unique_ptr<broker::Broker> open_existing_broker(const config::HostConfig &config, const std::string &topic) {
    return open_existing(config, broker_url(config, topic));
}

std::unique_ptr<store::Store> open_store(const config::HostConfig &config) {
    if (const auto problem = store_problem(config)) {
        throw Failure(Exit::configuration, "store.url (WEIR_STORE_URL): " + *problem);
    }
    if (names_postgresql(config.store_url)) {
        store::postgresql::PostgresqlOptions options;
        postgresql_options(config, options);
        return store::postgresql::open_postgresql_store(options);
    }
    std::string reason;
    return store::sqlite::open_sqlite_store(*store::sqlite::parse_sqlite_url(config.store_url, reason));
}

std::string broker_guarantee(const config::HostConfig &config, const std::string &url) {
    try {
        if (const auto broker = open_existing(config, url)) {
            return broker->guarantee();
        }
    } catch (const broker::Unavailable &failure) {
        return std::string("not known, it can't be reached now (") + failure.what() + ")";
    } catch (const broker::Misconfigured &failure) {
        return std::string("none as it is: ") + failure.what();
    }
    // It depends on the options alone, so one that is thrown away says the same.
    std::string place = (fs::temp_directory_path() / "weir-XXXXXX").string();
    if (!mkdtemp(place.data())) {
        throw Failure(Exit::unavailable, place + " can't be made; set TMPDIR to a directory that can be written");
    }
    broker::EmbeddedOptions options = embedded_options(url);
    options.file = fs::path(place) / "broker.db";
    const std::string guarantee = broker::open_embedded_broker(options)->guarantee();
    std::error_code ignored;
    fs::remove_all(place, ignored);
    return guarantee;
}

std::vector<health::Finding> examine_broker(const config::HostConfig &config, const std::string &url,
                                            const std::vector<std::string> &topics) {
    return broker::examine_redis(redis_options(config, url), topics);
}

std::vector<health::Finding> examine_store(const config::HostConfig &config, const std::vector<std::string> &schemas) {
    store::postgresql::PostgresqlOptions options;
    postgresql_options(config, options);
    return store::postgresql::examine_postgresql(options, schemas);
}

std::string store_guarantee(const config::HostConfig &config) {
    try {
        return open_store(config)->guarantee();
    } catch (const store::Misconfigured &failure) {
        return std::string("none as it is: ") + failure.what();
    } catch (const store::Unavailable &failure) {
        return std::string("not known, it can't be reached now (") + failure.what() + ")";
    } catch (const store::SchemaWrong &failure) {
        return std::string("none as it is: ") + failure.what();
    }
}

} // namespace weir::cli
