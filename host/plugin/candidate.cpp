// SPDX-License-Identifier: Apache-2.0
#include "plugin/candidate.hpp"

#include "plugin/needed_libraries.hpp"
#include "plugin/owned_descriptor.hpp"
#include "plugin/permissions.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::plugin {

namespace {

constexpr std::uint64_t kMaxFileBytes = 1u << 30;

#ifndef DF_1_PIE
#define DF_1_PIE 0x08000000
#endif

std::string reason_of(int error) { return std::generic_category().message(error); }

/// A read lease is refused while anybody has the file open for writing, which is the only way to ask that. Its breaking would raise SIGIO,
/// which kills by default, so it is told to raise a signal that is ignored by default; and it is given back at once.
void ask_for_writers(int descriptor, Candidate &out) {
    fcntl(descriptor, F_SETSIG, SIGURG);
    const bool granted = fcntl(descriptor, F_SETLEASE, F_RDLCK) == 0;
    out.writers_known = granted || errno == EAGAIN;
    out.being_written = !granted && errno == EAGAIN;
    if (granted) {
        fcntl(descriptor, F_SETLEASE, F_UNLCK);
    }
}

bool same_state(const struct stat &a, const struct stat &b) {
    return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

bool looks_like_text(std::span<const std::byte> bytes) {
    const auto head = bytes.first(std::min<std::size_t>(bytes.size(), 512));
    return std::all_of(head.begin(), head.end(), [](std::byte byte) {
        const auto c = static_cast<unsigned char>(byte);
        return c >= 0x20 ? c != 0x7f : (c == '\n' || c == '\r' || c == '\t' || c == '\f');
    });
}

std::optional<PluginRefusal> check_format(const Candidate &candidate, const std::optional<ElfFault> &fault) {
    const auto refuse = [&](const char *code, std::string message, std::string remedy) {
        return PluginRefusal{candidate.file, code, std::move(message), std::move(remedy)};
    };
    const std::string again = "copy the file again, and move it into place with a rename once it is complete";
    if (candidate.bytes.empty()) {
        return refuse("empty", "it is empty", again);
    }
    if (!fault) {
        return std::nullopt;
    }
    switch (fault->kind) {
    case ElfFault::Kind::not_elf:
        if (looks_like_text(candidate.bytes)) {
            return refuse("not_elf", "it is a text file, not a shared library",
                          "put the compiled plugin there, not its source or a linker script");
        }
        return refuse("not_elf", "it is not a shared library: " + fault->reason, "put a plugin there that was built as a shared library");
    case ElfFault::Kind::foreign:
        return refuse("wrong_architecture",
                      "it is built for " + machine_name(candidate.elf.machine) +
                          (candidate.elf.file_class == native_class() ? "" : " (other word size)") + ", this host is " +
                          machine_name(native_machine()),
                      "build the plugin for " + machine_name(native_machine()));
    case ElfFault::Kind::truncated:
        return refuse("truncated", "it is cut off: " + fault->reason, again);
    case ElfFault::Kind::damaged:
        break;
    }
    return refuse("damaged", "it is damaged: " + fault->reason, again);
}

/// `weir_plugin_v<digits>`, or nothing.
std::optional<unsigned> entry_major(std::string_view symbol) {
    constexpr std::string_view prefix = "weir_plugin_v";
    if (symbol.size() <= prefix.size() || symbol.size() > prefix.size() + 4 || !symbol.starts_with(prefix)) {
        return std::nullopt;
    }
    unsigned major = 0;
    for (const char c : symbol.substr(prefix.size())) {
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        major = major * 10 + static_cast<unsigned>(c - '0');
    }
    return major;
}

std::optional<PluginRefusal> check_entry(const Candidate &candidate) {
    const ElfFile &elf = candidate.elf;
    if (elf.type != ET_DYN || (elf.flags_1 & DF_1_PIE) != 0) {
        return PluginRefusal{candidate.file, "not_a_library", "it is a program or an object file, not a shared library",
                             "link the plugin with -shared"};
    }
    if (std::binary_search(elf.functions.begin(), elf.functions.end(), WEIR_PLUGIN_ENTRY_SYMBOL)) {
        return std::nullopt;
    }
    std::optional<unsigned> newest;
    for (const std::string &symbol : elf.functions) {
        newest = std::max(newest, entry_major(symbol));
    }
    const std::string own = std::to_string(WEIR_ABI_MAJOR) + "." + std::to_string(WEIR_ABI_MINOR);
    if (newest && *newest > WEIR_ABI_MAJOR) {
        return PluginRefusal{candidate.file, "newer_abi",
                             "it needs plugin ABI " + std::to_string(*newest) + ", this host offers ABI " + own,
                             "update Weir, or build the plugin against an SDK of ABI " + std::to_string(WEIR_ABI_MAJOR)};
    }
    return PluginRefusal{candidate.file, "no_entry",
                         "it exports no function " WEIR_PLUGIN_ENTRY_SYMBOL ", so it is not a Weir plugin (or not one for ABI " + own + ")",
                         "export " WEIR_PLUGIN_ENTRY_SYMBOL
                         " with default visibility (WEIR_EXPORT), or take the file out of the plugin directory"};
}

} // namespace

std::uint64_t hash_bytes(std::span<const std::byte> bytes) noexcept {
    std::uint64_t hash = 14695981039346656037u;
    for (const std::byte byte : bytes) {
        hash = (hash ^ static_cast<std::uint64_t>(byte)) * 1099511628211u;
    }
    return hash;
}

std::optional<PluginRefusal> read_candidate(const std::filesystem::path &file, Candidate &out) {
    out = {};
    out.file = file;
    const auto refuse = [&](const char *code, std::string message, std::string remedy) {
        return PluginRefusal{file, code, std::move(message), std::move(remedy)};
    };
    // O_NONBLOCK: a pipe that lies there must not hold the host up.
    const OwnedDescriptor descriptor(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!descriptor) {
        const int error = errno;
        return refuse("unreadable", "it cannot be opened: " + reason_of(error),
                      error == ENOENT || error == ENOTDIR ? "name a file that is there" : "give this process's user the right to read it");
    }
    struct stat before {};
    if (fstat(descriptor.get(), &before) != 0 || !S_ISREG(before.st_mode)) {
        return refuse("not_a_file", "it is not a regular file", "put the plugin's shared library there");
    }
    if (static_cast<std::uint64_t>(before.st_size) > kMaxFileBytes) {
        return refuse("too_large", "it is larger than 1 GiB", "strip the plugin's debug information");
    }
    ask_for_writers(descriptor.get(), out);
    if (out.being_written) {
        return std::nullopt;
    }
    std::error_code ignored;
    out.resolved = std::filesystem::canonical(file, ignored);
    out.bytes.resize(static_cast<std::size_t>(before.st_size));
    std::size_t done = 0;
    while (done < out.bytes.size()) {
        const ssize_t count = pread(descriptor.get(), out.bytes.data() + done, out.bytes.size() - done, static_cast<off_t>(done));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return refuse("unreadable", "it cannot be read: " + reason_of(errno), "check the file system it lies on");
        }
        if (count == 0) {
            break;
        }
        done += static_cast<std::size_t>(count);
    }
    ask_for_writers(descriptor.get(), out);
    struct stat after {};
    out.being_written = out.being_written || done < out.bytes.size() || fstat(descriptor.get(), &after) != 0 || !same_state(before, after);
    out.bytes.resize(done);
    out.content_hash = hash_bytes(out.bytes);
    return std::nullopt;
}

