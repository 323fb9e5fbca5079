// SPDX-License-Identifier: Apache-2.0
#include "log/log.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <mutex>
#include <unistd.h>
#include <utility>
#include <vector>

namespace weir::log {

namespace {

std::atomic<bool> write_json{true};

spdlog::level::level_enum spdlog_level(Level level) {
    switch (level) {
    case Level::debug:
        return spdlog::level::debug;
    case Level::info:
        return spdlog::level::info;
    case Level::warn:
        return spdlog::level::warn;
    case Level::error:
        return spdlog::level::err;
    }
    return spdlog::level::info;
}

spdlog::logger &logger() {
    static const std::shared_ptr<spdlog::logger> instance = [] {
        auto made = std::make_shared<spdlog::logger>("weir", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->flush_on(spdlog::level::trace);
        made->set_pattern("%v");
        return made;
    }();
    return *instance;
}

const char *level_name(Level level) {
    switch (level) {
    case Level::debug:
        return "debug";
    case Level::info:
        return "info";
    case Level::warn:
        return "warn";
    case Level::error:
        return "error";
    }
    return "info";
}

std::vector<std::pair<std::string, std::string>> &marks() {
    static std::vector<std::pair<std::string, std::string>> all;
    return all;
}

std::string json_line(Level level, std::string_view event, std::string_view message, std::initializer_list<Field> fields) {
    // The time is spdlog's, put in front by the pattern; this is the rest of the object.
    nlohmann::ordered_json object;
    object["level"] = level_name(level);
    object["event"] = event;
    object["message"] = message;
    for (const Field &field : fields) {
        std::visit([&](const auto &value) { object[std::string(field.name)] = value; }, field.value);
    }
    for (const auto &[name, value] : marks()) {
        object[name] = value;
    }
    std::string text = object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    return text.substr(1); // without the opening brace
}

std::string text_line(std::string_view event, std::string_view message, std::initializer_list<Field> fields) {
    std::string line(message);
    line += "  [";
    line += event;
    for (const Field &field : fields) {
        line += ' ';
        line += field.name;
        line += '=';
        std::visit(
            [&](const auto &value) {
                using T = std::decay_t<decltype(value)>;
                if constexpr (std::is_same_v<T, std::string_view>) {
                    line += value;
                } else if constexpr (std::is_same_v<T, bool>) {
                    line += value ? "true" : "false";
                } else {
                    line += std::to_string(value);
                }
            },
            field.value);
    }
    for (const auto &[name, value] : marks()) {
        line.append(" ").append(name).append("=").append(value);
    }
    line += ']';
    return line;
}

} // namespace

void configure(Level least, Format format) {
    const bool terminal = isatty(STDERR_FILENO) == 1;
    write_json = format == Format::json || (format == Format::automatic && !terminal);
    logger().set_level(spdlog_level(least));
    if (write_json) {
        auto formatter =
            std::make_unique<spdlog::pattern_formatter>("{\"time\":\"%Y-%m-%dT%H:%M:%S.%fZ\",%v", spdlog::pattern_time_type::utc);
        logger().set_formatter(std::move(formatter));
    } else {
        logger().set_pattern(terminal ? "%H:%M:%S.%e %^%-5l%$ %v" : "%Y-%m-%d %H:%M:%S.%e %-5l %v");
    }
}

bool writes_json() noexcept { return write_json; }

bool parse_level(std::string_view text, Level &out) {
    std::string lower;
    for (const char c : text) {
        lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    if (lower == "debug") {
        out = Level::debug;
    } else if (lower == "info") {
        out = Level::info;
    } else if (lower == "warn" || lower == "warning") {
        out = Level::warn;
    } else if (lower == "error") {
        out = Level::error;
    } else {
        return false;
    }
    return true;
}

void mark(std::string_view name, std::string_view value) { marks().emplace_back(name, value); }

void write(Level level, std::string_view event, std::string_view message, std::initializer_list<Field> fields) {
    try {
        spdlog::logger &target = logger();
        if (!target.should_log(spdlog_level(level))) {
            return;
        }
        const std::string line = write_json ? json_line(level, event, message, fields) : text_line(event, message, fields);
        target.log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
    } catch (...) {
        // A log that can't be written must not stop the work that it tells of.
    }
}

} // namespace weir::log
