// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <catch2/catch.hpp>

#include <set>

namespace {

using weir::test::read_file;

std::filesystem::path docs() { return weir::test::source_directory() / "docs"; }

/// The part of an example between its marks, or the whole of it below the licence.
std::string snippet(const std::string &file, const std::string &name) {
    const std::string text = read_file(docs() / "examples" / file);
    if (name.empty()) {
        return text.substr(text.find('\n') + 1);
    }
    const std::string open = "// [" + name + "]\n";
    const std::size_t begin = text.find(open);
    const std::size_t end = text.find("// [/" + name + "]\n");
    REQUIRE(begin != std::string::npos);
    REQUIRE(end != std::string::npos);
    return text.substr(begin + open.size(), end - begin - open.size());
}

} // namespace

TEST_CASE("every block of code in the tutorial is a part of an example that is built and run") {
    const std::string tutorial = read_file(docs() / "plugin-authoring.md");
    int blocks = 0;
    std::set<std::string> files;
    for (std::size_t at = 0; (at = tutorial.find("\n```", at)) != std::string::npos; ++blocks) {
        const std::size_t code = tutorial.find('\n', at + 1) + 1;
        const std::size_t end = tutorial.find("\n```\n", code - 1);
        REQUIRE(end != std::string::npos);
        const std::size_t mark = tutorial.rfind('\n', at - 1) + 1;
        const std::string source = tutorial.substr(mark, at - mark); // <!-- file: part -->
        INFO(source);
        REQUIRE(source.rfind("<!-- ", 0) == 0);
        const std::string inner = source.substr(5, source.size() - 9);
        const std::size_t colon = inner.find(": ");
        const std::string file = inner.substr(0, colon);
        files.insert(file);
        CHECK(tutorial.substr(code, end + 1 - code) == snippet(file, colon == std::string::npos ? "" : inner.substr(colon + 2)));
        at = end + 4;
    }
    CHECK(blocks == 10);
    CHECK(files == std::set<std::string>{"counter/counter.c", "guestbook/guestbook.cpp", "guestbook/guestbook_test.cpp",
                                         "members/members.cpp", "members/members_test.cpp"});
}
