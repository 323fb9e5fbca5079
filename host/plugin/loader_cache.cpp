// SPDX-License-Identifier: Apache-2.0
#include "plugin/loader_cache.hpp"

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string_view>
#include <vector>

namespace weir::plugin {

namespace {

constexpr std::string_view kMagic = "glibc-ld.so.cache1.1";

/// The parts of the file that matter here; all numbers in the host's byte order.
struct CacheHeader {
    char magic[20];
    std::uint32_t libraries;
    std::uint32_t strings_bytes;
    std::uint32_t flags_and_extensions[2];
    std::uint32_t unused[3];
};
static_assert(sizeof(CacheHeader) == 48);

struct CacheEntry {
    std::int32_t flags;
    std::uint32_t key; ///< offset of the library's name from the header
    std::uint32_t value;
    std::uint32_t os_version;
    std::uint64_t hardware;
};
static_assert(sizeof(CacheEntry) == 24);

} // namespace

LoaderCache LoaderCache::read(const std::filesystem::path &file) {
    LoaderCache cache;
    std::ifstream in(file, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    // An older format may stand in front; the newer one is then found by its magic.
    const std::string_view all(bytes.data(), bytes.size());
    const std::size_t begin = all.find(kMagic);
    if (begin == std::string_view::npos || all.size() - begin < sizeof(CacheHeader)) {
        return cache;
    }
    const std::string_view body = all.substr(begin);
    CacheHeader header;
    std::memcpy(&header, body.data(), sizeof(header));
    if (header.libraries > (body.size() - sizeof(header)) / sizeof(CacheEntry)) {
        return cache;
    }
    for (std::uint32_t index = 0; index < header.libraries; ++index) {
        CacheEntry entry;
        std::memcpy(&entry, body.data() + sizeof(header) + index * sizeof(entry), sizeof(entry));
        const std::size_t end = entry.key < body.size() ? body.find('\0', entry.key) : std::string_view::npos;
        if (end == std::string_view::npos) {
            return cache;
        }
        cache.names_.emplace(body.substr(entry.key, end - entry.key));
    }
    cache.readable_ = true;
    return cache;
}

} // namespace weir::plugin
