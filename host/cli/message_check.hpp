// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/contracts.hpp"
#include "event/decoder.hpp"
#include "serving.hpp"

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace weir::cli {

/// The bindings by which the served domains read a topic, each once; none where no domain reads it or its plugins say nothing of it.
std::vector<event::Binding> bindings_of_topic(const Serving &serving, const std::string &topic);

/// What a message would be to those who read its topic.
struct Checked {
    std::string refusal; ///< why they would refuse it, naming the JSON pointer; empty: they would not
    std::string key;     ///< its ordering key; empty: none
    std::string event_type;
    bool has_contract = false;
};

/// Decodes messages as the readers of a topic do. Readable from any thread.
class MessageCheck {
public:
    /// @param key_pointers instead of the bindings' keys, unless empty. Throws Failure where they are no sources.
    /// @param contracts outlives this
    MessageCheck(std::string topic, std::vector<event::Binding> bindings, const std::vector<std::string> &key_pointers,
                 const event::Contracts &contracts);

    /// @param number of the line, the message's place until a broker gives it one
    Checked check(const std::string &body, std::size_t number) const;

private:
    std::string topic_;
    std::vector<std::unique_ptr<event::Decoder>> decoders_;
    std::set<std::string> contracted_;
};

} // namespace weir::cli
