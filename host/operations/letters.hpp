// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::operations {

std::string_view status_name(store::DeadLetterStatus status) noexcept;
std::optional<store::DeadLetterStatus> status_named(std::string_view name) noexcept;

/// How a dead letter is asked for: by its number, or by its event's UUID.
struct LetterId {
    std::optional<event::Uuid> event_id;
    std::int64_t number = 0;
};
/// Nothing where the text is neither.
std::optional<LetterId> parse_letter_id(std::string_view text);

std::optional<store::DeadLetter> find_letter(store::Session &session, const LetterId &id);

/// Marks one as dropped. @return false where it isn't pending any more
bool drop_letter(store::Session &session, const store::DeadLetter &letter);

} // namespace weir::operations
