// SPDX-License-Identifier: Apache-2.0
#include "domains.hpp"
#include "http.hpp"
#include "text.hpp"
#include "urls.hpp"

#include <algorithm>

namespace weir::config {

namespace {

/// The host's own keys, read one by one; then what depends on others.
class HostReading {
public:
    HostReading(const std::filesystem::path &file, const std::map<std::string, std::string> &environment) : load_(environment) {
        host_.file = file;
    }

    Loaded run() {
        std::error_code failure;
        load_.base =
            host_.file.empty() ? std::filesystem::current_path(failure) : std::filesystem::absolute(host_.file, failure).parent_path();
        if (!host_.file.empty()) {
            const FileText text = read_text(host_.file);
            load_.fingerprint.add(text);
            std::optional<Document> document = parse_document(text, load_.problems);
            if (!document) {
                return finish(); // everything else would only be noise
            }
            const Document &kept = load_.documents.emplace_back(std::move(*document));
            collect(host_keys(), kept, kept.root, {}, load_, leaves_);
        }
        override_from_environment(host_keys(), {}, load_, leaves_);
        for (const Key &key : host_keys()) {
            if (!key.path.starts_with("engine.") && !key.path.starts_with("http.")) {
                key_of(key);
            }
        }
        fill_places();
        if (host_.store.pool_min > host_.store.pool_max) {
            const auto least = leaves_.find("store.pool.min");
            const Leaf &leaf = least != leaves_.end() ? least->second : leaves_.at("store.pool.max");
            load_.problems.push_back({leaf.where(), "store.pool.min is " + std::to_string(host_.store.pool_min) +
                                                        ", more than store.pool.max, " + std::to_string(host_.store.pool_max) +
                                                        ": lower the one or raise the other"});
        }
        read_http(leaves_, load_, host_.http);
        read_engine(host_keys(), {}, leaves_, true, load_, host_.engine);
        const auto own = leaves_.find("domains");
        read_domains(own == leaves_.end() ? nullptr : &own->second, broker_, load_, host_);
        load_.environment.refuse_unknown(load_.problems);
        return finish();
    }

private:
    Loaded finish() { return {std::move(host_), std::move(load_.problems), std::move(load_.settings), load_.fingerprint.text()}; }

    void key_of(const Key &key) {
        if (key.type == Type::domains) {
            return;
        }
        const auto found = leaves_.find(std::string(key.path));
        const bool set = found != leaves_.end();
        if (!set && key.default_text.empty()) {
            set_place(key, "");
            return;
        }
        const Leaf leaf = set ? found->second : Leaf{std::string(key.default_text), nullptr, std::string(key.path), "default", true, false};
        Value value;
        if (!read(key, leaf, load_, value)) {
            return;
        }
        if (key.path == "data_directory") {
            data_directory_ = value.text;
        } else if (key.path == "broker.url") {
            host_.broker_url = value.text;
            host_.broker_url_set_by = leaf.variables();
            broker_ = {set, leaf.source};
        } else if (key.path == "store.url") {
            host_.store_url = value.text;
            host_.store_url_set_by = leaf.variables();
        } else if (key.path == "store.pool.min") {
            host_.store.pool_min = static_cast<std::uint32_t>(value.integer);
        } else if (key.path == "store.pool.max") {
            host_.store.pool_max = static_cast<std::uint32_t>(value.integer);
        } else if (key.path == "store.roles") {
            host_.store.roles = value.boolean;
        } else if (key.path == "store.statement_timeout_ms") {
            host_.store.statement_timeout_ms = static_cast<std::uint32_t>(value.integer);
        } else if (key.path == "store.lock_timeout_ms") {
            host_.store.lock_timeout_ms = static_cast<std::uint32_t>(value.integer);
        } else if (key.path == "plugins.default") {
            host_.default_plugin = value.text == "none" ? "" : value.text;
        } else if (key.path == "plugins.serve_defaults") {
            host_.plugin_defaults = value.boolean;
        } else if (key.path == "plugins.poll_interval_ms") {
            host_.plugins_poll_ms = static_cast<std::uint32_t>(value.integer);
        } else if (key.path == "plugins.inotify") {
            host_.plugins_inotify = value.boolean;
        } else if (key.path == "log.level") {
            host_.log_level = value.text;
        } else if (key.path == "log.format") {
            host_.log_format = value.text;
        } else {
            set_place(key, value.text);
        }
        load_.settings.push_back({std::string(key.path), display(key, leaf, value), leaf.source});
    }

    void set_place(const Key &key, const std::string &path) {
        if (key.path == "plugins.directory") {
            host_.plugins_directory = path;
        } else if (key.path == "domains_directory") {
            host_.domains_directory = path;
        } else if (key.path == "state_directory") {
            host_.state_directory = path;
        } else if (key.path == "contracts_directory") {
            host_.contracts_directory = path;
        }
        if (path.empty()) {
            load_.settings.push_back({std::string(key.path), "", "default"});
        }
    }

    void show(std::string_view key, const std::string &value) {
        for (Setting &setting : load_.settings) {
            if (setting.key == key) {
                setting.value = value;
            }
        }
    }

    void fill(Type type, std::string_view key, const std::filesystem::path &place, std::string &url) {
        const std::string before = url;
        fill_default_place(type, place, url);
        if (url != before) {
            show(key, mask_url(url));
        }
    }

    /// Places that follow from others.
    void fill_places() {
        fill(Type::broker_url, "broker.url", data_directory_ / "broker.db", host_.broker_url);
        fill(Type::store_url, "store.url", data_directory_ / "store", host_.store_url);
        if (host_.state_directory.empty()) {
            host_.state_directory = data_directory_ / "state";
            show("state_directory", host_.state_directory.string());
        }
        if (host_.plugins_directory.empty()) {
            host_.plugins_directory = default_plugins_directory();
            show("plugins.directory", host_.plugins_directory.string());
        }
    }

    Load load_;
    Leaves leaves_;
    HostConfig host_;
    BrokerChoice broker_;
    std::filesystem::path data_directory_;
};

} // namespace

Loaded load(const std::filesystem::path &host_file, const std::map<std::string, std::string> &environment) {
    return HostReading(host_file, environment).run();
}

std::filesystem::path default_plugins_directory() {
    std::error_code failure;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", failure);
    const std::filesystem::path root = program.parent_path().parent_path();
    const std::filesystem::path installed = root / "lib" / "weir" / "plugins";
    if (std::filesystem::is_directory(installed, failure)) {
        return installed;
    }
    return root / "plugins";
}

std::string guarantee(const HostConfig &host, const DomainConfig &domain, std::string_view broker_guarantee,
                      std::string_view store_guarantee, bool parallel) {
    if (!domain.enabled) {
        return domain.name + ": not served (enabled is false)";
    }
    std::string line = domain.name + ": each event takes effect exactly once, or is a dead letter with its reason";
    line += parallel ? "; in no order between events (order: parallel)" : "; events of one key in topic order";
    line += "; broker: ";
    line += broker_guarantee;
    line += "; store: ";
    line += store_guarantee;
    (void)host;
    return line;
}

} // namespace weir::config
