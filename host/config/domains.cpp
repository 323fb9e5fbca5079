// SPDX-License-Identifier: Apache-2.0
#include "domains.hpp"

#include "text.hpp"

#include <algorithm>
#include <set>

namespace weir::config {

namespace {

/// A domain's object before it is read, and where it stands.
struct Found {
    const Document *document = nullptr;
    std::string pointer;
    std::string name; ///< from the host file's object; empty: its own "service.domain"
    std::filesystem::path file;
};

/// A domain that has been read, with the places of what is compared between domains.
struct Read {
    DomainConfig config;
    std::string place;
    std::string redis_place; ///< of its redis.url; empty: it has none, or none that counts
};

void find_in_directory(const std::filesystem::path &directory, Load &load, std::vector<Found> &found) {
    const DomainFiles files = read_domain_files(directory);
    load.fingerprint.add(files);
    if (!files.failure.empty()) {
        load.problems.push_back({directory.string(), files.failure});
    }
    for (const FileText &file : files.files) {
        if (std::optional<Document> document = parse_document(file, load.problems)) {
            found.push_back({&load.documents.emplace_back(std::move(*document)), {}, {}, file.file});
        }
    }
}

void find_in_host_file(const Leaf &own, Load &load, std::vector<Found> &found) {
    if (own.value.is_object()) {
        for (const auto &[name, value] : own.value.items()) {
            const std::string pointer = own.pointer + join_pointer({}, name);
            const std::string wrong = check_name(Type::domain_name, name);
            if (!wrong.empty()) {
                load.problems.push_back({own.document->where(pointer), "the domain is " + in_quotes(name) + ": " + wrong});
                continue;
            }
            found.push_back({own.document, pointer, name, {}});
        }
    } else if (own.value.is_array()) {
        for (std::size_t i = 0; i < own.value.size(); ++i) {
            found.push_back({own.document, own.pointer + "/" + std::to_string(i), {}, {}});
        }
    } else {
        load.problems.push_back({own.where(), "domains must be an object by domain name, or an array of domains"});
    }
}

class DomainReading {
public:
    DomainReading(const Found &found, const BrokerChoice &broker, Load &load, const EngineConfig &engine)
        : found_(found), broker_(broker), load_(load) {
        out_.config.engine = engine;
        out_.config.file = found.file;
        out_.place = found.document->where(found.pointer);
    }

    std::optional<Read> run() {
        const nlohmann::json &object = found_.document->root.at(nlohmann::json::json_pointer(found_.pointer));
        if (!object.is_object()) {
            load_.problems.push_back({out_.place, "a domain must be an object: write {\"service\": {\"domain\": \"NAME\"}, ...}"});
            return std::nullopt;
        }
        collect(domain_keys(), *found_.document, object, found_.pointer, load_, leaves_);
        if (!name()) {
            return std::nullopt;
        }
        prefix_ = "domains." + out_.config.name;
        override_from_environment(domain_keys(), prefix_, load_, leaves_);
        for (const Key &key : domain_keys()) {
            if (!key.path.starts_with("engine.")) {
                key_of(key);
            }
        }
        read_engine(domain_keys(), prefix_, leaves_, false, load_, out_.config.engine);
        return std::move(out_);
    }

private:
    bool name() {
        const auto &keys = domain_keys();
        const auto key = std::find_if(keys.begin(), keys.end(), [](const Key &one) { return one.path == "service.domain"; });
        const auto leaf = leaves_.find("service.domain");
        Value value;
        if (leaf == leaves_.end()) {
            if (found_.name.empty()) {
                load_.problems.push_back(
                    {found_.document->where(found_.pointer + "/service/domain"), "is missing: write \"service\": {\"domain\": \"NAME\"}"});
                return false;
            }
            out_.config.name = found_.name;
            return true;
        }
        if (!read(*key, leaf->second, load_, value)) {
            return false;
        }
        if (!found_.name.empty() && value.text != found_.name) {
            load_.problems.push_back({leaf->second.where(), "service.domain is " + in_quotes(value.text) + " but stands under the name " +
                                                                in_quotes(found_.name) + ": write the same, or leave it out"});
            return false;
        }
        out_.config.name = value.text;
        return true;
    }

