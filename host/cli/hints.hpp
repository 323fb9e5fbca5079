// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace weir::cli {

/// A word as a shell takes it: as it is where that is safe, else in single quotes.
std::string shell_word(std::string_view word);

/// What a message advises, to be pasted: each command in it, 'weir ...' or `weir ...`, ends with `-c FILE` where it takes that and has
/// none.
/// @param file the configuration that the user named; empty: none
std::string with_config(std::string text, const std::string &file);

} // namespace weir::cli
