// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/elf_file.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace weir::plugin {

/// Thrown and caught inside the reader of ELF files only, so that each step of it can stay one line.
struct ElfFaultThrown {
    ElfFault::Kind kind;
    std::string reason;
};

[[noreturn]] inline void damaged(std::string reason) { throw ElfFaultThrown{ElfFault::Kind::damaged, std::move(reason)}; }
[[noreturn]] inline void truncated(std::string reason) { throw ElfFaultThrown{ElfFault::Kind::truncated, std::move(reason)}; }

/// Bytes with checked access by file offset.
class ElfImage {
public:
    explicit ElfImage(std::span<const std::byte> bytes) : bytes_(bytes) {}

    std::uint64_t size() const { return bytes_.size(); }

    bool holds(std::uint64_t offset, std::uint64_t count) const { return offset <= bytes_.size() && count <= bytes_.size() - offset; }

    template <typename T> T at(std::uint64_t offset, const char *what) const {
        if (!holds(offset, sizeof(T))) {
            truncated(std::string(what) + " lies beyond the end of the file");
        }
        T value;
        std::memcpy(&value, bytes_.data() + offset, sizeof(T));
        return value;
    }

    /// Text up to its NUL, which must lie before `end`.
    std::string_view text(std::uint64_t offset, std::uint64_t end, const char *what) const {
        constexpr std::uint64_t max_name_bytes = 64u << 10; // longer ones are damage, not names
        end = std::min(end, size());
        if (offset >= end) {
            damaged(std::string(what) + " lies outside of the string table");
        }
        const std::uint64_t limit = std::min(end - offset, max_name_bytes);
        const auto *begin = reinterpret_cast<const char *>(bytes_.data() + offset);
        const void *stop = std::memchr(begin, 0, limit);
        if (!stop) {
            damaged(std::string(what) + " has no end");
        }
        return {begin, static_cast<std::size_t>(static_cast<const char *>(stop) - begin)};
    }

private:
    std::span<const std::byte> bytes_;
};

} // namespace weir::plugin
