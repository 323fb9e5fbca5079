// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace weir::event {

/// Where the members of an envelope are found in a topic's messages; the C++ form of `weir_binding_v1`, see there.
struct Binding {
    std::string topic;
    bool envelope_required = false;
    std::vector<std::pair<std::string, std::string>> aliases; ///< other name -> event type
    std::vector<std::string> keys;                            ///< sources of the ordering key's parts
    std::string event_id;                                     ///< "", "/pointer", "=fixed" or "position"
    std::string event_type;
    std::string occurred_at;
    std::string tenant_id;
    std::string correlation_id;
    std::string payload;
};

/// What is wrong with a binding's sources, as "<member>: <reason>"; empty where nothing is.
std::string check_binding(const Binding &binding);

} // namespace weir::event
