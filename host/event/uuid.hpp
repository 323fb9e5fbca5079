// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::event {

/// A UUID as its 16 bytes in network order, so that comparing bytes is comparing text.
struct Uuid {
    std::array<std::uint8_t, 16> bytes{};

    /// Reads the 36-character form, any case; anything else is nothing. [RFC 9562, section 4]
    static std::optional<Uuid> parse(std::string_view text) noexcept;

    /// Brings the 36-character form to lower case. @return false, with nothing changed, where the text is something else
    static bool lower(std::span<char> text) noexcept;

    /// UUIDv5: SHA-1 over the namespace's bytes and the name. [RFC 9562, section 5.5]
    static Uuid v5(const Uuid &name_space, std::string_view name);

    /// A random UUID (version 4), for names of processes and topics, never for anything a rerun must repeat.
    static Uuid random();

    /// 36 characters, lower case.
    std::string text() const;

    friend auto operator<=>(const Uuid &, const Uuid &) = default;
};

/// The namespace of every id that Weir derives from a name alone (topics, CloudEvents sources). Fixed for ever.
const Uuid &weir_namespace() noexcept;

} // namespace weir::event

template <> struct std::hash<weir::event::Uuid> { std::size_t operator()(const weir::event::Uuid &id) const noexcept; };
