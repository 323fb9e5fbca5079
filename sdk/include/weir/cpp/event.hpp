// SPDX-License-Identifier: Apache-2.0
/// @file
/// The event that a handler is given.
#pragma once

#include "values.hpp"

namespace weir {

/// A member of a payload that may be absent, null, or there: outer nothing = absent, inner nothing = null.
template <class T> using Carried = std::optional<std::optional<T>>;

/**
 * One event. Members are named by JSON pointers (RFC 6901) into the payload. For each type there are three questions:
 *
 *     text("/email")           it must be there: absent, null or another type rejects the event, naming the pointer
 *     optional_text("/email")  nothing where it is absent or null; another type rejects
 *     carried_text("/email")   tells absent (no value) from null (a value of nothing); another type rejects
 *
 * Everything it returns is valid until the handler returns. Not copyable: copy what you keep.
 */
class Event {
public:
    /// @param event as the host handed it over; outlives this
    /// @param place what the pointers in reasons begin with; lives as long
    explicit Event(const weir_event_v1 &event, std::string_view place = "/payload") noexcept : event_(event), place_(place) {}
    Event(const Event &) = delete;
    Event &operator=(const Event &) = delete;

    /// The event's id.
    Uuid id() const { return *Uuid::parse(detail::text(event_.event_id)); }
    /// "user.created.v1"
    std::string_view type() const noexcept { return detail::text(event_.event_type); }
    /// The tenant as sent (UUIDs in lower case); empty where there is none.
    std::string_view tenant_id() const noexcept { return detail::text(event_.tenant_id); }
    /// The tenant where tenants are UUIDs; anything else rejects the event.
    Uuid tenant_uuid() const {
        const auto uuid = Uuid::parse(tenant_id());
        if (!uuid) {
            throw Reject("invalid_field", "/tenant_id: must be a UUID");
        }
        return *uuid;
    }
    /// As sent; empty where there is none.
    std::string_view correlation_id() const noexcept { return detail::text(event_.correlation_id); }
    /// The topic it came from.
    std::string_view topic() const noexcept { return detail::text(event_.topic); }
    /// What orders it; empty where only its partition does.
    std::string_view key() const noexcept { return detail::text(event_.key); }
    /// When it happened, by the envelope.
    Timestamp occurred_at() const noexcept { return Timestamp(std::chrono::microseconds(event_.occurred_at_us)); }
    /// When the broker took it.
    Timestamp appended_at() const noexcept { return Timestamp(std::chrono::microseconds(event_.appended_at_us)); }
    /// The envelope's schema version; 0 where it has none.
    std::uint32_t schema_version() const noexcept { return event_.schema_version; }
    /// 1 on the first run.
    std::uint32_t attempt() const noexcept { return event_.attempt; }
    /// The whole message as it was sent, for those who bring a parser.
    std::string_view message() const noexcept { return detail::text(event_.message); }

    /// WEIR_JSON_* of what is there.
    std::uint32_t kind(std::string_view pointer) const noexcept { return event_.kind(&event_, detail::view(pointer)); }
    /// Whether there is anything, null included.
    bool has(std::string_view pointer) const noexcept { return kind(pointer) != WEIR_JSON_ABSENT; }
    /// Whether null stands there.
    bool is_null(std::string_view pointer) const noexcept { return kind(pointer) == WEIR_JSON_NULL; }
    /// Elements of an array or members of an object; nothing where it is neither.
    std::optional<std::uint64_t> length(std::string_view pointer) const noexcept {
        std::uint64_t length = 0;
        return event_.length(&event_, detail::view(pointer), &length) == WEIR_FOUND ? std::optional(length) : std::nullopt;
    }
    /// A header that the broker carried beside the message.
    std::optional<std::string_view> header(std::string_view name) const noexcept {
        weir_view found{};
        return event_.header(&event_, detail::view(name), &found) == WEIR_FOUND ? std::optional(detail::text(found)) : std::nullopt;
    }

