// SPDX-License-Identifier: Apache-2.0
/// @file
/// The types of values that columns and events hold. Each is a type of its own, so that a name can't end up in a column of ids.
#pragma once

#include "../abi.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weir {

/// A point in time in microseconds since 1970-01-01T00:00:00Z.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

/// A UUID in its 36 characters, always lower case. A value: it may be kept.
class Uuid {
public:
    /// The nil UUID.
    constexpr Uuid() {
        text_.fill('0');
        text_[8] = text_[13] = text_[18] = text_[23] = '-';
    }

    /// Reads the 36-character form in any case; nothing where `text` is anything else.
    static constexpr std::optional<Uuid> parse(std::string_view text) noexcept {
        Uuid uuid;
        if (text.size() != uuid.text_.size()) {
            return std::nullopt;
        }
        // Without branches on the digits, which are random: keys are read several times an event.
        std::uint8_t wrong = 0;
        std::uint8_t hyphens = 0;
        for (std::size_t i = 0; i < uuid.text_.size(); ++i) {
            const auto c = static_cast<std::uint8_t>(text[i]);
            const bool hyphen = c == '-';
            const bool number = static_cast<std::uint8_t>(c - '0') <= 9;
            const bool letter = static_cast<std::uint8_t>((c | 0x20) - 'a') <= 5;
            wrong = static_cast<std::uint8_t>(wrong | !(hyphen | number | letter));
            hyphens = static_cast<std::uint8_t>(hyphens + hyphen);
            uuid.text_[i] = static_cast<char>(c | 0x20); // hyphens and digits have that bit already
        }
        if (wrong || hyphens != 4 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') {
            return std::nullopt;
        }
        return uuid;
    }

    /// The 36 characters, for as long as this object lives.
    constexpr std::string_view text() const noexcept { return {text_.data(), text_.size()}; }

    /// Compares the bytes, which is the order of the text.
    friend constexpr auto operator<=>(const Uuid &, const Uuid &) = default;

private:
    std::array<char, 36> text_{};
};

/// An exact decimal number with `Scale` digits after the point, as the integer `unscaled` = value × 10^Scale.
template <unsigned Scale> struct Decimal {
    static_assert(Scale <= 18, "a decimal has up to 18 digits");
    static constexpr unsigned kScale = Scale; ///< digits after the point
    std::int64_t unscaled = 0;                ///< 12.50 with Scale 2 is 1250

    /// Reads decimal notation ("-12.5"); nothing where it is none, has more than `Scale` digits after the point or doesn't fit.
    static constexpr std::optional<Decimal> parse(std::string_view text) noexcept {
        const bool negative = !text.empty() && text.front() == '-';
        text.remove_prefix(negative ? 1 : 0);
        std::int64_t value = 0;
        unsigned digits_after = 0;
        bool point = false;
        bool any = false;
        const auto append = [&value](int digit) {
            return !__builtin_mul_overflow(value, std::int64_t{10}, &value) && !__builtin_add_overflow(value, std::int64_t{digit}, &value);
        };
        for (const char c : text) {
            if (c == '.' && !point && any) {
                point = true;
                any = false;
            } else if (c >= '0' && c <= '9' && digits_after < Scale + (point ? 0u : 1u)) {
                any = true;
                digits_after += point ? 1 : 0;
                if (!append(c - '0')) {
                    return std::nullopt;
                }
            } else {
                return std::nullopt;
            }
        }
        for (; any && digits_after < Scale; ++digits_after) {
            if (!append(0)) {
                return std::nullopt;
            }
        }
        if (!any) {
            return std::nullopt;
        }
        return Decimal{negative ? -value : value};
    }

    /// Compares the numbers.
    friend constexpr auto operator<=>(const Decimal &, const Decimal &) = default;
};

/// JSON text, unparsed. Borrowed: what it was made from must live until it has been handed over.
struct Json {
    std::string_view text; ///< the JSON

    /// Takes text that is known to be JSON; the host checks it.
    constexpr explicit Json(std::string_view json) noexcept : text(json) {}
};

/// Bytes that need not be text. Borrowed like `Json`.
struct Bytes {
    std::string_view data; ///< the bytes

    /// Takes any bytes.
    constexpr explicit Bytes(std::string_view bytes) noexcept : data(bytes) {}
};

/// Thrown to turn the event away for good: it becomes a dead letter with this reason.
class Reject : public std::runtime_error {
public:
    /// @param code    short and stable, "unknown_plan"
    /// @param message a sentence for the operator, without personal data
    Reject(std::string code, const std::string &message) : std::runtime_error(message), code_(std::move(code)) {}
    /// The code, for as long as this object lives.
    const std::string &code() const noexcept { return code_; }

private:
    std::string code_;
};

/// Thrown to have the event run again later, because something outside is not there right now.
class Retry : public Reject {
public:
    using Reject::Reject;
};

/// Thrown to stop the whole domain: nothing is decided and the operator is told the reason.
class Fatal : public Reject {
public:
    using Reject::Reject;
};

/// Thrown where an event is none of this domain's business: its changes are dropped and it counts as ignored.
struct Skip {};

/// @cond internal
namespace detail {

constexpr weir_view view(std::string_view text) noexcept { return {text.data(), text.size()}; }
inline std::string_view text(weir_view view) noexcept { return view.size ? std::string_view{view.data, view.size} : std::string_view{}; }

/// A mistake in the plugin itself, found while a handler runs.
[[noreturn]] inline void plugin_error(const std::string &message) { throw Reject("plugin_error", message); }

} // namespace detail
/// @endcond

} // namespace weir
