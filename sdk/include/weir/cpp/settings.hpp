// SPDX-License-Identifier: Apache-2.0
/// @file
/// A domain's settings, and what an instance is made from.
#pragma once

#include "values.hpp"

#include <vector>

namespace weir {

/// A setting that can't be used; what() names it and says what it must be. The instance is not made then, and the host tells the operator.
class SettingsError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/**
 * Reads the members of a flat JSON object. A member that the domain's configuration doesn't set has the value that
 * `Plugin::settings` declares; one that neither has is an error in the plugin and throws SettingsError as well.
 * Members that are objects, or arrays of anything but texts, can be had as JSON text only: bring a parser for more.
 */
class Settings {
public:
    /// @param json     a JSON object or empty, borrowed
    /// @param defaults a JSON object or empty, borrowed
    Settings(std::string_view json, std::string_view defaults) noexcept : json_(json), defaults_(defaults) {}

    /// Whether the member is there, in the configuration or among the defaults.
    bool has(std::string_view name) const { return !find(name).empty(); }

    /// A member that is true or false.
    bool boolean(std::string_view name) const {
        const auto raw = get(name);
        if (raw != "true" && raw != "false") {
            wrong(name, "true or false");
        }
        return raw == "true";
    }
    /// A member that is a whole number from `least` to `greatest`.
    std::int64_t integer(std::string_view name, std::int64_t least = INT64_MIN, std::int64_t greatest = INT64_MAX) const {
        const auto value = parse<std::int64_t>(get(name));
        if (!value || *value < least || *value > greatest) {
            wrong(name, "a whole number from " + std::to_string(least) + " to " + std::to_string(greatest));
        }
        return *value;
    }
    /// A member that is a number.
    double number(std::string_view name) const {
        const auto value = parse<double>(get(name));
        if (!value) {
            wrong(name, "a number");
        }
        return *value;
    }
    /// A member that is text.
    std::string text(std::string_view name) const {
        const auto raw = get(name);
        if (raw.size() < 2 || raw.front() != '"') {
            wrong(name, "text");
        }
        return unescape(raw.substr(1, raw.size() - 2));
    }
    /// A member that is a list of texts, up to `most` of them.
    std::vector<std::string> texts(std::string_view name, std::size_t most = 1000) const {
        const auto raw = get(name);
        std::vector<std::string> out;
        std::size_t at = skip_space(raw, 1);
        bool right = raw.front() == '[';
        while (right && at < raw.size() && raw[at] != ']') {
            const std::size_t end = std::min(skip_text(raw, at), raw.size());
            right = raw[at] == '"' && out.size() < most;
            if (right) {
                out.push_back(unescape(raw.substr(at + 1, end - at - 2)));
                at = skip_space(raw, end);
                at = at < raw.size() && raw[at] == ',' ? skip_space(raw, at + 1) : at;
            }
        }
        if (!right) {
            wrong(name, "a list of up to " + std::to_string(most) + " texts");
        }
        return out;
    }
    /// A member as JSON text, whatever it is. Borrowed from the settings: copy it to keep it.
    Json json(std::string_view name) const { return Json(get(name)); }

private:
    [[noreturn]] static void wrong(std::string_view name, const std::string &expected) {
        throw SettingsError("settings." + std::string(name) + " must be " + expected);
    }

    std::string_view get(std::string_view name) const {
        const auto raw = find(name);
        if (raw.empty()) {
            throw SettingsError("settings." + std::string(name) + " is not set, and the plugin declares no default for it");
        }
        return raw;
    }
    std::string_view find(std::string_view name) const {
        const auto raw = find_in(json_, name);
        return raw.empty() ? find_in(defaults_, name) : raw;
    }

    template <class T> static std::optional<T> parse(std::string_view raw) noexcept {
        T value{};
        const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
        return error == std::errc() && end == raw.data() + raw.size() ? std::optional(value) : std::nullopt;
    }

