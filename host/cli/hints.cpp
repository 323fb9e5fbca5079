// SPDX-License-Identifier: Apache-2.0
#include "hints.hpp"

#include <algorithm>
#include <array>

namespace weir::cli {

namespace {

constexpr std::string_view kProgram = "weir ";

/// Commands that take -c, as far as messages name them.
constexpr std::array<std::string_view, 14> kConfigured{
    "config check",    "deadletter", "doctor",  "plugin check", "plugin install", "plugin list", "plugin remove",
    "plugin rollback", "publish",    "rebuild", "run",          "status",         "tail",        "topics"};

bool takes_config(std::string_view command) {
    const auto begins = [&](std::string_view words) {
        return command.starts_with(words) && (command.size() == words.size() || command[words.size()] == ' ');
    };
    return std::any_of(kConfigured.begin(), kConfigured.end(), begins) && command.find("--help") == std::string_view::npos &&
           command.find(" -c ") == std::string_view::npos;
}

} // namespace

std::string shell_word(std::string_view word) {
    constexpr std::string_view kSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,@%+=";
    if (!word.empty() && word.find_first_not_of(kSafe) == std::string_view::npos) {
        return std::string(word);
    }
    std::string quoted = "'";
    for (const char character : word) {
        quoted += character == '\'' ? std::string("'\\''") : std::string(1, character);
    }
    return quoted + "'";
}

std::string with_config(std::string text, const std::string &file) {
    if (file.empty()) {
        return text;
    }
    const std::string word = shell_word(file);
    for (std::size_t at = text.find(kProgram); at != std::string::npos; at = text.find(kProgram, at + 1)) {
        if (at == 0 || (text[at - 1] != '\'' && text[at - 1] != '`')) {
            continue;
        }
        const std::size_t end = text.find(text[at - 1], at);
        if (end == std::string::npos) {
            break;
        }
        const std::size_t begin = at + kProgram.size();
        if (!takes_config(std::string_view(text).substr(begin, end - begin))) {
            continue;
        }
        if (word.front() == '\'') { // so that the quotes around the command aren't taken for those around the file
            text[at - 1] = text[end] = '`';
        }
        text.insert(end, " -c " + word);
    }
    return text;
}

} // namespace weir::cli
