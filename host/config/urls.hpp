// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keys.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace weir::config {

/// Checks a broker's or store's url and makes its path absolute. An empty path stays empty: the default place, see `fill_default_place`.
/// A server's address, and the values of parameters, are left to the adapter that opens it.
/// @return what is wrong and what to write; empty: nothing
std::string check_url(Type type, const std::filesystem::path &base, std::string &url);

/// The same for a domain's redis.url.
std::string check_redis_url(std::string_view url);

/// Puts the path in where the url has none.
void fill_default_place(Type type, const std::filesystem::path &place, std::string &url);

} // namespace weir::config
