// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/catalog.hpp"
#include "support.hpp"

#include <cstddef>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

namespace weir::test {

/// A plugin that was built for the tests: "good" is good.so.
std::filesystem::path fixture(const std::string &name);

std::vector<std::byte> fixture_bytes(const std::string &name);

/// The program that loads a file for a trial.
std::vector<std::string> trial_command();

void write_bytes(const std::filesystem::path &path, const std::vector<std::byte> &bytes);

/// Copies a fixture, under a name of its own, with rights that a plugin may have.
void place(const std::string &fixture_name, const std::filesystem::path &target);

/// A plugin directory and a private one.
struct Directories {
    Directories();
    TemporaryDirectory root;
    std::filesystem::path plugins;
    std::filesystem::path copies;
    plugin::LoadOptions loading() const; ///< with trials
};

/// Everything that a catalog told, in order: "loaded good 1.0.0 generation 1", "removed good", "refused good.so no_entry". Thread-safe.
class Told {
public:
    plugin::CatalogListener listener();
    std::vector<std::string> lines() const;
    std::size_t count(const std::string &line) const;
    /// Waits for a line. False at the deadline.
    bool hears(const std::string &line, std::chrono::milliseconds deadline = std::chrono::seconds(20)) const;
    std::shared_ptr<const plugin::Module> last() const;

private:
    void add(std::string line);
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
    std::shared_ptr<const plugin::Module> last_;
};

} // namespace weir::test
