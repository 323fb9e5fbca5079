// SPDX-License-Identifier: Apache-2.0
#include "plugin/needed_libraries.hpp"

#include "plugin/loader_cache.hpp"
#include "plugin/permissions.hpp"

#include <algorithm>
#include <cstdlib>
#include <link.h>

namespace weir::plugin {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> split(const std::string &text) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    while (!text.empty() && begin <= text.size()) {
        const std::size_t end = std::min(text.find(':', begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

bool is_there(const fs::path &path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
}

bool is_loaded(const std::string &name) {
    struct Search {
        const std::string &name;
        bool found;
    } search{name, false};
    dl_iterate_phdr(
        [](dl_phdr_info *info, std::size_t, void *user) {
            auto &wanted = *static_cast<Search *>(user);
            wanted.found = wanted.found || (info->dlpi_name && fs::path(info->dlpi_name).filename() == wanted.name);
            return wanted.found ? 1 : 0;
        },
        &search);
    return search.found;
}

/// Replaces $ORIGIN; sets `private_to_plugin` where it was there.
std::string expand(std::string element, const fs::path &origin, bool &private_to_plugin) {
    private_to_plugin = false;
    for (const std::string_view token : {"${ORIGIN}", "$ORIGIN"}) {
        for (std::size_t at = element.find(token); at != std::string::npos; at = element.find(token, at + origin.string().size())) {
            element.replace(at, token.size(), origin.string());
            private_to_plugin = true;
        }
    }
    return element;
}

/// A tri-state: nothing where the element does not hold the library; otherwise the verdict, with no refusal where it is all right.
struct Verdict {
    bool found = false;
    std::optional<PluginRefusal> refusal;
};

Verdict look_in(const Candidate &candidate, const std::string &element, const std::string &library) {
    bool private_to_plugin = false;
    const fs::path directory = expand(element, candidate.resolved.parent_path(), private_to_plugin);
    const fs::path path = directory / library;
    if (!is_there(path)) {
        return {};
    }
    if (private_to_plugin) {
        return {true,
                PluginRefusal{
                    candidate.file, "private_library",
                    "it needs " + library +
                        " beside itself ($ORIGIN in its RUNPATH), but plugins are loaded from a private copy, in which that is not found",
                    "link " + library + " statically into the plugin, or install it where the system's loader finds it (ldconfig)"}};
    }
    std::error_code ignored;
    auto refusal = check_permissions(path, fs::canonical(path, ignored));
    if (refusal) {
        refusal->file = candidate.file;
        refusal->message = "it needs " + path.string() + "; of that, " + refusal->message;
    }
    return {true, std::move(refusal)};
}

bool in_standard_directories(const std::string &library) {
    if (const char *path = std::getenv("LD_LIBRARY_PATH")) {
        for (const std::string &directory : split(path)) {
            if (is_there(fs::path(directory) / library)) {
                return true;
            }
        }
    }
    const auto standard = {"/lib", "/usr/lib", "/lib64", "/usr/lib64"};
    return std::any_of(standard.begin(), standard.end(), [&](const char *directory) { return is_there(fs::path(directory) / library); });
}

} // namespace

std::optional<PluginRefusal> check_needed_libraries(const Candidate &candidate) {
    // The loader looks at RPATH only where there is no RUNPATH.
    const std::vector<std::string> elements = split(candidate.elf.runpath.empty() ? candidate.elf.rpath : candidate.elf.runpath);
    for (const std::string &element : elements) {
        if (!element.starts_with('/') && !element.starts_with('$')) {
            return PluginRefusal{candidate.file, "unsafe_runpath",
                                 "its RUNPATH has the relative directory \"" + element + "\", which depends on where the host was started",
                                 "link the plugin with absolute directories in -Wl,-rpath, or better none"};
        }
    }
    std::optional<LoaderCache> cache;
    for (const std::string &library : candidate.elf.needed) {
        if (library.find('/') != std::string::npos) {
            if (library.starts_with('/') && is_there(library)) {
                continue;
            }
            return PluginRefusal{candidate.file, "missing_library", "it needs the library " + library + ", which is not there",
                                 "link the library by its name alone, without a path"};
        }
        Verdict verdict;
        for (auto element = elements.begin(); element != elements.end() && !verdict.found; ++element) {
            verdict = look_in(candidate, *element, library);
        }
        if (verdict.refusal) {
            return verdict.refusal;
        }
        if (verdict.found || is_loaded(library) || in_standard_directories(library)) {
            continue;
        }
        if (!cache) {
            cache = LoaderCache::read("/etc/ld.so.cache");
        }
        // Without a readable cache there is no verdict here: loading will tell.
        if (cache->readable() && !cache->holds(library)) {
            return PluginRefusal{candidate.file, "missing_library", "it needs the library " + library + ", which is not on this machine",
                                 "install the package that has " + library + " (apt-file search " + library + "), then run ldconfig"};
        }
    }
    return std::nullopt;
}

} // namespace weir::plugin
