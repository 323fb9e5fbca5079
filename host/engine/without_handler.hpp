// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/work.hpp"
#include "plugin/module.hpp"

#include <string>

namespace weir::engine {

/// What an event comes to that no handler is run for: refused by the decoder, quarantined after crashes, or of a type or version that the
/// plugin has no handler for.
/// @param plugin for messages: its name, version and generation
inline Ran settled_without_handler(const event::Event &event, const plugin::HandlerLookup &lookup, std::uint32_t crashes,
                                   const std::string &plugin) {
    Ran ran;
    ran.state = Ran::State::finished;
    if (event.refusal) {
        ran.result.status = WEIR_REJECT;
        ran.result.error = *event.refusal;
    } else if (lookup.handler) {
        ran.result.status = WEIR_REJECT;
        ran.result.error = {"crash_limit", "the host died " + std::to_string(crashes) + " times while " + lookup.symbol + " of " + plugin +
                                               " ran for this event"};
    } else if (!lookup.other_version.empty()) {
        ran.result.status = WEIR_REJECT;
        ran.result.error = {"unsupported_version", "the plugin has no handler for " + event.type + ", only " + lookup.other_version};
    } else {
        ran.result.status = WEIR_SKIP;
    }
    return ran;
}

} // namespace weir::engine