    static std::size_t skip_space(std::string_view json, std::size_t at) noexcept {
        while (at < json.size() && std::string_view(" \t\r\n").find(json[at]) != std::string_view::npos) {
            ++at;
        }
        return at;
    }
    /// Past the string that begins at `at`.
    static std::size_t skip_text(std::string_view json, std::size_t at) noexcept {
        for (++at; at < json.size() && json[at] != '"'; ++at) {
            at += json[at] == '\\' ? 1 : 0;
        }
        return at + 1;
    }
    /// Past the value that begins at `at`. The host has checked that this is JSON.
    static std::size_t skip_value(std::string_view json, std::size_t at) noexcept {
        for (int depth = 0; at < json.size();) {
            const char c = json[at];
            if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
                break;
            }
            depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
            at = c == '"' ? skip_text(json, at) : at + 1;
        }
        return at;
    }
    /// The JSON text of a member, empty where there is none. The last one of a name counts.
    static std::string_view find_in(std::string_view json, std::string_view name) {
        std::string_view found;
        std::size_t at = skip_space(json, 0);
        if (at >= json.size() || json[at] != '{') {
            return found;
        }
        for (at = skip_space(json, at + 1); at < json.size() && json[at] == '"'; at = skip_space(json, at + 1)) {
            const std::size_t name_end = std::min(skip_text(json, at), json.size());
            const auto raw_name = json.substr(at + 1, name_end - at - 2);
            at = skip_space(json, skip_space(json, name_end) + 1); // past the colon
            std::size_t end = std::min(skip_value(json, at), json.size());
            const std::size_t next = end;
            while (end > at && std::string_view(" \t\r\n").find(json[end - 1]) != std::string_view::npos) {
                --end;
            }
            if (unescape(raw_name) == name) {
                found = json.substr(std::min(at, json.size()), end - std::min(at, end));
            }
            at = next;
        }
        return found;
    }

    static void append_utf8(std::string &out, std::uint32_t code) {
        if (code < 0x80) {
            out += static_cast<char>(code);
        } else if (code < 0x800) {
            out += static_cast<char>(0xC0 | (code >> 6));
            out += static_cast<char>(0x80 | (code & 0x3F));
        } else if (code < 0x10000) {
            out += static_cast<char>(0xE0 | (code >> 12));
            out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
            out += static_cast<char>(0x80 | (code & 0x3F));
        } else {
            out += static_cast<char>(0xF0 | (code >> 18));
            out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
            out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
            out += static_cast<char>(0x80 | (code & 0x3F));
        }
    }
    static std::uint32_t hexadecimal(std::string_view digits) noexcept {
        std::uint32_t code = 0;
        std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
        return code;
    }
    static std::string unescape(std::string_view raw) {
        std::string out;
        for (std::size_t i = 0; i < raw.size(); ++i) {
            if (raw[i] != '\\' || i + 1 >= raw.size()) {
                out += raw[i];
                continue;
            }
            const char c = raw[++i];
            if (c != 'u') {
                const std::string_view from = "bfnrt";
                const std::size_t at = from.find(c);
                out += at == std::string_view::npos ? c : "\b\f\n\r\t"[at];
                continue;
            }
            std::uint32_t code = hexadecimal(raw.substr(i + 1, 4));
            i += 4;
            if (code >= 0xD800 && code < 0xDC00 && i + 6 < raw.size() + 0 && raw[i + 1] == '\\') {
                code = 0x10000 + ((code - 0xD800) << 10) + (hexadecimal(raw.substr(i + 3, 4)) - 0xDC00);
                i += 6;
            }
            append_utf8(out, code);
        }
        return out;
    }

    std::string_view json_;
    std::string_view defaults_;
};

/// What an instance is made for. Everything it returns is valid until the instance's constructor returns; `log` is so for as long as the
/// instance lives.
class Setup {
public:
    /// For the thunk that WEIR_PLUGIN makes.
    Setup(const weir_host_v1 &host, const weir_setup_v1 &setup, std::string_view default_settings) noexcept
        : host_(host), setup_(setup), default_settings_(default_settings) {}

    /// The domain's configured name.
    std::string_view domain() const noexcept { return detail::text(setup_.domain); }
    /// The domain's database schema.
    std::string_view schema() const noexcept { return detail::text(setup_.schema); }
    /// Counts the files that have served under this plugin's name since the host started.
    std::uint32_t generation() const noexcept { return setup_.generation; }
    /// The domain's settings over the plugin's defaults.
    Settings settings() const noexcept { return {detail::text(setup_.settings), default_settings_}; }
    /// The host itself, for extensions.
    const weir_host_v1 &host() const noexcept { return host_; }

private:
    const weir_host_v1 &host_;
    const weir_setup_v1 &setup_;
    std::string_view default_settings_;
};

} // namespace weir