    /// What is there, as a `T`: std::string_view, std::int64_t, double, bool, Uuid, Timestamp, a Decimal or Json. The functions below
    /// spell it out.
    template <class T> Carried<T> carried(std::string_view pointer) const {
        std::optional<T> value;
        return get(pointer, value) == WEIR_ABSENT ? Carried<T>() : Carried<T>(std::in_place, value);
    }
    /// As `carried`, with absent and null alike.
    template <class T> std::optional<T> optional(std::string_view pointer) const {
        std::optional<T> value;
        get(pointer, value);
        return value;
    }
    /// As `carried`, but it must be there and not be null.
    template <class T> T required(std::string_view pointer) const {
        std::optional<T> value;
        const weir_answer answer = get(pointer, value);
        if (answer != WEIR_FOUND || !value) {
            throw Reject("missing_field", where(pointer) + (answer == WEIR_ABSENT ? ": is missing" : ": must not be null"));
        }
        return *value;
    }

    /// @name Required members
    /// @{
    std::string_view text(std::string_view pointer) const { return required<std::string_view>(pointer); }
    /// A whole number.
    std::int64_t integer(std::string_view pointer) const { return required<std::int64_t>(pointer); }
    /// Any number.
    double number(std::string_view pointer) const { return required<double>(pointer); }
    /// true or false.
    bool boolean(std::string_view pointer) const { return required<bool>(pointer); }
    /// A string that is a UUID.
    Uuid uuid(std::string_view pointer) const { return required<Uuid>(pointer); }
    /// A string that is an RFC 3339 time with a zone.
    Timestamp timestamp(std::string_view pointer) const { return required<Timestamp>(pointer); }
    /// Whatever is there, null included, as JSON text.
    Json json(std::string_view pointer) const { return required<Json>(pointer); }
    /// @}
    /// @name Optional members
    /// @{
    std::optional<std::string_view> optional_text(std::string_view pointer) const { return optional<std::string_view>(pointer); }
    /// A whole number. Nothing where it is absent or null.
    std::optional<std::int64_t> optional_integer(std::string_view pointer) const { return optional<std::int64_t>(pointer); }
    /// Any number. Nothing where it is absent or null.
    std::optional<double> optional_number(std::string_view pointer) const { return optional<double>(pointer); }
    /// true or false. Nothing where it is absent or null.
    std::optional<bool> optional_boolean(std::string_view pointer) const { return optional<bool>(pointer); }
    /// A string that is a UUID. Nothing where it is absent or null.
    std::optional<Uuid> optional_uuid(std::string_view pointer) const { return optional<Uuid>(pointer); }
    /// A string that is an RFC 3339 time with a zone. Nothing where it is absent or null.
    std::optional<Timestamp> optional_timestamp(std::string_view pointer) const { return optional<Timestamp>(pointer); }
    /// Whatever is there, as JSON text. Nothing where it is absent or null.
    std::optional<Json> optional_json(std::string_view pointer) const { return optional<Json>(pointer); }
    /// @}
    /// @name Members where absent and null mean different things
    /// @{
    Carried<std::string_view> carried_text(std::string_view pointer) const { return carried<std::string_view>(pointer); }
    /// A whole number. Tells absent from null.
    Carried<std::int64_t> carried_integer(std::string_view pointer) const { return carried<std::int64_t>(pointer); }
    /// Any number. Tells absent from null.
    Carried<double> carried_number(std::string_view pointer) const { return carried<double>(pointer); }
    /// true or false. Tells absent from null.
    Carried<bool> carried_boolean(std::string_view pointer) const { return carried<bool>(pointer); }
    /// A string that is a UUID. Tells absent from null.
    Carried<Uuid> carried_uuid(std::string_view pointer) const { return carried<Uuid>(pointer); }
    /// A string that is an RFC 3339 time with a zone. Tells absent from null.
    Carried<Timestamp> carried_timestamp(std::string_view pointer) const { return carried<Timestamp>(pointer); }
    /// @}

private:
    std::string where(std::string_view pointer) const {
        return place_.empty() && pointer.empty() ? "the body" : std::string(place_).append(pointer);
    }