    void key_of(const Key &key) {
        const std::string setting = prefix_ + "." + std::string(key.path);
        const auto found = leaves_.find(std::string(key.path));
        if (found == leaves_.end()) {
            note_default(key, setting);
            return;
        }
        const Leaf &leaf = found->second;
        Value value;
        if (!read(key, leaf, load_, value)) {
            return;
        }
        std::string source = leaf.source;
        DomainConfig &config = out_.config;
        if (key.path == "enabled") {
            config.enabled = value.boolean;
        } else if (key.path == "service.name") {
            config.service_name = value.text;
        } else if (key.path == "service.schema") {
            config.schema = value.text;
        } else if (key.path == "plugin") {
            config.plugin = value.text;
        } else if (key.path == "redis.url") {
            if (broker_.chosen) {
                source += ", not used: broker.url is set (" + broker_.source + ")";
            } else {
                config.broker_url = value.text;
                config.broker_url_set_by = leaf.variables();
                out_.redis_place = leaf.where();
            }
        } else if (key.path == "consumer_group") {
            config.group = value.text;
        } else if (key.path == "topics") {
            config.topics = value.list;
        } else if (key.path == "order") {
            config.parallel = value.text == "parallel";
        } else if (key.path == "bindings") {
            config.bindings = read_bindings(leaf, config.topics, load_);
        } else if (key.path == "settings") {
            config.settings_json = value.text;
            config.settings_set_by = leaf.set_by;
        }
        load_.settings.push_back({setting, display(key, leaf, value), source});
    }

    /// What stands in for a key that nobody set; those that have nothing to show are left out.
    void note_default(const Key &key, const std::string &setting) {
        if (key.path == "service.name") {
            out_.config.service_name = out_.config.name;
            load_.settings.push_back({setting, out_.config.name, "default: the domain's name"});
        } else if (key.path == "service.domain") {
            load_.settings.push_back({setting, out_.config.name, found_.document->file.string()});
        } else if (key.path == "service.schema" || key.path == "consumer_group" || key.path == "order" || key.path == "topics") {
            load_.settings.push_back({setting, "", "default: the plugin's"});
        } else if (key.path == "plugin") {
            load_.settings.push_back({setting, "", "default: the plugin made for " + out_.config.name + ", else plugins.default"});
        } else if (!key.default_text.empty()) {
            load_.settings.push_back({setting, std::string(key.default_text), "default"});
        }
    }

    const Found &found_;
    const BrokerChoice &broker_;
    Load &load_;
    Leaves leaves_;
    Read out_;
    std::string prefix_;
};

/// What two domains must not share: a name; a schema (one ledger would decide for both); a group on a topic (each would get a part of the
/// events).
void check_together(const std::vector<Read> &domains, Load &load) {
    for (std::size_t i = 0; i < domains.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            const DomainConfig &first = domains[j].config;
            const DomainConfig &second = domains[i].config;
            const auto refuse = [&](const std::string &what) { load.problems.push_back({domains[i].place, what}); };
            if (first.name == second.name) {
                refuse("the domain " + in_quotes(first.name) + " is also configured in " + domains[j].place + ": keep one of them");
                continue;
            }
            if (!first.enabled || !second.enabled) {
                continue;
            }
            if (!first.schema.empty() && first.schema == second.schema) {
                refuse("service.schema is " + in_quotes(first.schema) + ", as in " + domains[j].place +
                       ": give each domain a schema of its own, or an event that one has applied counts as applied for the other");
            }
            const bool shared = std::any_of(first.topics.begin(), first.topics.end(), [&](const std::string &topic) {
                return std::find(second.topics.begin(), second.topics.end(), topic) != second.topics.end();
            });
            if (shared && !first.group.empty() && first.group == second.group) {
                refuse("consumer_group is " + in_quotes(first.group) + " on a topic that " + domains[j].place +
                       " reads in the same group: give each domain a group of its own, or each gets only a part of the events");
            }
        }
    }
}

/// The host's broker, where nobody chose it: the one that the domains name. Each gets the broker that counts for it.
void settle_brokers(const BrokerChoice &broker, std::vector<Read> &domains, Load &load, HostConfig &host) {
    const Read *first = nullptr;
    const Read *different = nullptr;
    for (const Read &domain : domains) {
        if (broker.chosen || !domain.config.enabled || domain.config.broker_url.empty()) {
            continue;
        }
        if (first == nullptr) {
            first = &domain;
        } else if (different == nullptr && domain.config.broker_url != first->config.broker_url) {
            different = &domain;
        }
    }
    if (first != nullptr) {
        host.broker_from_domains = true;
        host.broker_url = different == nullptr ? first->config.broker_url : "";
        for (Setting &setting : load.settings) {
            if (setting.key == "broker.url") {
                setting.value = mask_url(host.broker_url);
                setting.source = different == nullptr ? "redis.url of " + first->config.name + ", " + first->redis_place
                                                      : "default: each domain's redis.url, they differ";
            }
        }
    }
    for (Read &domain : domains) {
        if (different != nullptr && domain.config.enabled && domain.config.broker_url.empty()) {
            load.problems.push_back(
                {domain.place, "has no redis.url, and other domains name different servers (" + first->redis_place + "; " +
                                   different->redis_place +
                                   "): write its \"redis\": {\"url\": ...}, or set broker.url in the host file for all"});
        }
        if (domain.config.broker_url.empty()) {
            domain.config.broker_url = host.broker_url;
        }
    }
}

} // namespace

