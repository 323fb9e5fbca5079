// SPDX-License-Identifier: Apache-2.0
#include "fixture_files.hpp"
#include "plugin/elf_file.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <link.h>
#include <random>

using namespace weir;
using plugin::ElfFault;
using plugin::ElfFile;

namespace {

bool has(const std::vector<std::string> &list, const std::string &name) { return std::find(list.begin(), list.end(), name) != list.end(); }

ElfFile read(const std::vector<std::byte> &bytes) {
    ElfFile elf;
    const auto fault = plugin::read_elf(bytes, elf);
    INFO((fault ? fault->reason : ""));
    REQUIRE_FALSE(fault);
    return elf;
}

/// A stripped plugin whose section headers are cut away, as some packers leave it.
std::vector<std::byte> without_sections() {
    auto bytes = test::fixture_bytes("stripped");
    ElfW(Ehdr) header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    bytes.resize(header.e_shoff);
    header.e_shoff = 0;
    header.e_shnum = 0;
    header.e_shstrndx = 0;
    std::memcpy(bytes.data(), &header, sizeof(header));
    return bytes;
}

/// Damages bytes in one of the ways in which files come to harm.
void damage(std::vector<std::byte> &bytes, const std::vector<std::byte> &donor, std::mt19937_64 &random) {
    const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % std::max<std::size_t>(limit, 1)); };
    // Most of what a reader looks at stands near the beginning or in the section headers at the end.
    const auto somewhere = [&] {
        switch (below(4)) {
        case 0:
            return below(std::min<std::size_t>(bytes.size(), 1024));
        case 1:
            return bytes.size() - 1 - below(std::min<std::size_t>(bytes.size(), 2048));
        default:
            return below(bytes.size());
        }
    };
    switch (below(5)) {
    case 0:
        for (std::size_t count = 1 + below(16); count > 0; --count) {
            bytes[somewhere()] ^= static_cast<std::byte>(1u << below(8));
        }
        break;
    case 1:
        for (std::size_t count = 1 + below(8); count > 0; --count) {
            const std::uint64_t interesting[] = {
                0, 1, 0x7f, 0xff, 0xffff, 0xffffffff, 0xffffffffffffffff, 0x8000000000000000, bytes.size(), bytes.size() - 1};
            const std::uint64_t value = interesting[below(std::size(interesting))];
            const std::size_t at = somewhere() & ~std::size_t{7};
            std::memcpy(bytes.data() + at, &value, std::min<std::size_t>(sizeof(value), bytes.size() - at));
        }
        break;
    case 2:
        bytes.resize(below(bytes.size() + 1));
        break;
    case 3: {
        const std::size_t from = below(donor.size());
        const std::size_t to = somewhere();
        const std::size_t count = std::min({below(4096), donor.size() - from, bytes.size() - to});
        std::copy_n(donor.begin() + static_cast<std::ptrdiff_t>(from), count, bytes.begin() + static_cast<std::ptrdiff_t>(to));
        break;
    }
    default: {
        const std::size_t at = somewhere();
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), std::min(below(512), bytes.size() - at),
                    static_cast<std::byte>(below(256)));
        break;
    }
    }
}

} // namespace

TEST_CASE("the ELF reader sees exports, needed libraries and the machine of a real plugin") {
    const ElfFile elf = read(test::fixture_bytes("good"));
    CHECK(elf.machine == plugin::native_machine());
    CHECK(elf.type == ET_DYN);
    CHECK(has(elf.functions, "weir_plugin_v1"));
    CHECK(has(elf.functions, "handle_good_user_created"));
    CHECK(std::is_sorted(elf.functions.begin(), elf.functions.end()));
    CHECK(read(test::fixture_bytes("needs_private")).runpath == "$ORIGIN");
    CHECK(has(read(test::fixture_bytes("needs_missing")).needed, "libweir_test_missing.so"));
}

TEST_CASE("the ELF reader sees the same in a stripped file, and in one without section headers") {
    const ElfFile whole = read(test::fixture_bytes("good"));
    CHECK(read(test::fixture_bytes("stripped")).functions == whole.functions);
    const ElfFile bare = read(without_sections());
    CHECK(bare.functions == whole.functions);
    CHECK(bare.needed == whole.needed);
}

