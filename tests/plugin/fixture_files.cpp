// SPDX-License-Identifier: Apache-2.0
#include "fixture_files.hpp"

#include <algorithm>
#include <cstring>
#include <sys/stat.h>

namespace weir::test {

namespace fs = std::filesystem;

fs::path fixture(const std::string &name) { return build_directory() / "tests" / "fixtures" / (name + ".so"); }

std::vector<std::byte> fixture_bytes(const std::string &name) {
    const std::string text = read_file(fixture(name));
    std::vector<std::byte> bytes(text.size());
    std::memcpy(bytes.data(), text.data(), text.size());
    return bytes;
}

std::vector<std::string> trial_command() { return {(build_directory() / "tests" / "plugin_trial_program").string()}; }

void write_bytes(const fs::path &path, const std::vector<std::byte> &bytes) {
    write_file(path, std::string(reinterpret_cast<const char *>(bytes.data()), bytes.size()));
}

void place(const std::string &fixture_name, const fs::path &target) {
    fs::copy_file(fixture(fixture_name), target, fs::copy_options::overwrite_existing);
    chmod(target.c_str(), 0644);
}

Directories::Directories() : plugins(root / "plugins"), copies(root / "copies") {
    mkdir(plugins.c_str(), 0755);
    chmod(plugins.c_str(), 0755);
}

plugin::LoadOptions Directories::loading() const {
    plugin::LoadOptions options;
    options.private_directory = copies;
    options.trial_command = trial_command();
    options.trial_deadline = std::chrono::seconds(20);
    return options;
}

void Told::add(std::string line) {
    const std::lock_guard guard(mutex_);
    lines_.push_back(std::move(line));
}

plugin::CatalogListener Told::listener() {
    plugin::CatalogListener listener;
    listener.loaded = [this](std::shared_ptr<const plugin::Module> module) {
        add("loaded " + module->description().name + " " + module->description().version + " generation " +
            std::to_string(module->generation()));
        const std::lock_guard guard(mutex_);
        last_ = std::move(module);
    };
    listener.removed = [this](const std::string &name) { add("removed " + name); };
    listener.refused = [this](const plugin::PluginRefusal &refusal) {
        add("refused " + refusal.file.filename().string() + " " + refusal.code);
    };
    return listener;
}

std::vector<std::string> Told::lines() const {
    const std::lock_guard guard(mutex_);
    return lines_;
}

std::size_t Told::count(const std::string &line) const {
    const std::vector<std::string> all = lines();
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), line));
}

bool Told::hears(const std::string &line, std::chrono::milliseconds deadline) const {
    return eventually([&] { return count(line) > 0; }, deadline);
}

std::shared_ptr<const plugin::Module> Told::last() const {
    const std::lock_guard guard(mutex_);
    return last_;
}

} // namespace weir::test
