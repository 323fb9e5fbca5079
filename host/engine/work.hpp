// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/handler_call.hpp"
#include "event/event.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace weir::engine {

/// One event on its way through a domain, from the reader to its decision.
struct Work {
    std::shared_ptr<const event::Event> event;
    std::string order_key;                     ///< what orders it, unique over the domain's partitions; empty in a parallel domain
    std::uint64_t claim = 0;                   ///< of its partition when it was read; an older one is dropped, its message will come again
    std::uint32_t retries = 0;                 ///< runs that ended in WEIR_RETRY
    std::uint32_t crashes = 0;                 ///< hosts that died in its handler
    bool running_alone = false;                ///< its handler is overdue and has not returned
    bool in_gate = false;                      ///< the key gate counts it
    bool has_attempts = false;                 ///< the store keeps a row of attempts for it
    std::shared_ptr<const HandlerResult> late; ///< set: its handler ran beside the batches and has returned this
};
using WorkPtr = std::shared_ptr<Work>;

/// How far one run over an event came.
struct Ran {
    enum class State : std::uint8_t {
        finished, ///< `result` says what it came to
        held,     ///< not run: an event of its key waits
        overdue,  ///< its handler is past the budget and goes on by itself
    };
    State state = State::held;
    HandlerResult result;
};

} // namespace weir::engine