void read_engine(const std::vector<Key> &keys, const std::string &prefix, const Leaves &leaves, bool note_defaults, Load &load,
                 EngineConfig &engine) {
    for (const Key &key : keys) {
        if (!key.path.starts_with("engine.")) {
            continue;
        }
        const auto found = leaves.find(std::string(key.path));
        if (found == leaves.end() && !note_defaults) {
            continue; // a domain that keeps the host's
        }
        const Leaf leaf = found != leaves.end()
                              ? found->second
                              : Leaf{std::string(key.default_text), nullptr, std::string(key.path), "default", true, false};
        Value value;
        if (!read(key, leaf, load, value)) {
            continue;
        }
        const auto number = static_cast<std::uint32_t>(value.integer);
        const std::string_view name = key.path.substr(std::string_view("engine.").size());
        if (name == "batch_max_events") {
            engine.batch_max_events = number;
        } else if (name == "batch_max_bytes") {
            engine.batch_max_bytes = static_cast<std::uint64_t>(value.integer);
        } else if (name == "read_max_events") {
            engine.read_max_events = number;
        } else if (name == "read_wait_ms") {
            engine.read_wait_ms = number;
        } else if (name == "retry_delays_ms") {
            engine.retry_delays_ms.assign(value.integers.begin(), value.integers.end());
        } else if (name == "max_retries") {
            engine.max_retries = number;
        } else if (name == "shards") {
            engine.shards = number;
        } else if (name == "hold_max_events") {
            engine.hold_max_events = number;
        } else if (name == "hold_max_bytes") {
            engine.hold_max_bytes = static_cast<std::uint64_t>(value.integer);
        } else if (name == "handler_budget_ms") {
            engine.handler_budget_ms = number;
        } else if (name == "crash_limit") {
            engine.crash_limit = number;
        } else if (name == "lease_ttl_ms") {
            engine.lease_ttl_ms = number;
        } else if (name == "drain_timeout_ms") {
            engine.drain_timeout_ms = number;
        } else if (name == "ledger_horizon_hours") {
            engine.ledger_horizon_hours = number;
        }
        load.settings.push_back({join_path(prefix, key.path), display(key, leaf, value), leaf.source});
    }
}

void read_domains(const Leaf *own, const BrokerChoice &broker, Load &load, HostConfig &host) {
    std::vector<Found> found;
    if (own != nullptr) {
        find_in_host_file(*own, load, found);
    }
    if (!host.domains_directory.empty()) {
        find_in_directory(host.domains_directory, load, found);
    }
    std::vector<Read> domains;
    for (const Found &one : found) {
        if (std::optional<Read> domain = DomainReading(one, broker, load, host.engine).run()) {
            domains.push_back(std::move(*domain));
        }
    }
    check_together(domains, load);
    settle_brokers(broker, domains, load, host);
    for (Read &domain : domains) {
        host.domains.push_back(std::move(domain.config));
    }
    std::sort(host.domains.begin(), host.domains.end(), [](const DomainConfig &a, const DomainConfig &b) { return a.name < b.name; });
}

} // namespace weir::config
