// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::plugin {

/// The file descriptor on which a trial answers: not standard output, on which a plugin's constructors may write.
inline constexpr int kTrialChannel = 3;

/// One message, small enough for one write into a pipe: each part begins with "+" and ends with a NUL; "." ends the message.
inline std::string encode_trial_message(const std::vector<std::string> &parts) {
    std::string message;
    for (const std::string &part : parts) {
        message += '+';
        message += part.substr(0, 900);
        message += '\0';
    }
    return message + '.';
}

/// The parts; nothing where the message is not complete.
inline std::vector<std::string> decode_trial_message(std::string_view message) {
    std::vector<std::string> parts;
    while (message.starts_with('+')) {
        const std::size_t end = message.find('\0');
        if (end == std::string_view::npos) {
            return {};
        }
        parts.emplace_back(message.substr(1, end - 1));
        message.remove_prefix(end + 1);
    }
    return message == "." ? parts : std::vector<std::string>();
}

} // namespace weir::plugin
