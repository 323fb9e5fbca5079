// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace weir::test {

/// The checkout, and the build directory of the running test.
std::filesystem::path source_directory();
std::filesystem::path build_directory();

/// A directory of its own that is gone when the test is.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory &) = delete;
    TemporaryDirectory &operator=(const TemporaryDirectory &) = delete;
    const std::filesystem::path &path() const { return path_; }
    std::filesystem::path operator/(const std::string &name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

/// Waits until `condition` holds; false where it still doesn't at the deadline. Polls every few milliseconds.
bool eventually(const std::function<bool()> &condition, std::chrono::milliseconds deadline = std::chrono::seconds(20));

/// The seed of this run: WEIR_TEST_SEED where it is set, else from the clock; printed once, so that a failure can be run again.
std::uint64_t seed();

std::string read_file(const std::filesystem::path &path);
void write_file(const std::filesystem::path &path, const std::string &content);

} // namespace weir::test
