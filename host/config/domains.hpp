// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "values.hpp"

namespace weir::config {

/// Whether, and by whom, the host's broker was chosen: what decides on domains' own redis.url.
struct BrokerChoice {
    bool chosen = false;
    std::string source; ///< "configs/embedded.json", "environment WEIR_BROKER_URL"
};

/// Puts the engine's values that leaves hold onto `engine`, and notes each as a setting. @param prefix before the keys in settings
void read_engine(const std::vector<Key> &keys, const std::string &prefix, const Leaves &leaves, bool note_defaults, Load &load,
                 EngineConfig &engine);

/// Reads the host file's own domains and those of the directory, checks each and all together, and sorts them by name. Where the host's
/// broker wasn't chosen, it becomes the domains' redis.url if they name one server, and none if they name several.
/// @param own the host file's "domains"; null: none
void read_domains(const Leaf *own, const BrokerChoice &broker, Load &load, HostConfig &host);

/// Reads a domain's "bindings".
std::vector<event::Binding> read_bindings(const Leaf &leaf, const std::vector<std::string> &topics, Load &load);

} // namespace weir::config
