// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace weir::store::sqlite {

/// Throws what an SQLite result code means for the caller: RunAgain, Unavailable, DataRefused or SchemaWrong.
/// @param code the extended result code
/// @param message SQLite's own words; they name tables and columns, never values
/// @param place which store, to be named in the message
[[noreturn]] void throw_failure(int code, const std::string &message, const std::string &place);

/// Whether the code says that a row with this primary key exists.
bool is_key_conflict(int code) noexcept;

} // namespace weir::store::sqlite
