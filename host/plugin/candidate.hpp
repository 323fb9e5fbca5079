// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/catalog.hpp"
#include "plugin/elf_file.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::plugin {

/// A file's bytes as they were at one moment, together with what was read from them. Everything later (check, copy, load) uses these bytes,
/// so a file that changes meanwhile changes nothing.
struct Candidate {
    std::filesystem::path file;     ///< as named
    std::filesystem::path resolved; ///< with its symbolic links followed
    std::vector<std::byte> bytes;
    std::uint64_t content_hash = 0;
    bool being_written = false; ///< somebody holds it open to write, or it changed while it was read: not to be used
    bool writers_known = false; ///< the file system could tell whether somebody does; where not, only time tells
    ElfFile elf;
};

/// Who may have written the file.
enum class Trust : std::uint8_t {
    any,         ///< not asked: the operator named the file, as in `weir plugin install FILE`
    owners_only, ///< the file and its directory must be writable by nobody but root and this process's user
};

/// Opens and reads a file, without running any code of it. Reads nothing of one that is being written.
std::optional<PluginRefusal> read_candidate(const std::filesystem::path &file, Candidate &out);

/// The same for one look only: a file that is being written is refused ("being_written").
std::optional<PluginRefusal> read_settled(const std::filesystem::path &file, Candidate &out);

/// The checks before loading: permissions, format, architecture, entry, needed libraries. Fills `elf`.
std::optional<PluginRefusal> check_candidate(Candidate &candidate, Trust trust);

/// Whether a refusal may only mean that the file is not complete yet.
bool may_be_incomplete(const PluginRefusal &refusal);

/// Mixes bytes into a 64-bit number that tells contents apart (FNV-1a; not against an adversary, who could not write here anyway).
std::uint64_t hash_bytes(std::span<const std::byte> bytes) noexcept;

} // namespace weir::plugin
