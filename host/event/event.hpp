// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/message.hpp"
#include "event/uuid.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::event {

/// What a JSON pointer leads to.
enum class JsonKind { absent, null, boolean, integer, number, text, array, object };

/// A parsed JSON document, immutable, shared, readable from any thread. Views live as long as the document.
class Json {
public:
    virtual ~Json() = default;
    /// A pointer by RFC 6901; one that is malformed leads to `absent`, as does one into nothing.
    virtual JsonKind kind(std::string_view pointer) const = 0;
    virtual std::optional<std::string_view> text(std::string_view pointer) const = 0;
    virtual std::optional<std::int64_t> integer(std::string_view pointer) const = 0;
    virtual std::optional<double> number(std::string_view pointer) const = 0;
    virtual std::optional<bool> boolean(std::string_view pointer) const = 0;
    /// The value there as compact JSON text; nothing where there is none.
    virtual std::optional<std::string> dump(std::string_view pointer) const = 0;
    /// Elements of an array or members of an object.
    virtual std::optional<std::size_t> length(std::string_view pointer) const = 0;
};

/// One message, decoded. Immutable once the decoder has made it.
struct Event {
    std::shared_ptr<const Message> message;
    Uuid id;                           ///< the envelope's id, or derived (see decode)
    std::string type;                  ///< after aliases; empty where it could not be read
    std::string tenant_id;             ///< UUIDs in lower case
    std::string correlation_id;
    std::string key;                   ///< what orders it; empty: its partition is one key
    Micros occurred_at = 0;
    std::int32_t schema_version = 0;
    std::shared_ptr<const Json> envelope; ///< normalised: /event_id, /event_type, /tenant_id, ..., /payload; null where unparsable
    std::optional<Refusal> refusal;    ///< set: this is to be a dead letter, whatever its handler would say
};

} // namespace weir::event
