// SPDX-License-Identifier: Apache-2.0
#include "event/decoder.hpp"

#include "content.hpp"
#include "envelope.hpp"

namespace weir::event {

struct Decoder::State : Plan {
    using Plan::Plan;
};

Decoder::Decoder(Binding binding, const Contracts &contracts, DecodeLimits limits)
    : state_(std::make_unique<const State>(std::move(binding), contracts, limits)) {}

Decoder::~Decoder() = default;

Event Decoder::decode(std::shared_ptr<const Message> message) const {
    Event event;
    event.message = std::move(message);
    Content content;
    auto document = std::make_shared<Document>(event.message);
    event.refusal = read_content(*event.message, state_->limits, state_->binding.envelope_required, *document, content);
    if (event.refusal) {
        event.id = position_id(*event.message);
        event.key = event.message->key;
        event.occurred_at = event.message->appended_at;
        return event;
    }
    read_envelope(*state_, content, std::move(document), event);
    return event;
}

} // namespace weir::event
