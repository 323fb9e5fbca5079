// SPDX-License-Identifier: Apache-2.0
#include "fixture_files.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace weir;
namespace fs = std::filesystem;

namespace {

plugin::CatalogOptions options(const test::Directories &directories) {
    plugin::CatalogOptions made;
    made.directory = directories.plugins;
    made.private_directory = directories.copies;
    made.trial_command = test::trial_command();
    made.trial_deadline = std::chrono::seconds(20);
    return made;
}

} // namespace

TEST_CASE("what lies in the directory is served when start returns") {
    test::Directories directories;
    test::place("good", directories.plugins / "good.so");
    test::place("misbehaving", directories.plugins / "misbehaving.so");
    test::write_file(directories.plugins / "notes.txt", "not a plugin, and not looked at");
    test::place("throwing", directories.plugins / ".hidden.so");
    test::Told told;
    plugin::Catalog catalog(options(directories), told.listener());
    catalog.start();
    CHECK(told.lines() == std::vector<std::string>{"loaded good 1.0.0 generation 1", "loaded misbehaving 1.0.0 generation 1"});
}

TEST_CASE("a file that is refused is told once for each content, and the old generation goes on") {
    test::Directories directories;
    const fs::path file = directories.plugins / "good.so";
    test::place("good", file);
    test::Told told;
    plugin::Catalog catalog(options(directories), told.listener());
    catalog.start();
    REQUIRE(told.hears("loaded good 1.0.0 generation 1"));
    const auto serving = told.last();
    test::place("no_entry", file);
    REQUIRE(told.hears("refused good.so no_entry"));
    // The same bytes again, with another time: nothing more is said. The next content shows that the catalog has looked.
    test::place("no_entry", file);
    utimensat(AT_FDCWD, file.c_str(), nullptr, 0);
    test::place("constructor_crashes", directories.plugins / "witness.so");
    REQUIRE(told.hears("refused witness.so crashes_on_load"));
    CHECK(told.count("refused good.so no_entry") == 1);
    CHECK(told.count("removed good") == 0);
    CHECK(serving->handler("user.created.v1").handler(nullptr, nullptr, nullptr) == WEIR_OK);
    test::place("good_2", file);
    REQUIRE(told.hears("loaded good 2.0.0 generation 2"));
    // Going back to a content that was refused before is news again.
    test::place("no_entry", file);
    CHECK(test::eventually([&] { return told.count("refused good.so no_entry") == 2; }));
}

TEST_CASE("the same content again is no new generation") {
    test::Directories directories;
    const fs::path file = directories.plugins / "good.so";
    test::place("good", file);
    test::Told told;
    plugin::Catalog catalog(options(directories), told.listener());
    catalog.start();
    test::place("good", file); // a new time
    fs::copy_file(file, directories.root / "same.so");
    fs::rename(directories.root / "same.so", file); // a new inode
    test::place("no_entry", directories.plugins / "witness.so");
    REQUIRE(told.hears("refused witness.so no_entry"));
    CHECK(told.lines() == std::vector<std::string>{"loaded good 1.0.0 generation 1", "refused witness.so no_entry"});
}

TEST_CASE("of two files that are one plugin the second is refused, and taken when the first goes") {
    test::Directories directories;
    test::place("good", directories.plugins / "a.so");
    test::place("good_2", directories.plugins / "b.so");
    test::Told told;
    plugin::Catalog catalog(options(directories), told.listener());
    catalog.start();
    CHECK(told.lines() == std::vector<std::string>{"loaded good 1.0.0 generation 1", "refused b.so duplicate_plugin"});
    fs::remove(directories.plugins / "a.so");
    REQUIRE(told.hears("loaded good 2.0.0 generation 2"));
}

TEST_CASE("a file that is renamed goes on serving without a new generation") {
    test::Directories directories;
    test::place("good", directories.plugins / "a.so");
    test::Told told;
    plugin::Catalog catalog(options(directories), told.listener());
    catalog.start();
    fs::rename(directories.plugins / "a.so", directories.plugins / "b.so");
    test::place("no_entry", directories.plugins / "witness.so");
    REQUIRE(told.hears("refused witness.so no_entry"));
    fs::remove(directories.plugins / "b.so");
    REQUIRE(told.hears("removed good"));
    CHECK(told.lines() == std::vector<std::string>{"loaded good 1.0.0 generation 1", "refused witness.so no_entry", "removed good"});
}

TEST_CASE("a file that becomes another plugin removes the one that it was") {
    test::Directories directories;
    const fs::path file = directories.plugins / "plugin.so";
    test::place("good", file);
    test::Told told;
    plugin::Catalog catalog(options(directories), told.listener());
    catalog.start();
    test::place("misbehaving", file);
    REQUIRE(told.hears("loaded misbehaving 1.0.0 generation 1"));
    CHECK(told.lines() ==
          std::vector<std::string>{"loaded good 1.0.0 generation 1", "removed good", "loaded misbehaving 1.0.0 generation 1"});
}

TEST_CASE("a refusal whose cause is mended is taken back by itself") {
    test::Directories directories;
    const fs::path file = directories.plugins / "good.so";
    test::place("good", file);
    chmod(directories.plugins.c_str(), 0777);
    test::Told told;
    plugin::Catalog catalog(options(directories), told.listener());
    catalog.start();
    REQUIRE(told.hears("refused good.so writable_by_others"));
    chmod(directories.plugins.c_str(), 0755);
    CHECK(told.hears("loaded good 1.0.0 generation 1"));
    CHECK(told.count("refused good.so writable_by_others") == 1);
}

TEST_CASE("plugins that crash or hang while they are loaded leave the others and the host alone") {
    test::Directories directories;
    test::place("constructor_crashes", directories.plugins / "a.so");
    test::place("constructor_hangs", directories.plugins / "b.so");
    test::place("good", directories.plugins / "c.so");
    auto chosen = options(directories);
    chosen.trial_deadline = std::chrono::milliseconds(1500);
    test::Told told;
    plugin::Catalog catalog(chosen, told.listener());
    catalog.start();
    CHECK(told.hears("refused a.so crashes_on_load"));
    CHECK(told.hears("refused b.so hangs_on_load"));
    CHECK(told.hears("loaded good 1.0.0 generation 1"));
}

TEST_CASE("a listener that throws does not end the watching") {
    test::Directories directories;
    test::Told told;
    plugin::CatalogListener listener = told.listener();
    listener.loaded = [inner = listener.loaded](std::shared_ptr<const plugin::Module> module) {
        inner(std::move(module));
        throw std::runtime_error("from a listener");
    };
    plugin::Catalog catalog(options(directories), listener);
    catalog.start();
    test::place("good", directories.plugins / "good.so");
    REQUIRE(told.hears("loaded good 1.0.0 generation 1"));
    test::place("good_2", directories.plugins / "good.so");
    CHECK(told.hears("loaded good 2.0.0 generation 2"));
}

TEST_CASE("start fails where there is no place for private copies") {
    test::Directories directories;
    test::write_file(directories.copies, "in the way");
    test::Told told;
    plugin::Catalog catalog(options(directories), told.listener());
    CHECK_THROWS_AS(catalog.start(), plugin::PluginEnvironmentError);
}
