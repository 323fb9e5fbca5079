// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <memory>
#include <string>

namespace weir::test {

std::unique_ptr<store::Store> open_at(const std::filesystem::path &directory);

/// What another program does to a file, which must not be open in this process.
void run_sql(const std::filesystem::path &file, const std::string &sql);
/// The first column of the first row.
std::string one_text(const std::filesystem::path &file, const std::string &sql);

/// Runs what has to throw an `Error`. @return its message
template <class Error, class Work> std::string message_of(Work work) {
    try {
        work();
    } catch (const Error &error) {
        return error.what();
    } catch (const std::exception &error) {
        FAIL("another error: " << error.what());
    }
    FAIL("no error");
    return "";
}

} // namespace weir::test
