// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

/// The candidate that is so near to `word` that a typing error is likely (Damerau-Levenshtein, case ignored); empty: none is.
std::string nearest(std::string_view word, const std::vector<std::string> &candidates);

/// " (did you mean \"x\"?)", or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string> &candidates);

/// Whether a key's or a variable's name says that its value is a secret: password, token, secret, credential, private or api key.
bool names_a_secret(std::string_view name);

/// The url with its password replaced: in "user:PASSWORD@", and in query parameters whose names say so.
std::string mask_url(std::string_view url);

/// Readable in one line of a message: control characters and bytes outside ASCII are escaped, long texts cut.
std::string in_quotes(std::string_view text);

/// Levels joined with '.', from one to the next.
std::string join_path(std::string_view prefix, std::string_view name);

/// One more level of a JSON pointer, escaped by RFC 6901.
std::string join_pointer(std::string_view prefix, std::string_view name);

inline constexpr std::string_view kMask = "***";

} // namespace weir::config
