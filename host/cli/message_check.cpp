// SPDX-License-Identifier: Apache-2.0
#include "message_check.hpp"

#include <algorithm>
#include <tuple>

namespace weir::cli {

namespace {

auto members(const event::Binding &binding) {
    return std::tie(binding.envelope_required, binding.aliases, binding.keys, binding.event_id, binding.event_type, binding.occurred_at,
                    binding.tenant_id, binding.correlation_id, binding.payload);
}

} // namespace

std::vector<event::Binding> bindings_of_topic(const Serving &serving, const std::string &topic) {
    std::vector<event::Binding> found;
    for (const auto &[name, domain] : serving.domains) {
        for (const event::Binding &binding : domain.spec.bindings) {
            const bool known =
                std::any_of(found.begin(), found.end(), [&](const event::Binding &other) { return members(other) == members(binding); });
            if (binding.topic == topic && !known) {
                found.push_back(binding);
            }
        }
    }
    return found;
}

MessageCheck::MessageCheck(std::string topic, std::vector<event::Binding> bindings, const std::vector<std::string> &key_pointers,
                           const event::Contracts &contracts)
    : topic_(std::move(topic)) {
    if (bindings.empty()) {
        bindings.emplace_back().topic = topic_;
    }
    for (event::Binding &binding : bindings) {
        if (!key_pointers.empty()) {
            binding.keys = key_pointers;
            if (const std::string problem = event::check_binding(binding); !problem.empty()) {
                throw Failure(Exit::usage, "--key-pointer: " + problem);
            }
        }
        decoders_.push_back(std::make_unique<event::Decoder>(std::move(binding), contracts));
    }
    for (std::string &type : contracts.event_types()) {
        contracted_.insert(std::move(type));
    }
}

Checked MessageCheck::check(const std::string &body, std::size_t number) const {
    auto message = std::make_shared<event::Message>();
    message->topic = topic_;
    message->position.high = number;
    message->appended_at = event::now();
    message->body = body;
    Checked result;
    for (std::size_t at = 0; at < decoders_.size(); ++at) {
        const event::Event event = decoders_[at]->decode(message);
        if (event.refusal && result.refusal.empty()) {
            result.refusal = event.refusal->type + ": " + event.refusal->message;
        }
        if (at == 0) {
            result.key = event.key;
            result.event_type = event.type;
            result.has_contract = contracted_.contains(event.type);
        }
    }
    return result;
}

} // namespace weir::cli
