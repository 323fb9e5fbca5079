// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::plugin {

/// What a shared library says about itself, read from its bytes alone: nothing is mapped, nothing runs. Works on stripped files, because it
/// follows the program headers as the dynamic loader does. [System V ABI, chapter 5; elf(5)]
struct ElfFile {
    std::uint8_t file_class = 0;        ///< ELFCLASS32 or ELFCLASS64
    std::uint8_t byte_order = 0;        ///< ELFDATA2LSB or ELFDATA2MSB
    std::uint16_t machine = 0;          ///< EM_*
    std::uint16_t type = 0;             ///< ET_*
    std::uint64_t flags_1 = 0;          ///< DT_FLAGS_1
    std::string soname;                 ///< DT_SONAME; empty: none
    std::string rpath;                  ///< DT_RPATH
    std::string runpath;                ///< DT_RUNPATH
    std::vector<std::string> needed;    ///< DT_NEEDED, in order
    std::vector<std::string> functions; ///< defined, exported functions, sorted, each once
    std::vector<std::string> unique;    ///< STB_GNU_UNIQUE objects, which all generations in one process would share
};

/// Why bytes are no ELF file that can be loaded.
struct ElfFault {
    enum class Kind : std::uint8_t {
        not_elf,   ///< no ELF header at all
        foreign,   ///< a sound header, but not of this host's class, byte order or machine: `header` is set, the rest was not read
        truncated, ///< something lies beyond the end of the file: perhaps it is still being written
        damaged,   ///< it contradicts itself
    };
    Kind kind = Kind::damaged;
    std::string reason;
};

/// The host's own values of the header, to compare with.
std::uint8_t native_class() noexcept;
std::uint8_t native_byte_order() noexcept;
std::uint16_t native_machine() noexcept;

/// "x86-64", "AArch64", ..., else "machine 243".
std::string machine_name(std::uint16_t machine);

/// Reads a file of the host's own class and byte order. Whatever the bytes are, no byte outside of `bytes` is touched, and the work is
/// bounded by their number. @return what is wrong, or nothing with `out` set; for a `foreign` file the header's members of `out` are set
std::optional<ElfFault> read_elf(std::span<const std::byte> bytes, ElfFile &out);

} // namespace weir::plugin