    [[noreturn]] void wrong(std::string_view pointer, const char *expected) const {
        throw Reject("invalid_field", where(pointer) + ": must be " + expected);
    }

    /// Found with a value, absent, or null; anything else is thrown.
    template <class T> weir_answer get(std::string_view pointer, std::optional<T> &out) const;

    /// Turns an answer into a value; `expected` is for the message.
    template <class T, class Raw, class Convert>
    weir_answer take(weir_answer answer, const Raw &raw, std::string_view pointer, const char *expected, std::optional<T> &out,
                     Convert convert) const {
        if (answer == WEIR_FOUND) {
            out = convert(raw);
        }
        if (answer != WEIR_ABSENT && answer != WEIR_NULL && !out) {
            wrong(pointer, expected);
        }
        return answer;
    }

    const weir_event_v1 &event_;
    std::string_view place_;
};

/// @cond internal
namespace detail {
template <class T> inline constexpr bool is_decimal = false;
template <unsigned S> inline constexpr bool is_decimal<Decimal<S>> = true;
} // namespace detail
/// @endcond

template <class T> weir_answer Event::get(std::string_view pointer, std::optional<T> &out) const {
    const weir_view at = detail::view(pointer);
    const auto as_is = [](const auto &raw) { return std::optional<T>(static_cast<T>(raw)); };
    if constexpr (std::is_same_v<T, std::string_view>) {
        weir_view raw{};
        return take(event_.text(&event_, at, &raw), raw, pointer, "text", out, [](weir_view v) { return detail::text(v); });
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
        std::int64_t raw = 0;
        return take(event_.integer(&event_, at, &raw), raw, pointer, "a whole number", out, as_is);
    } else if constexpr (std::is_same_v<T, double>) {
        double raw = 0;
        return take(event_.number(&event_, at, &raw), raw, pointer, "a number", out, as_is);
    } else if constexpr (std::is_same_v<T, bool>) {
        std::int32_t raw = 0;
        return take(event_.boolean(&event_, at, &raw), raw, pointer, "true or false", out, as_is);
    } else if constexpr (std::is_same_v<T, Uuid>) {
        weir_view raw{};
        return take(event_.text(&event_, at, &raw), raw, pointer, "a UUID", out, [](weir_view v) { return Uuid::parse(detail::text(v)); });
    } else if constexpr (std::is_same_v<T, Timestamp>) {
        std::int64_t raw = 0;
        return take(event_.timestamp(&event_, at, &raw), raw, pointer, "an RFC 3339 time with a zone", out,
                    [](std::int64_t us) { return Timestamp(std::chrono::microseconds(us)); });
    } else if constexpr (std::is_same_v<T, Json>) {
        weir_view raw{};
        return take(event_.json(&event_, at, &raw), raw, pointer, "JSON", out, [](weir_view v) { return Json(detail::text(v)); });
    } else {
        static_assert(detail::is_decimal<T>, "an event holds text, whole numbers, numbers, bools, UUIDs, times, decimals or JSON");
        const std::uint32_t found = kind(pointer);
        weir_view raw{};
        weir_answer answer = WEIR_WRONG_TYPE; // decimals come as numbers or, where digits matter to the sender, as text
        if (found == WEIR_JSON_TEXT) {
            answer = event_.text(&event_, at, &raw);
        } else if (found == WEIR_JSON_INTEGER || found == WEIR_JSON_NUMBER) {
            answer = event_.json(&event_, at, &raw);
        } else if (found == WEIR_JSON_ABSENT || found == WEIR_JSON_NULL) {
            answer = found == WEIR_JSON_NULL ? WEIR_NULL : WEIR_ABSENT;
        }
        if (answer == WEIR_FOUND) {
            out = T::parse(detail::text(raw));
        }
        if (answer != WEIR_ABSENT && answer != WEIR_NULL && !out) {
            wrong(pointer,
                  ("a decimal number of up to 18 digits, at most " + std::to_string(T::kScale) + " of them behind the point").c_str());
        }
        return answer;
    }
}

} // namespace weir
