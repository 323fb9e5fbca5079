// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/time.hpp"

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::event {

using Header = std::pair<std::string, std::string>;

/// Where a message stands in its partition. Kafka and the embedded broker use `high` alone, Redis both halves of its entry id.
struct Position {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    friend auto operator<=>(const Position &, const Position &) = default;
};

/// "17" where `low` is 0 and the broker has no second half, else "1700000000000-3". Brokers say which by `two_part`.
std::string format_position(const Position &position, bool two_part);

/// Why a message can't be an event, or an event can't be applied. Becomes `error_type` and `error_message` of a dead letter:
/// a snake_case code, and a sentence that names the JSON pointer and holds no personal data.
struct Refusal {
    std::string type;
    std::string message;
};

/// One message as a broker delivered it, before anything was read into it.
struct Message {
    std::string topic; ///< the topic's name, without a partition suffix
    std::uint32_t partition = 0;
    Position position;
    bool two_part_position = false;
    std::string incarnation;      ///< tells a recreated topic from its predecessor; 36-character UUID
    Micros appended_at = 0;       ///< the broker's append time
    std::uint32_t deliveries = 1; ///< how often the broker handed it out, this time included
    std::string key;              ///< the broker's key; empty: none
    std::vector<Header> headers;
    std::string body;                    ///< the message's bytes, where the broker carries one body
    std::string body_field;              ///< the field that `body` came in, where the broker carries named fields (Redis); else empty
    std::vector<Header> fields;          ///< name and value pairs, where none of them is the body (Redis); then `body` is empty
    std::shared_ptr<const Refusal> lost; ///< set: the broker has the position but no longer what stood there; it can only be a dead letter

    std::size_t bytes() const noexcept; ///< what it counts against a batch's byte limit
};

} // namespace weir::event
