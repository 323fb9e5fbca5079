// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

namespace weir::test {

namespace {
std::filesystem::path from_environment(const char *name) {
    const char *value = std::getenv(name);
    if (!value) {
        throw std::runtime_error(std::string(name) + " is not set: run the tests through ctest");
    }
    return value;
}
} // namespace

std::filesystem::path source_directory() { return from_environment("WEIR_TEST_SOURCE_DIR"); }
std::filesystem::path build_directory() { return from_environment("WEIR_TEST_BUILD_DIR"); }

TemporaryDirectory::TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "weir-test-XXXXXX").string();
    if (!mkdtemp(pattern.data())) {
        throw std::runtime_error("no temporary directory can be made at " + pattern);
    }
    path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

bool eventually(const std::function<bool()> &condition, std::chrono::milliseconds deadline) {
    // Long deadlines are for what never comes. A machine may stand still for many seconds, and waiting costs nothing where things go well.
    if (deadline >= std::chrono::seconds(10)) {
        deadline = std::max<std::chrono::milliseconds>(deadline, std::chrono::minutes(3));
    }
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) {
            return condition();
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
    }
    return true;
}

std::uint64_t seed() {
    static const std::uint64_t value = [] {
        const char *given = std::getenv("WEIR_TEST_SEED");
        const std::uint64_t chosen = given ? std::strtoull(given, nullptr, 10)
                                           : static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
        std::printf("WEIR_TEST_SEED=%llu\n", static_cast<unsigned long long>(chosen));
        return chosen;
    }();
    return value;
}

std::string read_file(const std::filesystem::path &path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        throw std::runtime_error("cannot read " + path.string());
    }
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write_file(const std::filesystem::path &path, const std::string &content) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    if (!out.flush()) {
        throw std::runtime_error("cannot write " + path.string());
    }
}

} // namespace weir::test
