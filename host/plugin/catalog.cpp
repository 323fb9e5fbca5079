// SPDX-License-Identifier: Apache-2.0
#include "plugin/catalog.hpp"

#include "log/log.hpp"
#include "plugin/directory_watch.hpp"
#include "plugin/loading.hpp"
#include "plugin/private_directory.hpp"
#include "plugin/watched_file.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <thread>

namespace weir::plugin {

namespace {

namespace fs = std::filesystem;
using Clock = WatchedFile::Clock;
using std::chrono::milliseconds;

/// Between two looks at a file that changed. A writer that pauses longer is recognised by the file being open, or by its being cut off.
constexpr milliseconds kSettle{25};
/// The same where the file system can't tell whether somebody writes.
constexpr milliseconds kSettleBlind{300};
/// How long a file that looks cut off must have been at rest before it counts as broken and not as incomplete.
constexpr milliseconds kPatience{1000};
/// A file that was last written this long before the start is at rest without a second look.
constexpr milliseconds kOldEnough{2000};
/// A file must be away this long to be gone: `install` and `cp --remove-destination` delete the old one before they write the new one.
constexpr milliseconds kGoneAfter{300};
/// How long `start` waits for files that are just arriving.
constexpr milliseconds kStartPatience{400};
/// After which a refusal whose cause lies outside of the file is looked into again.
constexpr milliseconds kRetry{2000};

bool depends_on_surroundings(const std::string &code) {
    static const std::set<std::string> codes{"missing_library", "unreadable",   "copy_failed",  "writable_by_others",
                                             "foreign_owner",   "trial_failed", "hangs_on_load"};
    return codes.contains(code);
}

bool is_plugin_name(const std::string &name) { return name.size() > 3 && name.ends_with(".so") && name.front() != '.'; }

/// The candidates' names; nothing where the directory does not answer, which says nothing about what is in it.
std::optional<std::set<std::string>> list(const fs::path &directory) {
    std::set<std::string> names;
    std::error_code error;
    fs::directory_iterator each(directory, error);
    if (error) {
        const bool missing = error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
        return missing ? std::optional(names) : std::nullopt;
    }
    for (; each != fs::directory_iterator(); each.increment(error)) {
        if (std::string name = each->path().filename().string(); is_plugin_name(name)) {
            names.insert(std::move(name));
        }
        if (error) {
            return std::nullopt;
        }
    }
    return error ? std::nullopt : std::optional(names);
}

} // namespace

struct Catalog::State {
    State(CatalogOptions chosen, CatalogListener told)
        : options(std::move(chosen)), listener(std::move(told)),
          watch(options.directory, options.use_inotify), loading{options.private_directory, options.known_event_types,
                                                                 options.trial_command, options.trial_deadline} {}

    CatalogOptions options;
    CatalogListener listener;
    DirectoryWatch watch;
    LoadOptions loading;
    std::map<std::string, WatchedFile> files;         ///< by file name
    std::map<std::string, std::string> owners;        ///< plugin's name -> the file that serves it
    std::map<std::string, std::uint32_t> generations; ///< plugin's name -> the last one's number
    std::thread thread;

    void run() {
        while (watch.wait(busy() ? kSettle : options.poll_interval)) {
            try {
                look_around();
            } catch (const std::exception &failure) { // no memory, no thread, no descriptor: what lies there is looked at again
                log::error("plugin.watch_failed", "The plugin directory could not be looked at; it is tried again",
                           {{"directory", options.directory.string()}, {"reason", failure.what()}});
            }
        }
    }

    /// Whether something is on its way, so that the next look must come soon.
    bool busy() const {
        return std::any_of(files.begin(), files.end(), [](const auto &each) { return each.second.absent || !each.second.settled; });
    }

    void look_around() {
        const auto names = list(options.directory);
        if (!names) {
            return;
        }
        for (auto &[name, file] : files) {
            if (!names->contains(name)) {
                mark_absent(file);
            }
        }
        for (const std::string &name : *names) {
            look_at_file(name, files[name]);
        }
        for (auto each = files.begin(); each != files.end();) {
            each = each->second.absent && Clock::now() - each->second.absent_since >= kGoneAfter ? forget(each) : std::next(each);
        }
    }

    static void mark_absent(WatchedFile &file) {
        if (!file.absent) {
            file.absent = true;
            file.absent_since = Clock::now();
        }
    }

    std::map<std::string, WatchedFile>::iterator forget(std::map<std::string, WatchedFile>::iterator each) {
        const std::string plugin = each->second.serving;
        each = files.erase(each);
        if (!plugin.empty()) {
            give_up(plugin);
        }
        return each;
    }

    /// Nobody serves a plugin any longer; a file that was refused for its sake gets its chance.
    void give_up(const std::string &plugin) {
        owners.erase(plugin);
        tell([&] { listener.removed(plugin); }, listener.removed != nullptr);
        for (auto &[name, file] : files) {
            if (file.refused_code == "duplicate_plugin") {
                file.settled = false;
                file.look_again = Clock::now();
            }
        }
    }

