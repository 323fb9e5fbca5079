// SPDX-License-Identifier: Apache-2.0
#include "left_out.hpp"
#include "plugin/catalog.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>
#include <weir/testkit.hpp>

#include <cstdlib>
#include <sstream>

namespace {

using weir::test::read_file;
using weir::test::TemporaryDirectory;

const std::string how_to_go_on =
    "\nABI " + std::to_string(WEIR_ABI_MAJOR) + "." + std::to_string(WEIR_ABI_MINOR) +
    " is released and never changes. To add to it: append, raise WEIR_ABI_MINOR and freeze the result as a new version;"
    " tests/abi/README.md says how.";

std::filesystem::path shipped() { return weir::test::source_directory() / "sdk/include/weir"; }
std::filesystem::path frozen() {
    return weir::test::source_directory() / "tests/abi" / ("v" + std::to_string(WEIR_ABI_MAJOR) + "." + std::to_string(WEIR_ABI_MINOR));
}
std::filesystem::path built(const std::string &name) { return weir::test::build_directory() / "tests/abi" / name; }

/// What the compiler sees: no comments, and a single space wherever there was space. Line ends stay, because directives end with them.
std::string code(const std::filesystem::path &header) {
    std::string text = read_file(header);
    for (std::size_t begin = 0; (begin = text.find("/*", begin)) != std::string::npos;) {
        text.replace(begin, text.find("*/", begin) + 2 - begin, " ");
    }
    std::istringstream lines(text);
    std::string out;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string packed;
        for (std::string word; words >> word;) {
            packed += (packed.empty() ? "" : " ") + word;
        }
        out += packed.empty() ? "" : packed + "\n";
    }
    return out;
}

bool run(const std::string &command, std::string &output) {
    const TemporaryDirectory directory;
    const int status = std::system((command + " > '" + (directory / "out").string() + "' 2>&1").c_str());
    output = read_file(directory / "out");
    return status == 0;
}

bool has_abidiff() {
    std::string output;
    if (run("abidiff --version", output)) {
        return true;
    }
    weir::test::left_out("abidiff's part of the ABI gate: it is not installed (Debian: abigail-tools)");
    return false;
}

} // namespace

TEST_CASE("the shipped headers are the frozen ones of their version, comments aside") {
    INFO(how_to_go_on);
    REQUIRE(std::filesystem::exists(frozen() / "weir/abi.h"));
    CHECK(code(shipped() / "abi.h") == code(frozen() / "weir/abi.h"));
    CHECK(code(shipped() / "http.h") == code(frozen() / "weir/http.h"));
    std::set<std::string> names;
    for (const auto &directory : {shipped() / "abi", frozen() / "weir/abi"}) {
        for (const auto &entry : std::filesystem::directory_iterator(directory)) {
            names.insert(entry.path().filename().string());
        }
    }
    CHECK(names.size() >= 6);
    for (const std::string &name : names) {
        INFO(name);
        REQUIRE(std::filesystem::exists(shipped() / "abi" / name));
        REQUIRE(std::filesystem::exists(frozen() / "weir/abi" / name));
        CHECK(code(shipped() / "abi" / name) == code(frozen() / "weir/abi" / name));
    }
}

TEST_CASE("abidiff sees no difference between the headers and the baseline of their version") {
    const auto baseline = frozen() / "canary.abi.xml";
    INFO(how_to_go_on);
    REQUIRE(std::filesystem::exists(baseline));
    if (has_abidiff()) {
        std::string output;
        const bool same = run("abidiff '" + baseline.string() + "' '" + built("canary.so").string() + "'", output);
        INFO(output);
        CHECK(same);
    }
}

TEST_CASE("abidiff sees a member that is inserted, although it is reached through pointers only") {
    if (!has_abidiff()) {
        return;
    }
    const TemporaryDirectory directory;
    std::filesystem::copy(shipped().parent_path(), directory / "include", std::filesystem::copy_options::recursive);
    const auto header = directory / "include/weir/abi/call.h";
    std::string text = read_file(header);
    const std::string before = "const weir_cell_v1 *guard;";
    REQUIRE(text.find(before) != std::string::npos);
    text.insert(text.find(before), "uint64_t inserted; ");
    weir::test::write_file(header, text);
    std::string output;
    REQUIRE(run(std::string(WEIR_TEST_C_COMPILER) + " -g -std=c11 -shared -fPIC -I'" + (directory / "include").string() + "' '" +
                    (weir::test::source_directory() / "tests/abi/canary.c").string() + "' -o '" + (directory / "canary.so").string() + "'",
                output));
    CHECK_FALSE(run("abidiff '" + (frozen() / "canary.abi.xml").string() + "' '" + (directory / "canary.so").string() + "'", output));
    CHECK_THAT(output, Catch::Contains("inserted"));
    CHECK(code(header) != code(frozen() / "weir/abi/call.h"));
}

TEST_CASE("a plugin written for ABI 1.0 runs with today's test kit") {
    using namespace weir::testkit;
    Host host(built("first-1.0.so").string());
    const std::string id = "90c192cf-d3ac-44af-8f21-ddb66cad4a26";
    host.handle("thing.made.v1", R"({"id": ")" + id + R"(", "name": "Loom"})").expect_ok();
    host.handle("thing.made.v1", R"({"id": ")" + id + R"(", "name": "LOOM"})").expect_ok();
    host.expect_row("things", {id}, {{"name", "LOOM"}, {"seen", "2"}, {"price", "1.50"}});
    const Result known = host.handle("thing.made.v2", R"({"id": ")" + id + "\"}").expect_ok();
    REQUIRE(known.emitted.size() == 1);
    CHECK(known.emitted[0].key == id);
    CHECK(known.emitted[0].headers[0].second == "LOOM");
    host.handle("thing.made.v2", "{}").expect_skipped();
    host.handle("thing.made.v1", "{}").expect_rejected("no_id");
    CHECK_THROWS_AS(Host(built("first-1.0.so").string(), {.settings = R"({"a": 1})"}), Refused);
    host.close();
}

TEST_CASE("a plugin written for ABI 1.0 is loaded by today's host") {
    const TemporaryDirectory directory;
    const auto file = directory / "first.so"; // where only its owner can write
    std::filesystem::copy_file(built("first-1.0.so"), file);
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    weir::plugin::PluginRefusal refusal;
    const auto module = weir::plugin::load_file(file, directory / "private", {}, refusal);
    INFO(refusal.code << ": " << refusal.message);
    REQUIRE(module);
    CHECK(module->description().name == "first");
    CHECK(module->description().schema.tables.at(0).columns.size() == 5);
    CHECK(module->description().domains.at(0).bindings.at(0).aliases.size() == 1);
    CHECK(module->handler("thing.made.v1").handler != nullptr);
    CHECK(module->handler("thing.made.v2").handler != nullptr);
    std::string reason;
    const auto instance = weir::plugin::Instance::create(module, "first", "first", "{}", reason);
    INFO(reason);
    REQUIRE(instance);
    CHECK(instance->handle() != nullptr);
}
