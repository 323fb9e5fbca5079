// SPDX-License-Identifier: Apache-2.0
#include "fixture_files.hpp"
#include "plugin/catalog.hpp"
#include "plugin/elf_file.hpp"

#include <catch2/catch.hpp>

#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace weir;
namespace fs = std::filesystem;

namespace {

/// The refusal of a file, which must say what is wrong and what to do.
plugin::PluginRefusal refusal_of(const fs::path &file) {
    const auto refusal = plugin::check_file(file);
    INFO(file.string());
    REQUIRE(refusal);
    INFO(refusal->code << ": " << refusal->message << "; " << refusal->remedy);
    CHECK(refusal->file == file);
    CHECK(refusal->message.size() > 5);
    CHECK(refusal->remedy.size() > 5);
    return *refusal;
}

bool mentions(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("a sound plugin passes the check, stripped or not") {
    test::Directories directories;
    for (const char *name : {"good", "stripped", "misbehaving", "throwing"}) {
        const fs::path file = directories.plugins / "plugin.so";
        test::place(name, file);
        const auto refusal = plugin::check_file(file);
        INFO(name << (refusal ? ": " + refusal->code + ": " + refusal->message : ""));
        CHECK_FALSE(refusal);
    }
}

TEST_CASE("a file that is empty, a text, cut off, damaged or not a file at all is refused by name") {
    test::Directories directories;
    const fs::path file = directories.plugins / "plugin.so";
    test::write_file(file, "");
    CHECK(refusal_of(file).code == "empty");
    test::write_file(file, "GROUP ( /lib/libm.so.6 )\n");
    CHECK(refusal_of(file).code == "not_elf");
    CHECK(mentions(refusal_of(file).message, "text file"));
    test::write_file(file, std::string("PK\x03\x04\x00\x01", 6));
    CHECK(refusal_of(file).code == "not_elf");
    auto bytes = test::fixture_bytes("good");
    bytes.resize(bytes.size() / 2);
    test::write_bytes(file, bytes);
    CHECK(refusal_of(file).code == "truncated");
    bytes = test::fixture_bytes("good");
    ElfW(Ehdr) header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    header.e_phnum = 0;
    std::memcpy(bytes.data(), &header, sizeof(header));
    test::write_bytes(file, bytes);
    CHECK(refusal_of(file).code == "damaged");
    fs::remove(file);
    CHECK(refusal_of(file).code == "unreadable");
    fs::create_directory(file);
    CHECK(refusal_of(file).code == "not_a_file");
    fs::remove(file);
    REQUIRE(mkfifo(file.c_str(), 0644) == 0);
    CHECK(refusal_of(file).code == "not_a_file");
}

TEST_CASE("a plugin for another architecture is refused, naming both") {
    test::Directories directories;
    const fs::path file = directories.plugins / "plugin.so";
    auto bytes = test::fixture_bytes("good");
    const std::uint16_t other = plugin::native_machine() == EM_AARCH64 ? EM_X86_64 : EM_AARCH64;
    std::memcpy(bytes.data() + offsetof(ElfW(Ehdr), e_machine), &other, sizeof(other));
    test::write_bytes(file, bytes);
    const auto refusal = refusal_of(file);
    CHECK(refusal.code == "wrong_architecture");
    CHECK(mentions(refusal.message, "AArch64"));
    CHECK(mentions(refusal.message, "x86-64"));
    bytes = test::fixture_bytes("good");
    bytes[EI_CLASS] = std::byte{ELFCLASS32};
    test::write_bytes(file, bytes);
    CHECK(refusal_of(file).code == "wrong_architecture");
    bytes = test::fixture_bytes("good");
    bytes[EI_DATA] = std::byte{ELFDATA2MSB};
    test::write_bytes(file, bytes);
    CHECK(refusal_of(file).code == "wrong_architecture");
    if (fs::exists(test::fixture("foreign"))) {
        test::place("foreign", file);
        CHECK(refusal_of(file).code == "wrong_architecture");
    }
}

TEST_CASE("a program is not taken for a library") {
    test::Directories directories;
    const fs::path file = directories.plugins / "plugin.so";
    fs::copy_file("/proc/self/exe", file);
    chmod(file.c_str(), 0755);
    CHECK(refusal_of(file).code == "not_a_library");
}

TEST_CASE("a plugin of a newer ABI major is refused, naming both versions") {
    test::Directories directories;
    const fs::path file = directories.plugins / "plugin.so";
    test::place("newer_abi", file);
    const auto refusal = refusal_of(file);
    CHECK(refusal.code == "newer_abi");
    CHECK(mentions(refusal.message, "ABI 2"));
    CHECK(mentions(refusal.message, "ABI 1." + std::to_string(WEIR_ABI_MINOR)));
}

TEST_CASE("a library without the entry is refused") {
    test::Directories directories;
    const fs::path file = directories.plugins / "plugin.so";
    test::place("no_entry", file);
    const auto refusal = refusal_of(file);
    CHECK(refusal.code == "no_entry");
    CHECK(mentions(refusal.message, "weir_plugin_v1"));
}

TEST_CASE("a plugin that needs a library which is not there is refused, naming it") {
    test::Directories directories;
    const fs::path file = directories.plugins / "plugin.so";
    test::place("needs_missing", file);
    const auto refusal = refusal_of(file);
    CHECK(refusal.code == "missing_library");
    CHECK(mentions(refusal.message, "libweir_test_missing.so"));
}

TEST_CASE("a plugin with a private library beside it is refused, because its copy would not find it") {
    test::Directories directories;
    const fs::path file = directories.plugins / "plugin.so";
    test::place("needs_private", file);
    CHECK(refusal_of(file).code == "missing_library");
    fs::copy_file(test::build_directory() / "tests/fixtures/libraries/libweir_test_private.so",
                  directories.plugins / "libweir_test_private.so");
    const auto refusal = refusal_of(file);
    CHECK(refusal.code == "private_library");
    CHECK(mentions(refusal.message, "libweir_test_private.so"));
}

TEST_CASE("a file or directory that others can write is refused") {
    test::Directories directories;
    const fs::path file = directories.plugins / "plugin.so";
    test::place("good", file);
    REQUIRE_FALSE(plugin::check_file(file));
    chmod(file.c_str(), 0646);
    CHECK(refusal_of(file).code == "writable_by_others");
    CHECK(mentions(refusal_of(file).remedy, "chmod"));
    chmod(file.c_str(), 0664);
    CHECK_FALSE(plugin::check_file(file)); // the process's own group
    chmod(file.c_str(), 0644);
    for (const mode_t mode : {0777, 01777}) {
        chmod(directories.plugins.c_str(), mode);
        const auto refusal = refusal_of(file);
        CHECK(refusal.code == "writable_by_others");
        CHECK(mentions(refusal.message, directories.plugins.string()));
    }
    chmod(directories.plugins.c_str(), 0755);
    CHECK_FALSE(plugin::check_file(file));
    if (geteuid() == 0) {
        REQUIRE(chown(file.c_str(), 12345, getegid()) == 0);
        CHECK(refusal_of(file).code == "foreign_owner");
        REQUIRE(chown(file.c_str(), 0, 12345) == 0);
        CHECK_FALSE(plugin::check_file(file));
        chmod(file.c_str(), 0664);
        CHECK(refusal_of(file).code == "writable_by_others");
    }
}

TEST_CASE("a link to a file in a directory that others can write is refused") {
    test::Directories directories;
    const fs::path open = directories.root / "open";
    fs::create_directory(open);
    test::place("good", open / "real.so");
    fs::create_symlink(open / "real.so", directories.plugins / "plugin.so");
    chmod(open.c_str(), 0755);
    CHECK_FALSE(plugin::check_file(directories.plugins / "plugin.so"));
    chmod(open.c_str(), 0777);
    CHECK(refusal_of(directories.plugins / "plugin.so").code == "writable_by_others");
}

TEST_CASE("a file that somebody holds open to write is not taken") {
    test::Directories directories;
    const fs::path file = directories.plugins / "plugin.so";
    test::place("good", file);
    const int writer = open(file.c_str(), O_WRONLY);
    REQUIRE(writer >= 0);
    CHECK(refusal_of(file).code == "being_written");
    close(writer);
    CHECK_FALSE(plugin::check_file(file));
}