TEST_CASE("a file without section headers that ends before its segments do is seen to be cut off") {
    const auto whole = without_sections();
    std::uint64_t needed = 0;
    ElfW(Ehdr) header;
    std::memcpy(&header, whole.data(), sizeof(header));
    for (std::size_t index = 0; index < header.e_phnum; ++index) {
        ElfW(Phdr) segment;
        std::memcpy(&segment, whole.data() + header.e_phoff + index * sizeof(segment), sizeof(segment));
        needed = segment.p_type == PT_LOAD ? std::max<std::uint64_t>(needed, segment.p_offset + segment.p_filesz) : needed;
    }
    REQUIRE(needed <= whole.size());
    const std::vector<std::byte> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(needed - 1));
    ElfFile elf;
    const auto fault = plugin::read_elf(part, elf);
    REQUIRE(fault);
    CHECK(fault->kind == ElfFault::Kind::truncated);
}

TEST_CASE("the ELF reader reads the test program's own libraries") {
    std::vector<std::string> files;
    dl_iterate_phdr(
        [](dl_phdr_info *info, std::size_t, void *user) {
            static_cast<std::vector<std::string> *>(user)->emplace_back(info->dlpi_name);
            return 0;
        },
        &files);
    std::size_t read_files = 0;
    for (const std::string &file : files) {
        if (!file.starts_with("/lib") && !file.starts_with("/usr")) {
            continue; // other tests' private copies are mapped too, and gone
        }
        const std::string text = test::read_file(file);
        ElfFile elf;
        INFO(file);
        const auto fault = plugin::read_elf(std::as_bytes(std::span(text)), elf);
        INFO((fault ? fault->reason : ""));
        CHECK_FALSE(fault);
        CHECK_FALSE(elf.functions.empty());
        ++read_files;
    }
    CHECK(read_files > 2);
}

TEST_CASE("every cut-off file is seen to be cut off") {
    const auto whole = test::fixture_bytes("good");
    for (std::size_t size = 0; size < whole.size(); size += size < 256 ? 1 : 61) {
        const std::vector<std::byte> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        ElfFile elf;
        const auto fault = plugin::read_elf(part, elf);
        INFO("after " << size << " bytes of " << whole.size());
        REQUIRE(fault);
        CHECK((size < EI_NIDENT ? fault->kind == ElfFault::Kind::not_elf : fault->kind == ElfFault::Kind::truncated));
    }
}

TEST_CASE("a file whose space is reserved but not yet written counts as cut off") {
    const auto whole = test::fixture_bytes("good");
    auto part = whole;
    std::fill(part.begin() + static_cast<std::ptrdiff_t>(part.size() / 2), part.end(), std::byte{0});
    ElfFile elf;
    const auto fault = plugin::read_elf(part, elf);
    REQUIRE(fault);
    CHECK(fault->kind == ElfFault::Kind::truncated);
}

TEST_CASE("the ELF reader survives randomly damaged files") {
    const std::uint64_t seed = test::seed();
    std::mt19937_64 random(seed);
    const char *wanted = std::getenv("WEIR_TEST_FUZZ_ITERATIONS");
    const std::uint64_t iterations = wanted ? std::strtoull(wanted, nullptr, 10) : 100'000;
    const std::vector<std::vector<std::byte>> originals{test::fixture_bytes("good"), test::fixture_bytes("stripped"),
                                                        test::fixture_bytes("throwing"), without_sections()};
    std::uint64_t refused = 0;
    std::vector<std::byte> bytes;
    for (std::uint64_t iteration = 0; iteration < iterations; ++iteration) {
        const auto &original = originals[random() % originals.size()];
        bytes = original;
        for (std::uint64_t times = 1 + random() % 3; times > 0 && !bytes.empty(); --times) {
            damage(bytes, originals[random() % originals.size()], random);
        }
        // A buffer of exactly this size, so that a sanitizer sees each byte read beyond it.
        const std::vector<std::byte> exact(bytes);
        ElfFile elf;
        const auto fault = plugin::read_elf(exact, elf);
        refused += fault ? 1 : 0;
        if (fault) {
            REQUIRE_FALSE(fault->reason.empty());
        }
    }
    CHECK(refused > iterations / 10);
    CHECK(refused < iterations); // some damage is where nobody looks: otherwise the test would refuse everything
}
