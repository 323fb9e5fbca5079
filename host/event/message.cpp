// SPDX-License-Identifier: Apache-2.0
#include "event/message.hpp"

namespace weir::event {

std::string format_position(const Position &position, bool two_part) {
    std::string text = std::to_string(position.high);
    if (two_part || position.low != 0) {
        text += '-';
        text += std::to_string(position.low);
    }
    return text;
}

std::size_t Message::bytes() const noexcept {
    std::size_t total = body.size() + key.size();
    for (const auto &[name, value] : headers) {
        total += name.size() + value.size();
    }
    for (const auto &[name, value] : fields) {
        total += name.size() + value.size();
    }
    return total;
}

} // namespace weir::event
