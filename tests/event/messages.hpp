// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/decoder.hpp"
#include "support.hpp"

#include <string>
#include <vector>

namespace weir::test {

inline const event::Contracts &built_in_contracts() {
    static const event::Contracts contracts = event::Contracts::built_in();
    return contracts;
}

/// The binding of the topic that the sample was taken from.
inline event::Binding identity_binding() {
    event::Binding binding;
    binding.topic = "identity.user.v1";
    binding.envelope_required = true;
    binding.keys = {"/tenant_id", "/payload/user_id"};
    return binding;
}

/// A binding that requires nothing.
inline event::Binding bare_binding() {
    event::Binding binding;
    binding.topic = "votes";
    return binding;
}

inline std::shared_ptr<event::Message> make_message(std::string body, std::uint64_t position = 1) {
    auto message = std::make_shared<event::Message>();
    message->topic = "identity.user.v1";
    message->incarnation = "0f0e0d0c-0b0a-4908-8706-050403020100";
    message->position.high = position;
    message->appended_at = 1'763'978'400'000'000;
    message->body = std::move(body);
    return message;
}

inline event::Event decode(std::string body, event::Binding binding = identity_binding(), event::DecodeLimits limits = {}) {
    return event::Decoder(std::move(binding), built_in_contracts(), limits).decode(make_message(std::move(body)));
}

inline event::Event decode_fields(std::vector<event::Header> fields, event::Binding binding = bare_binding()) {
    auto message = make_message("");
    message->fields = std::move(fields);
    return event::Decoder(std::move(binding), built_in_contracts()).decode(message);
}

/// "type: message" of a refusal; "" where there is none.
inline std::string refusal_of(const event::Event &event) {
    return event.refusal ? event.refusal->type + ": " + event.refusal->message : "";
}

inline std::string refusal_type(const event::Event &event) { return event.refusal ? event.refusal->type : ""; }

/// The messages of the sample, one a line.
inline std::vector<std::string> sample_lines() {
    const std::string text = read_file(source_directory() / "tests/samples/identity.user.v1.jsonl");
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        lines.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return lines;
}

} // namespace weir::test
