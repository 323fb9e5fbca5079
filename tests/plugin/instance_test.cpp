// SPDX-License-Identifier: Apache-2.0
#include "fixture_files.hpp"
#include "plugin/module.hpp"

#include <catch2/catch.hpp>

using namespace weir;
namespace fs = std::filesystem;

namespace {

std::shared_ptr<const plugin::Module> load(const test::Directories &directories, const std::string &name) {
    const fs::path file = directories.plugins / (name + ".so");
    test::place(name, file);
    plugin::PluginRefusal refusal;
    auto module = plugin::load_file(file, directories.loading(), refusal);
    INFO(refusal.message);
    REQUIRE(module);
    return module;
}

} // namespace

TEST_CASE("an instance is created, started, drained and destroyed, in this order, once each") {
    test::Directories directories;
    const auto module = load(directories, "lifecycle");
    const fs::path diary = directories.root / "diary";
    std::string reason;
    auto instance = plugin::Instance::create(module, "one", "one_schema", "{\"path\":\"" + diary.string() + "\"}", reason);
    INFO(reason);
    REQUIRE(instance);
    CHECK(instance->handle() != nullptr);
    CHECK(&instance->module() == module.get());
    CHECK(test::read_file(diary) == "create:one:one_schema:1:1 start ");
    instance.reset();
    CHECK(test::read_file(diary) == "create:one:one_schema:1:1 start drain destroy ");
}

TEST_CASE("an instance that declines to be created gives its reason and is not destroyed") {
    test::Directories directories;
    const auto module = load(directories, "lifecycle");
    const fs::path diary = directories.root / "diary";
    std::string reason;
    CHECK_FALSE(plugin::Instance::create(module, "one", "one", "{\"path\":\"" + diary.string() + "\",\"x\":\"fail-create\"}", reason));
    CHECK(reason == "no such greeting");
    CHECK_FALSE(fs::exists(diary));
}

TEST_CASE("an instance that fails to start is destroyed without being drained") {
    test::Directories directories;
    const auto module = load(directories, "lifecycle");
    const fs::path diary = directories.root / "diary";
    std::string reason;
    CHECK_FALSE(plugin::Instance::create(module, "one", "one", "{\"path\":\"" + diary.string() + "\",\"x\":\"fail-start\"}", reason));
    CHECK(reason.find("start returned status 4") != std::string::npos);
    CHECK(test::read_file(diary) == "create:one:one:1:1 start destroy ");
}

TEST_CASE("a plugin without a life of its own has a null instance") {
    test::Directories directories;
    std::string reason;
    const auto instance = plugin::Instance::create(load(directories, "good"), "one", "one", "{}", reason);
    REQUIRE(instance);
    CHECK(instance->handle() == nullptr);
}

TEST_CASE("exceptions of a plugin end at the host's calls") {
    test::Directories directories;
    const auto module = load(directories, "throwing");
    std::string reason;
    CHECK_FALSE(plugin::Instance::create(module, "one", "one", "{\"x\":1}", reason));
    CHECK(reason.find("thrown by create") != std::string::npos);
    auto instance = plugin::Instance::create(module, "one", "one", "{}", reason);
    REQUIRE(instance);
    CHECK_NOTHROW(instance.reset());
}
