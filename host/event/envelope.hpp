// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "content.hpp"
#include "event/binding.hpp"
#include "event/decoder.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::event {

/// One member of the envelope: where it may be, by the binding or by the form.
struct Source {
    enum class Kind { own, pointer, fixed, position };
    Kind kind = Kind::own;
    std::string text; ///< the pointer, or the fixed value

    explicit Source(const std::string &source) {
        if (source == "position") {
            kind = Kind::position;
        } else if (!source.empty()) {
            kind = source.front() == '=' ? Kind::fixed : Kind::pointer;
            text = source.front() == '=' ? source.substr(1) : source;
        }
    }
};

/// A binding, read once.
struct Plan {
    Plan(Binding b, const Contracts &c, DecodeLimits l)
        : binding(std::move(b)), contracts(c), limits(l), event_id(binding.event_id), event_type(binding.event_type),
          occurred_at(binding.occurred_at), tenant_id(binding.tenant_id), correlation_id(binding.correlation_id), payload(binding.payload),
          aliases(binding.aliases.begin(), binding.aliases.end()), topic_namespace(Uuid::v5(weir_namespace(), binding.topic)) {
        for (const std::string &key : binding.keys) {
            keys.emplace_back(key);
        }
    }

    Binding binding;
    const Contracts &contracts;
    DecodeLimits limits;
    Source event_id;
    Source event_type;
    Source occurred_at;
    Source tenant_id;
    Source correlation_id;
    Source payload;
    std::vector<Source> keys;
    std::map<std::string, std::string, std::less<>> aliases;
    Uuid topic_namespace;
};

/// UUIDv5(incarnation, "partition/position"): the id of a message that has none of its own.
Uuid position_id(const Message &message);

/// Text as it is, or in lower case where it is a UUID: UUIDs compare without case, so they order without case.
std::string lower_if_uuid(std::string_view text);
void append_lower_if_uuid(std::string &out, std::string_view text);

/// Joins the parts of a key with "/", escaped as in a JSON pointer, so that no two lists of parts make one key; a single part is the key as
/// it is. Nothing where a part is missing, null or no scalar, or all of it is empty.
std::optional<std::string> make_key(const std::vector<Source> &sources, const Node &document);

/// Reads the content of `event.message` into the rest of `event`, contract included.
/// @param document holds the content, and becomes the event's envelope
void read_envelope(const Plan &plan, const Content &content, std::shared_ptr<Document> document, Event &event);

} // namespace weir::event
