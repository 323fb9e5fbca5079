// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store.hpp"

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

namespace weir::test {

/// Whether the program's tests run on PostgreSQL, with several batches of a domain under way at once (WEIR_TEST_STORE=postgresql); else on
/// SQLite.
bool on_postgresql();

/// An empty store: files in this directory, or a database of its own on a server that all tests of the program share.
/// @param busy_timeout SQLite's alone
std::unique_ptr<store::Store> open_test_store(const std::filesystem::path &directory, std::chrono::milliseconds busy_timeout);

/// The port of the server that holds the store that was opened last; of PostgreSQL alone.
std::uint16_t test_store_port();
/// That store once more, through another port of 127.0.0.1.
std::unique_ptr<store::Store> open_test_store_at(std::uint16_t port);

/// Runs a statement as another program would, in the store that was opened last. @param schema that it is about
void run_in_test_store(const std::filesystem::path &directory, const std::string &schema, const std::string &statement);

} // namespace weir::test
