// SPDX-License-Identifier: Apache-2.0
#include "left_out.hpp"
#include "support.hpp"
#include "template/plugin_template.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <sstream>
#include <sys/resource.h>

namespace {

using weir::test::TemporaryDirectory;

/// Runs a command; its output is shown where it fails.
bool run(const std::string &command, const std::filesystem::path &log) {
    const int status = std::system((command + " > '" + log.string() + "' 2>&1").c_str());
    if (status != 0) {
        UNSCOPED_INFO(command << "\n" << weir::test::read_file(log));
    }
    return status == 0;
}

std::string replace_all(std::string text, const std::string &from, const std::string &to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
        text.replace(at, from.size(), to);
    }
    return text;
}

std::string filled(std::string_view text) {
    return replace_all(replace_all(std::string(text), "@NAME@", "my-first"), "@IDENT@", "my_first");
}

std::string quoted(const std::filesystem::path &path) { return "'" + path.string() + "'"; }

/// The processor time of all programs that were run. One after the other, they take no longer than that on a machine that does nothing
/// else; the time on the wall says more about what else this machine is doing.
double processor_seconds() {
    rusage usage{};
    getrusage(RUSAGE_CHILDREN, &usage);
    const auto seconds = [](const timeval &time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Installs the SDK, as a project of its own.
bool install_sdk(const TemporaryDirectory &directory) {
    const auto log = directory / "log";
    return run("cmake -S " + quoted(weir::test::source_directory() / "sdk") + " -B " + quoted(directory / "sdk-build") +
                   " -DCMAKE_INSTALL_PREFIX=" + quoted(directory / "prefix"),
               log) &&
           run("cmake --install " + quoted(directory / "sdk-build"), log);
}

} // namespace

TEST_CASE("a new plugin from the template goes from nothing to green against the installed SDK in under a minute") {
    const TemporaryDirectory directory;
    const double begin = processor_seconds();
    REQUIRE(install_sdk(directory));
    const auto project = directory / "my-first";
    for (const auto &file : weir::plugin_template::files) {
        const auto path = project / filled(file.path);
        std::filesystem::create_directories(path.parent_path());
        weir::test::write_file(path, filled(file.content));
        CHECK(filled(file.content).find('@' + std::string("NAME")) == std::string::npos);
    }
    const auto build = project / "build";
    const auto log = directory / "log";
    REQUIRE(run("cmake -S " + quoted(project) + " -B " + quoted(build) + " -DCMAKE_PREFIX_PATH=" + quoted(directory / "prefix"), log));
    REQUIRE(run("cmake --build " + quoted(build), log));
    REQUIRE(run("cd " + quoted(build) + " && ctest --output-on-failure --no-tests=error", log));
    CHECK(std::filesystem::exists(build / "plugins/my-first.so"));
    CHECK(std::filesystem::exists(project / ".gitignore"));
    CHECK(processor_seconds() - begin < 60);
}

TEST_CASE("the template on disk is the template in the program, file by file") {
    const auto directory = weir::test::source_directory() / "sdk/template";
    std::string pairs;
    for (const auto &file : weir::plugin_template::files) {
        pairs += std::string(file.path) + "\n";
    }
    std::string listed;
    std::istringstream lines(weir::test::read_file(directory / "FILES"));
    for (std::string source, target; lines >> source >> target;) {
        listed += target + "\n";
        CHECK(std::filesystem::exists(directory / source));
    }
    CHECK(pairs == listed);
}

TEST_CASE("the pkg-config file is enough to build a plugin in C") {
    if (std::system("pkg-config --version > /dev/null 2>&1") != 0) {
        weir::test::left_out("the SDK's pkg-config file: pkg-config is not installed");
        return;
    }
    const TemporaryDirectory directory;
    REQUIRE(install_sdk(directory));
    const auto log = directory / "log";
    std::string where;
    std::filesystem::rename(directory / "prefix", directory / "elsewhere"); // it may be installed where `cmake --install --prefix` says
    for (const auto &entry : std::filesystem::recursive_directory_iterator(directory / "elsewhere")) {
        where = entry.path().filename() == "weir-sdk.pc" ? entry.path().parent_path().string() : where;
    }
    REQUIRE_FALSE(where.empty());
    REQUIRE(run("PKG_CONFIG_PATH='" + where + "' sh -ec 'cc $(pkg-config --cflags weir-sdk) -o " + (directory / "misuse.so").string() +
                    " " + (weir::test::source_directory() / "tests/sdk/fixtures/misuse.c").string() + " $(pkg-config --libs weir-sdk)'",
                log));
    REQUIRE(run("nm -D --defined-only " + quoted(directory / "misuse.so"), log));
    std::istringstream symbols(weir::test::read_file(log));
    int entries = 0;
    for (std::string address, kind, name; symbols >> address >> kind >> name;) {
        entries += name == "weir_plugin_v1" ? 1 : 0;
        CHECK((name == "weir_plugin_v1" || name.rfind("handle_misuse_", 0) == 0));
    }
    CHECK(entries == 1);
}
