// SPDX-License-Identifier: Apache-2.0
#include "plugin/loading.hpp"

#include "log/log.hpp"
#include "plugin/handler_names.hpp"
#include "plugin/private_directory.hpp"
#include "plugin/trial.hpp"

namespace weir::plugin {

namespace {

/// All event types that the host or the plugin itself has named.
std::vector<std::string> known_types(const Description &description, const std::vector<std::string> &known) {
    std::vector<std::string> types = known;
    for (const Read &read : description.reads) {
        types.push_back(read.event_type);
    }
    for (const DomainDefaults &domain : description.domains) {
        for (const event::Binding &binding : domain.bindings) {
            for (const auto &alias : binding.aliases) {
                types.push_back(alias.second);
            }
        }
    }
    return types;
}

/// Removes the copy again unless it was loaded.
class CopyGuard {
public:
    CopyGuard(PrivateDirectory &directory, const std::filesystem::path &copy) : directory_(directory), copy_(copy) {}
    ~CopyGuard() {
        if (!kept_) {
            directory_.discard(copy_);
        }
    }
    CopyGuard(const CopyGuard &) = delete;
    CopyGuard &operator=(const CopyGuard &) = delete;
    void keep() { kept_ = true; }

private:
    PrivateDirectory &directory_;
    const std::filesystem::path &copy_;
    bool kept_ = false;
};

} // namespace

std::shared_ptr<LoadedModule> load_candidate(const Candidate &candidate, const LoadOptions &options, const NameCheck &may_have_name,
                                             PluginRefusal &refusal) {
    const auto refused = [&](std::optional<PluginRefusal> why) {
        if (why) {
            refusal = std::move(*why);
        }
        return why.has_value();
    };
    try {
        const auto directory = PrivateDirectory::of(options.private_directory);
        const std::filesystem::path copy = directory->write(candidate.file.filename().string(), candidate.bytes);
        CopyGuard guard(*directory, copy);
        if (!options.trial_command.empty()) {
            TrialReport report;
            if (refused(run_trial(options.trial_command, copy, candidate.file, options.trial_deadline, report)) ||
                (may_have_name && refused(may_have_name(report.name)))) {
                return nullptr;
            }
        }
        OpenedLibrary library;
        guard.keep(); // from here on it may be mapped, whatever comes of it
        if (refused(open_library(copy, candidate.file, library)) || (may_have_name && refused(may_have_name(library.description.name)))) {
            return nullptr;
        }
        const std::vector<std::string> types = known_types(library.description, options.known_event_types);
        if (const auto collision = find_collision(candidate.elf.functions, library.description.name, types)) {
            refusal = {candidate.file, "ambiguous_handler", *collision,
                       "rename one of the event types, or map one of them to another name with an alias in the topic's binding"};
            return nullptr;
        }
        if (const auto wrong = misnamed_handlers(candidate.elf.functions, library.description.name); !wrong.names.empty()) {
            const std::string names = wrong.names + ", while its handlers are " + handler_prefix(library.description.name) + "<event type>";
            if (wrong.all && library.description.routes.empty()) { // else they may be what its routes lead to
                refusal = {candidate.file, "misnamed_handlers", "none of its handlers would ever be called: it exports " + names,
                           "name them after the plugin and the event type, as WEIR_HANDLER does"};
                return nullptr;
            }
            log::warn("plugin.misnamed_handlers", "It exports functions that look like handlers, and that no event leads to",
                      {{"plugin", library.description.name}, {"functions", names}});
        }
        if (!candidate.elf.unique.empty()) {
            log::warn("plugin.shared_state", "its generations share some of their variables; compile it with -fno-gnu-unique",
                      {{"plugin", library.description.name},
                       {"variables", candidate.elf.unique.size()},
                       {"first", candidate.elf.unique.front()}});
        }
        return std::make_shared<LoadedModule>(std::move(library), candidate.file, candidate.elf.functions, types);
    } catch (const PluginEnvironmentError &error) {
        refusal = {candidate.file, "copy_failed", error.what(), "make room there or see whose it is, or change state_directory"};
        return nullptr;
    }
}

std::shared_ptr<const Module> load_file(const std::filesystem::path &file, const LoadOptions &options, PluginRefusal &refusal) {
    Candidate candidate;
    auto why = read_settled(file, candidate);
    if (!why) {
        why = check_candidate(candidate, Trust::owners_only);
    }
    if (why) {
        refusal = std::move(*why);
        return nullptr;
    }
    return load_candidate(candidate, options, nullptr, refusal);
}

std::shared_ptr<const Module> load_file(const std::filesystem::path &file, const std::filesystem::path &private_directory,
                                        const std::vector<std::string> &known_event_types, PluginRefusal &refusal) {
    LoadOptions options;
    options.private_directory = private_directory;
    options.known_event_types = known_event_types;
    return load_file(file, options, refusal);
}

} // namespace weir::plugin
