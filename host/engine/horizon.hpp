// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/event.hpp"
#include "store/store.hpp"

#include <span>

namespace weir::engine {

/// The `error_type` of events that may have been decided before, which nobody can know any more.
inline constexpr const char *kBeyondHorizon = "beyond_horizon";

/// Why an event that the ledger doesn't hold must not be applied: its place in its topic is among those that were decided when ids of its
/// time were pruned. Nothing where it is certainly new.
inline std::optional<event::Refusal> beyond_horizon(const event::Message &message, std::span<const store::PrunedRange> pruned) {
    for (const store::PrunedRange &range : pruned) {
        if (range.partition == message.partition && message.appended_at <= range.appended_through && message.position <= range.position &&
            range.topic == message.topic && range.incarnation == message.incarnation) {
            return event::Refusal{kBeyondHorizon,
                                  "it was appended at " + event::format_time(message.appended_at) + ", and ids up to " +
                                      event::format_time(range.appended_through) +
                                      " have been pruned from the ledger (engine.ledger_horizon_hours): it may have been applied "
                                      "before. Replay it where it was not, drop it where it was"};
        }
    }
    return std::nullopt;
}

} // namespace weir::engine
