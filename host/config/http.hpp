// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "values.hpp"

namespace weir::config {

/// Why a text is no address to listen on, no secret, no origin; empty where it is.
std::string check_address(const std::string &text);
std::string check_secret(const std::string &text);
std::string check_origin(const std::string &text);

/// Reads the keys below "http." and notes each as a setting; then what depends on others: a token that stands in a file, one address for
/// two listeners.
void read_http(const Leaves &leaves, Load &load, HttpConfig &http);

} // namespace weir::config
