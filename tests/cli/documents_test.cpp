// SPDX-License-Identifier: Apache-2.0
#include "workbench.hpp"

#include <catch2/catch.hpp>

using namespace weir::test;
using Catch::Matchers::Contains;

namespace {

/// What bash offers for a line, as its completion would be called.
std::string completed(const Workbench &bench, const std::string &words, int at) {
    const Ran ran = bench.run({"bash", "-c",
                               "source <(" + Workbench::program().string() + " completion bash); COMP_WORDS=(" + words +
                                   "); COMP_CWORD=" + std::to_string(at) + "; _weir; printf '%s\\n' \"${COMPREPLY[@]}\""});
    CHECK(ran.code == 0);
    CHECK(ran.err.empty());
    return ran.out;
}

} // namespace

TEST_CASE("bash completes commands, options and files") {
    const Workbench bench;
    CHECK(completed(bench, "weir pub", 1) == "publish\n");
    CHECK(completed(bench, "weir deadletter re", 2) == "replay\n");
    CHECK(completed(bench, "weir deadletter replay --dr", 3) == "--dry-run\n");
    CHECK(completed(bench, "weir config check --config weir.j", 4) == "weir.json\n");
    CHECK(completed(bench, "weir publish --topic x weir.j", 4) == "weir.json\n");
    CHECK_THAT(completed(bench, "weir ''", 1), Contains("doctor\n") && !Contains("plugin-trial") && !Contains("man\n"));
}

TEST_CASE("the completion scripts of all shells are made, and bash takes its own") {
    const Workbench bench;
    CHECK_THAT(bench.weir({"completion", "zsh"}).out, Contains("#compdef weir"));
    CHECK_THAT(bench.weir({"completion", "fish"}).out, Contains("complete -c weir") && Contains("-a deadletter"));
    CHECK(bench.run({"bash", "-n", (build_directory() / "share/bash-completion/completions/weir").string()}).code == 0);
    CHECK(bench.weir({"completion", "tcsh"}).code == 2);
}

TEST_CASE("the manual page has every command and no warning") {
    const Workbench bench;
    const auto page = build_directory() / "share/man/man1/weir.1";
    CHECK(read_file(page) == bench.weir({"man"}).out);
    const Ran lint = bench.run({"man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page.string()});
    CHECK(lint.code == 0);
    CHECK(lint.err.empty());
    const Ran shown = bench.run({"sh", "-c", "MANWIDTH=100 MAN_KEEP_FORMATTING= man -P cat -l " + page.string()});
    CHECK_THAT(shown.out, Contains("weir deadletter replay") && Contains("EXIT STATUS") && Contains("--dry-run"));
}