std::optional<PluginRefusal> read_settled(const std::filesystem::path &file, Candidate &out) {
    auto refusal = read_candidate(file, out);
    if (!refusal && out.being_written) {
        refusal = PluginRefusal{file, "being_written", "somebody is still writing it", "wait until it is complete"};
    }
    return refusal;
}

std::optional<PluginRefusal> check_candidate(Candidate &candidate, Trust trust) {
    if (trust == Trust::owners_only) {
        if (auto refusal = check_permissions(candidate.file, candidate.resolved)) {
            return refusal;
        }
    }
    const auto fault = read_elf(candidate.bytes, candidate.elf);
    if (auto refusal = check_format(candidate, fault)) {
        return refusal;
    }
    if (auto refusal = check_entry(candidate)) {
        return refusal;
    }
    return check_needed_libraries(candidate);
}

bool may_be_incomplete(const PluginRefusal &refusal) {
    return refusal.code == "empty" || refusal.code == "truncated" || refusal.code == "damaged" || refusal.code == "not_elf";
}

std::optional<PluginRefusal> check_file(const std::filesystem::path &file) {
    Candidate candidate;
    if (auto refusal = read_settled(file, candidate)) {
        return refusal;
    }
    return check_candidate(candidate, Trust::owners_only);
}

} // namespace weir::plugin
