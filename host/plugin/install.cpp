// SPDX-License-Identifier: Apache-2.0
#include "plugin/install.hpp"

#include "plugin/candidate.hpp"
#include "plugin/descriptor_reader.hpp"
#include "plugin/file_write.hpp"
#include "plugin/owned_descriptor.hpp"
#include "plugin/private_directory.hpp"
#include "plugin/trial.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::plugin {

namespace {

namespace fs = std::filesystem;

constexpr mode_t kPluginMode = 0644;

[[noreturn]] void fail(const std::string &what, const fs::path &path, int error) {
    throw PluginEnvironmentError("cannot " + what + " " + path.string() + ": " + std::generic_category().message(error) +
                                 "; change plugins_directory, or its owner and rights");
}

void make_directory(const fs::path &path) {
    if (mkdir(path.c_str(), 0755) != 0) {
        if (errno != EEXIST) {
            fail("make", path, errno);
        }
        return;
    }
    chmod(path.c_str(), 0755); // whatever the umask: a group that may write would have it refused
}

void rename_durably(const fs::path &from, const fs::path &to) {
    if (rename(from.c_str(), to.c_str()) != 0) {
        fail("put in place", to, errno);
    }
    for (const fs::path &directory : {to.parent_path(), from.parent_path()}) {
        if (const int error = sync_directory(directory)) {
            fail("make durable", directory, error);
        }
    }
}

/// The directory, locked against other commands. Leftovers of killed ones are removed.
class Place {
public:
    explicit Place(const InstallOptions &options) : options_(options), previous_(options.directory / ".previous") {
        std::error_code ignored;
        fs::create_directories(options.directory.parent_path(), ignored);
        make_directory(options.directory);
        make_directory(previous_);
        const fs::path lock = previous_ / ".lock";
        lock_ = OwnedDescriptor(open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!lock_) {
            fail("lock", lock, errno);
        }
        while (flock(lock_.get(), LOCK_EX) != 0) {
            if (errno != EINTR) {
                fail("lock", lock, errno);
            }
        }
        for (const auto &entry : fs::directory_iterator(previous_, ignored)) {
            if (entry.path().extension() == ".part") {
                fs::remove(entry.path(), ignored);
            }
        }
    }

    fs::path current(const std::string &name) const { return options_.directory / (name + ".so"); }
    fs::path previous(const std::string &name) const { return previous_ / (name + ".so"); }

    /// A complete file on the disk, beside the previous ones, from where a rename puts it in place.
    fs::path stage(const std::string &name, std::span<const std::byte> bytes) const {
        const fs::path path = previous_ / (name + ".part");
        std::error_code ignored;
        fs::remove(path, ignored);
        if (const int error = write_new_file(path, bytes, kPluginMode, Durability::synced)) {
            fail("write", path, error);
        }
        return path;
    }

private:
    const InstallOptions &options_;
    fs::path previous_;
    OwnedDescriptor lock_;
};

/// Checks and tries a file without loading it into this process.
std::optional<PluginRefusal> try_out(const fs::path &file, const InstallOptions &options, Candidate &candidate, TrialReport &report) {
    if (auto refusal = read_settled(file, candidate)) {
        return refusal;
    }
    if (auto refusal = check_candidate(candidate, Trust::any)) {
        return refusal;
    }
    const auto directory = PrivateDirectory::of(options.private_directory);
    const fs::path copy = directory->write(file.filename().string(), candidate.bytes);
    const std::vector<std::string> own{"/proc/self/exe", "plugin-trial"};
    auto refusal = run_trial(options.trial_command.empty() ? own : options.trial_command, copy, file, options.trial_deadline, report);
    directory->discard(copy);
    return refusal;
}

/// The file in the directory, other than its proper one, that is the plugin `name`.
std::optional<fs::path> find_elsewhere(const std::string &name, const Place &place, const InstallOptions &options) {
    std::error_code ignored;
    for (const auto &entry : fs::directory_iterator(options.directory, ignored)) {
        const fs::path &path = entry.path();
        if (path.extension() != ".so" || path.filename().string().starts_with('.') || path == place.current(name)) {
            continue;
        }
        Candidate candidate;
        TrialReport report;
        if (!try_out(path, options, candidate, report) && report.name == name) {
            return path;
        }
    }
    return std::nullopt;
}

InstallResult refused(PluginRefusal refusal) {
    InstallResult result;
    result.file = refusal.file;
    result.message = refusal.file.string() + " is refused: " + refusal.message + "; " + refusal.remedy;
    result.refusal = std::move(refusal);
    return result;
}

std::optional<PluginRefusal> check_name(const std::string &name) {
    if (is_name(name, "-")) {
        return std::nullopt;
    }
    return PluginRefusal{name, "bad_name", "that is not a plugin's name",
                         "give the name as `weir plugin list` shows it, without a path and without .so"};
}

std::optional<Candidate> read_if_there(const fs::path &file) {
    Candidate candidate;
    std::error_code ignored;
    if (!fs::exists(file, ignored)) {
        return std::nullopt;
    }
    if (const auto refusal = read_settled(file, candidate)) {
        throw PluginEnvironmentError("cannot read " + file.string() + ": " + refusal->message);
    }
    return candidate;
}

} // namespace

