// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"
#include "place.hpp"

#include "store/store.hpp"

#include <cstddef>
#include <map>
#include <string>

namespace weir::store::postgresql {

struct ExistingTable;

/// How many characters the texts of a `dead_letter_queue` take that another program made, by column; those without a limit are left out.
using LetterLimits = std::map<std::string, std::size_t>;
LetterLimits letter_limits(const ExistingTable &queue);

/// An expression for a text of `column`: where it is longer than the column takes, so much of it as fits, ended by three dots.
std::string clipped(const std::string &expression, const char *column, const LetterLimits &limits);

/// Keeps a letter; one whose event has a letter already is left as it is.
Command insert_letter(const Place &place, const LetterLimits &limits, const DeadLetter &letter);

} // namespace weir::store::postgresql
