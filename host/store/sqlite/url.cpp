// SPDX-License-Identifier: Apache-2.0
#include "sqlite_store.hpp"

#include <charconv>

namespace weir::store::sqlite {

namespace {

constexpr std::string_view kScheme = "sqlite://";
constexpr std::string_view kForm = "write sqlite://DIRECTORY, with ?synchronous=normal or ?busy_timeout_ms=N behind it where needed";

std::optional<std::string> read_option(std::string_view name, std::string_view value, SqliteOptions &options) {
    if (name == "synchronous") {
        if (value != "full" && value != "normal") {
            return "synchronous is full or normal, not '" + std::string(value) + "'";
        }
        options.synchronous = value == "full" ? Synchronous::full : Synchronous::normal;
        return std::nullopt;
    }
    if (name == "busy_timeout_ms") {
        int milliseconds = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), milliseconds);
        if (error != std::errc() || end != value.data() + value.size() || milliseconds < 1 || milliseconds > 600000) {
            return "busy_timeout_ms is a number from 1 to 600000, not '" + std::string(value) + "'";
        }
        options.busy_timeout = std::chrono::milliseconds(milliseconds);
        return std::nullopt;
    }
    return "unknown option '" + std::string(name) + "'";
}

} // namespace

std::optional<SqliteOptions> parse_sqlite_url(std::string_view url, std::string &reason) {
    const auto refuse = [&](const std::string &what) {
        reason = "the store url '" + std::string(url) + "' can't be read: " + what + "; " + std::string(kForm);
        return std::nullopt;
    };
    if (!url.starts_with(kScheme)) {
        return refuse("it doesn't begin with sqlite://");
    }
    std::string_view rest = url.substr(kScheme.size());
    std::string_view query;
    if (const auto mark = rest.find('?'); mark != std::string_view::npos) {
        query = rest.substr(mark + 1);
        rest = rest.substr(0, mark);
    }
    if (rest.empty() || rest.find('\0') != std::string_view::npos) {
        return refuse("it names no directory");
    }
    SqliteOptions options;
    options.directory = std::filesystem::path(rest);
    while (!query.empty()) {
        const auto end = query.find('&');
        const std::string_view item = query.substr(0, end);
        query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
        const auto equals = item.find('=');
        const auto problem =
            read_option(item.substr(0, equals), equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1), options);
        if (problem) {
            return refuse(*problem);
        }
    }
    return options;
}

} // namespace weir::store::sqlite