InstallResult install_plugin(const fs::path &file, const InstallOptions &options) {
    Candidate candidate;
    TrialReport report;
    if (auto refusal = try_out(file, options, candidate, report)) {
        return refused(std::move(*refusal));
    }
    const Place place(options);
    if (const auto elsewhere = find_elsewhere(report.name, place, options)) {
        return refused({file, "elsewhere", "it is the plugin " + report.name + ", which is in place as " + elsewhere->string(),
                        "take that file away first; plugins that are installed are named " + report.name + ".so"});
    }
    InstallResult result{std::nullopt, report.name, report.version, place.current(report.name), {}};
    const auto before = read_if_there(result.file);
    if (before && before->bytes == candidate.bytes) {
        result.message = report.name + " " + report.version + " is in place already: " + result.file.string();
        return result;
    }
    if (before) {
        // A copy and not a link: overwriting the file in place must not change what is kept.
        rename_durably(place.stage(report.name, before->bytes), place.previous(report.name));
    }
    rename_durably(place.stage(report.name, candidate.bytes), result.file);
    result.message = report.name + " " + report.version + " is in place: " + result.file.string() +
                     (before ? "; `weir plugin rollback " + report.name + "` brings its predecessor back" : "");
    return result;
}

InstallResult rollback_plugin(const std::string &name, const InstallOptions &options) {
    if (auto wrong = check_name(name)) {
        return refused(std::move(*wrong));
    }
    const Place place(options);
    const fs::path previous = place.previous(name);
    std::error_code ignored;
    if (!fs::exists(previous, ignored)) {
        return refused({previous, "no_previous", "there is no predecessor of " + name,
                        "install the version that you want with `weir plugin install FILE`"});
    }
    Candidate candidate;
    TrialReport report;
    if (auto refusal = try_out(previous, options, candidate, report)) {
        return refused(std::move(*refusal));
    }
    InstallResult result{std::nullopt, name, report.version, place.current(name), name + " " + report.version + " is in place again"};
    if (!fs::exists(result.file, ignored)) {
        rename_durably(previous, result.file);
        return result;
    }
    if (renameat2(AT_FDCWD, previous.c_str(), AT_FDCWD, result.file.c_str(), RENAME_EXCHANGE) != 0) {
        if (errno != EINVAL && errno != ENOSYS) {
            fail("exchange", result.file, errno);
        }
        // A file system without exchange: a kill between the two leaves the same version in both places, and a plugin in place at every
        // moment.
        const auto current = read_if_there(result.file);
        rename_durably(previous, result.file);
        rename_durably(place.stage(name, current->bytes), previous);
        return result;
    }
    sync_directory(options.directory);
    sync_directory(previous.parent_path());
    return result;
}

InstallResult remove_plugin(const std::string &name, const InstallOptions &options) {
    if (auto wrong = check_name(name)) {
        return refused(std::move(*wrong));
    }
    const Place place(options);
    std::error_code ignored;
    if (!fs::exists(place.current(name), ignored)) {
        if (const auto elsewhere = find_elsewhere(name, place, options)) {
            return refused({*elsewhere, "elsewhere", "it is the plugin " + name + ", but it was not installed by this command",
                            "delete that file yourself"});
        }
        return refused({place.current(name), "not_installed", "there is no plugin " + name + " in place",
                        "see `weir plugin list` for those that are"});
    }
    rename_durably(place.current(name), place.previous(name));
    return {std::nullopt, name, {}, place.current(name), name + " is taken out; `weir plugin rollback " + name + "` brings it back"};
}

} // namespace weir::plugin
