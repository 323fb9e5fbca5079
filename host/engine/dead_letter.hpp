// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/event.hpp"
#include "store/store.hpp"

#include <memory>

namespace weir::engine {

/// The dead letter of an event, with everything that a replay needs to decode it as it was.
store::DeadLetter make_dead_letter(const event::Event &event, const event::Refusal &refusal, std::uint32_t retries);

/// The message that a dead letter was made from.
std::shared_ptr<const event::Message> message_of(const store::DeadLetter &letter);

} // namespace weir::engine
