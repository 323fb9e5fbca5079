// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/time.hpp"
#include "event/uuid.hpp"

#include <array>
#include <string_view>

namespace weir::event {

/// A UUID's text without an allocation.
class UuidText {
public:
    static constexpr std::size_t kSize = 36;

    explicit UuidText(const Uuid &id) noexcept;
    operator std::string_view() const noexcept { return {text_.data(), text_.size()}; } // NOLINT: it stands for its text

private:
    std::array<char, kSize> text_;
};

/// Whether a text that `parse_time` takes is what `format_time` writes for the same time.
bool is_canonical_time(std::string_view time) noexcept;

} // namespace weir::event
