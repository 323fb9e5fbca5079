// SPDX-License-Identifier: Apache-2.0
#include "serving.hpp"
#include "plan.hpp"
#include "suggest.hpp"

#include "engine/supervisor.hpp"

#include <algorithm>
#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::cli {

namespace {

/// Directories that weren't there when a command began are gone when it has ended, as far as nothing is in them.
class Traceless {
public:
    explicit Traceless(std::filesystem::path directory) {
        std::error_code failure;
        for (directory = std::filesystem::absolute(directory, failure); !directory.empty() && !std::filesystem::exists(directory, failure);
             directory = directory.parent_path()) {
            missing_.push_back(directory);
        }
    }
    ~Traceless() {
        for (const std::filesystem::path &directory : missing_) {
            rmdir(directory.c_str()); // leaves what isn't empty
        }
    }
    Traceless(const Traceless &) = delete;
    Traceless &operator=(const Traceless &) = delete;

private:
    std::vector<std::filesystem::path> missing_; // the innermost first
};

/// A directory for the life of the process, where nothing of the host's is touched.
class OwnPlace {
public:
    OwnPlace() {
        std::string name = (std::filesystem::temp_directory_path() / "weir-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) {
            throw Failure(Exit::unavailable, "no directory can be made in " + std::filesystem::temp_directory_path().string() +
                                                 " for copies of plugins that are looked at; set TMPDIR to one that can be written");
        }
        path_ = name;
    }
    ~OwnPlace() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    OwnPlace(const OwnPlace &) = delete;
    OwnPlace &operator=(const OwnPlace &) = delete;
    const std::filesystem::path &path() const { return path_; }

private:
    std::filesystem::path path_;
};

bool is_own(const std::filesystem::path &directory) {
    struct stat about {};
    return stat(directory.c_str(), &about) == 0 && S_ISDIR(about.st_mode) && about.st_uid == geteuid() &&
           euidaccess(directory.c_str(), W_OK | X_OK) == 0;
}

/// In the state directory only where that is there and the caller's own: what a command makes must not be in the way of the host, which may
/// run as another user.
std::filesystem::path place_for_copies(const config::HostConfig &config) {
    const std::filesystem::path of_host = config.state_directory / "plugins";
    std::error_code ignored;
    const bool is_there = std::filesystem::exists(std::filesystem::symlink_status(of_host, ignored));
    if (is_own(config.state_directory) && (!is_there || is_own(of_host))) {
        return of_host;
    }
    static const OwnPlace own; // before the first copy is made, so that it goes after the last one
    return own.path() / "plugins";
}

/// Which key keeps a domain from being served, and where it is.
std::string switched_off(const config::DomainConfig &domain, const config::HostConfig &config) {
    std::string variable = "WEIR_DOMAINS_" + domain.name + "_ENABLED";
    std::transform(variable.begin(), variable.end(), variable.begin(),
                   [](char c) { return c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c))); });
    const std::filesystem::path &file = domain.file.empty() ? config.file : domain.file;
    return "its configuration switches it off: \"enabled\" is false (" + (file.empty() ? "" : file.string() + ", or ") + variable + ")";
}

} // namespace

plugin::LoadOptions load_options(const config::HostConfig &config, const Context &context, const event::Contracts &contracts) {
    plugin::LoadOptions options;
    options.private_directory = place_for_copies(config);
    static const Traceless traceless(options.private_directory); // goes after the copies in it, which were made later
    options.known_event_types = contracts.event_types();
    options.trial_command = {context.program.string(), "plugin-trial"};
    return options;
}

std::vector<std::filesystem::path> plugin_files(const std::filesystem::path &directory) {
    std::vector<std::filesystem::path> files;
    std::error_code failure;
    for (std::filesystem::directory_iterator at(directory, failure), end; !failure && at != end; at.increment(failure)) {
        const std::string name = at->path().filename().string();
        if (name.ends_with(".so") && name.front() != '.') {
            files.push_back(at->path());
        }
    }
    if (failure && failure != std::errc::no_such_file_or_directory) {
        throw Failure(Exit::unavailable, "plugins.directory: " + directory.string() + " can't be read: " + failure.message() +
                                             "; ask as the user that runs Weir, or as root");
    }
    std::sort(files.begin(), files.end());
    return files;
}

Serving find_serving(const config::HostConfig &config, const Context &context, const event::Contracts &contracts) {
    Serving serving;
    const plugin::LoadOptions options = load_options(config, context, contracts);
    engine::Supervisor supervisor({}, "cli");
    supervisor.pause(true); // it only decides; nothing starts
    for (const std::filesystem::path &file : plugin_files(config.plugins_directory)) {
        plugin::PluginRefusal refusal;
        if (auto module = plugin::load_file(file, options, refusal)) {
            serving.modules.push_back(module);
            supervisor.plugin_loaded(std::move(module));
        } else {
            serving.refused.push_back(std::move(refusal));
        }
    }
    for (const config::DomainConfig &domain : config.domains) {
        if (!domain.enabled) {
            serving.disabled[domain.name] = switched_off(domain, config);
        }
    }
    supervisor.apply(plan_of(config));
    for (auto &[name, wanted] : supervisor.planned(serving.unserved)) {
        serving.domains[name] = {wanted.spec, wanted.module};
    }
    return serving;
}

const Serving::Domain &domain_named(const Serving &serving, const std::string &name) {
    if (const auto found = serving.domains.find(name); found != serving.domains.end()) {
        return found->second;
    }
    if (const auto off = serving.disabled.find(name); off != serving.disabled.end()) {
        throw Failure(Exit::configuration, "domain '" + name + "' is not served: " + off->second +
                                               ". Its tables and dead letters stay as they are; set it to true first");
    }
    if (const auto why = serving.unserved.find(name); why != serving.unserved.end()) {
        throw Failure(Exit::configuration, "domain '" + name + "' is not served: " + why->second);
    }
    std::vector<std::string> names;
    std::string list;
    for (const auto &[known, domain] : serving.domains) {
        names.push_back(known);
        list += (list.empty() ? "" : ", ") + known;
    }
    const std::string hint = nearest(name, names);
    throw Failure(Exit::usage, "there is no domain '" + name + "'" + (hint.empty() ? "" : " (did you mean '" + hint + "'?)") +
                                   "; this configuration and its plugins give: " + (list.empty() ? "none" : list));
}

} // namespace weir::cli