    void look_at_file(const std::string &name, WatchedFile &file) {
        Look look;
        const Presence presence = look_at(options.directory / name, look);
        if (presence != Presence::present) {
            if (presence == Presence::absent) {
                mark_absent(file);
            }
            return;
        }
        file.absent = false;
        const auto now = Clock::now();
        if (look != file.look) {
            const bool first = file.look.size < 0;
            file.look = look;
            file.looks_so_since = now;
            file.settled = false;
            file.look_again = now + kSettle;
            if (first && is_old(look)) {
                file.looks_so_since -= kOldEnough;
                file.look_again = now;
            }
        }
        const bool again = file.settled && depends_on_surroundings(file.refused_code) && now >= file.look_again;
        if (again || (!file.settled && now >= file.look_again)) {
            take(name, file);
        }
    }

    static bool is_old(const Look &look) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        return std::chrono::nanoseconds(look.modified_ns) + kOldEnough < now &&
               std::chrono::nanoseconds(look.changed_ns) + kOldEnough < now;
    }

    /// Deals with a file that looked the same twice. Leaves it unsettled where it turns out not to be at rest.
    void take(const std::string &name, WatchedFile &file) {
        const auto now = Clock::now();
        file.look_again = now + kSettle;
        Candidate candidate;
        std::optional<PluginRefusal> refusal = read_candidate(options.directory / name, candidate);
        const auto rest = now - file.looks_so_since;
        Look look;
        if (!refusal && (candidate.being_written || (!candidate.writers_known && rest < kSettleBlind) ||
                         look_at(options.directory / name, look) != Presence::present || look != file.look)) {
            return;
        }
        if (!refusal && !file.serving.empty() && candidate.content_hash == file.serving_hash) {
            settle(file);
            return;
        }
        if (!refusal && take_over(name, file, candidate.content_hash)) {
            return;
        }
        if (!refusal) {
            refusal = check_candidate(candidate, Trust::owners_only);
        }
        if (refusal && may_be_incomplete(*refusal) && rest < kPatience) {
            return;
        }
        PluginRefusal why;
        std::shared_ptr<LoadedModule> module;
        if (!refusal) {
            module = load_candidate(
                candidate, loading, [&](const std::string &plugin) { return may_have(name, plugin); }, why);
        }
        if (module) {
            serve(name, file, module, candidate.content_hash);
        } else {
            refuse(file, refusal ? *refusal : why, candidate.content_hash);
        }
    }

    static void settle(WatchedFile &file) {
        file.settled = true;
        file.said.clear();
        file.refused_code.clear();
    }

    /// A file that was renamed: the same content goes on under its new name, without a new generation.
    bool take_over(const std::string &name, WatchedFile &file, std::uint64_t hash) {
        for (auto &[other_name, other] : files) {
            if (other.absent && !other.serving.empty() && other.serving_hash == hash && file.serving.empty()) {
                file.serving = std::exchange(other.serving, std::string());
                file.serving_hash = hash;
                owners[file.serving] = name;
                settle(file);
                return true;
            }
        }
        return false;
    }

    std::optional<PluginRefusal> may_have(const std::string &name, const std::string &plugin) const {
        const auto owner = owners.find(plugin);
        if (owner == owners.end() || owner->second == name || files.at(owner->second).absent) {
            return std::nullopt;
        }
        return PluginRefusal{options.directory / name, "duplicate_plugin",
                             "it is the plugin " + plugin + ", which " + (options.directory / owner->second).string() + " serves already",
                             "keep one of the two files in the plugin directory"};
    }

    void serve(const std::string &name, WatchedFile &file, const std::shared_ptr<LoadedModule> &module, std::uint64_t hash) {
        const std::string plugin = module->description().name;
        if (const auto owner = owners.find(plugin); owner != owners.end() && owner->second != name) {
            files.at(owner->second).serving.clear(); // it is gone, and this is its successor
        }
        const std::string before = std::exchange(file.serving, plugin);
        file.serving_hash = hash;
        settle(file);
        if (!before.empty() && before != plugin) {
            give_up(before);
        }
        owners[plugin] = name;
        module->set_generation(++generations[plugin]);
        tell([&] { listener.loaded(module); }, listener.loaded != nullptr);
    }

    void refuse(WatchedFile &file, const PluginRefusal &refusal, std::uint64_t hash) {
        file.settled = true;
        file.refused_code = refusal.code;
        file.look_again = Clock::now() + kRetry;
        std::string saying = std::to_string(hash) + refusal.code + refusal.message;
        if (file.said == saying) {
            return;
        }
        file.said = std::move(saying);
        tell([&] { listener.refused(refusal); }, listener.refused != nullptr);
    }

    /// A listener that throws must not end the watching.
    template <typename Call> static void tell(Call call, bool wanted) {
        if (!wanted) {
            return;
        }
        try {
            call();
        } catch (const std::exception &error) {
            log::error("plugin.listener_failed", error.what());
        }
    }
};

Catalog::Catalog(CatalogOptions options, CatalogListener listener)
    : state_(std::make_unique<State>(std::move(options), std::move(listener))) {}

Catalog::~Catalog() {
    state_->watch.stop();
    if (state_->thread.joinable()) {
        state_->thread.join();
    }
}

void Catalog::start() {
    State &state = *state_;
    PrivateDirectory::of(state.options.private_directory);
    const auto end = Clock::now() + kStartPatience;
    state.look_around();
    while (state.busy() && Clock::now() < end && state.watch.wait(kSettle)) {
        state.look_around();
    }
    state.thread = std::thread([&state] { state.run(); });
}

} // namespace weir::plugin
