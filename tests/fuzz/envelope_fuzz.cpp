// SPDX-License-Identifier: Apache-2.0
// A message's bytes to an event: by a plain binding, by one that points to every member, by one that wants an envelope. Whatever comes, an
// event or a refusal comes of it, the same one each time, and everything that a handler may ask of its envelope has an answer.
#include "event/contracts.hpp"
#include "event/decoder.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

using namespace weir::event;

namespace {

void require(bool condition, const char *what) {
    if (!condition) {
        std::fprintf(stderr, "broken: %s\n", what);
        std::abort();
    }
}

Binding pointing() {
    Binding binding;
    binding.topic = "t";
    binding.event_id = "/id";
    binding.event_type = "/type";
    binding.occurred_at = "/at";
    binding.tenant_id = "/tenant";
    binding.correlation_id = "/correlation";
    binding.payload = "/data";
    binding.keys = {"/data/key", "/tenant"};
    return binding;
}

Binding strict() {
    Binding binding;
    binding.topic = "t";
    binding.envelope_required = true;
    binding.aliases = {{"UserCreated", "user.created.v1"}};
    return binding;
}

/// Whatever a handler may ask of an envelope, at places that are there and at places that aren't.
void read_everything(const Json &envelope) {
    for (const char *pointer : {"", "/event_id", "/payload", "/payload/0", "/payload/vote", "/payload/user_id", "/payload/-", "payload",
                                "/~", "/payload/~1a~0"}) {
        const JsonKind kind = envelope.kind(pointer);
        require(envelope.text(pointer).has_value() == (kind == JsonKind::text), "a text is read as one, and nothing else is");
        require(envelope.boolean(pointer).has_value() == (kind == JsonKind::boolean), "a boolean is read as one, and nothing else is");
        require(envelope.length(pointer).has_value() == (kind == JsonKind::array || kind == JsonKind::object),
                "arrays and objects have lengths");
        require(envelope.dump(pointer).has_value() == (kind != JsonKind::absent), "what is there has a text");
        require(!envelope.integer(pointer) || kind == JsonKind::integer, "an integer is read of one");
        require(!envelope.number(pointer) || kind == JsonKind::integer || kind == JsonKind::number, "a number is read of one");
    }
}

void check(const Event &first, const Event &second) {
    require(first.id == second.id && first.key == second.key && first.type == second.type,
            "a message has the same id, key and type each time");
    require(first.refusal.has_value() == second.refusal.has_value(), "a message is refused each time or never");
    if (first.refusal) {
        require(!first.refusal->type.empty() && !first.refusal->message.empty(), "a refusal has a code and a sentence");
        require(first.refusal->type == second.refusal->type && first.refusal->message == second.refusal->message,
                "a refusal is the same each time");
    } else {
        require(is_event_type(first.type), "an event has a type");
        require(first.envelope != nullptr, "an event has an envelope");
    }
    if (first.envelope) {
        read_everything(*first.envelope);
        std::string reason;
        const std::string text = first.envelope->dump("").value();
        const auto again = parse_json(text, 64, reason);
        require(again != nullptr && again->dump("") == text, "an envelope's text says the envelope");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    static const Contracts contracts = Contracts::built_in();
    static const Decoder plain({.topic = "t"}, contracts, {.max_message_bytes = 1u << 16, .max_depth = 32});
    static const Decoder pointed(pointing(), contracts, {.max_message_bytes = 1u << 16, .max_depth = 32});
    static const Decoder required(strict(), contracts, {.max_message_bytes = 1u << 16, .max_depth = 32});
    auto message = std::make_shared<Message>();
    message->topic = "t";
    message->incarnation = "6f1c2b1e-8d5a-4c43-9b53-0c2e0f6f7a11";
    message->position = {17, 0};
    const std::string_view bytes(reinterpret_cast<const char *>(data), size);
    if (size > 0 && bytes.front() == '\x01') { // flat fields, as Redis has them: name NUL value NUL
        std::string_view rest = bytes.substr(1);
        while (!rest.empty() && message->fields.size() < 20) {
            const std::string_view name = rest.substr(0, rest.find('\0'));
            rest.remove_prefix(std::min(name.size() + 1, rest.size()));
            const std::string_view value = rest.substr(0, rest.find('\0'));
            rest.remove_prefix(std::min(value.size() + 1, rest.size()));
            message->fields.emplace_back(name, value);
        }
    } else {
        message->body = bytes;
    }
    const std::shared_ptr<const Message> shared = message;
    for (const Decoder *decoder : {&plain, &pointed, &required}) {
        check(decoder->decode(shared), decoder->decode(shared));
    }
    return 0;
}
