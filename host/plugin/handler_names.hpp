// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::plugin {

/// "handle_linting_": what all handlers of a plugin begin with.
std::string handler_prefix(std::string_view plugin_name);

/// A handler's symbol without its version, and the version: "handle_linting_user_created" and "v2". Empty version: the type has none.
struct VersionedSymbol {
    std::string stem;
    std::string version;
};
VersionedSymbol split_symbol(std::string_view plugin_name, std::string_view event_type);

/// Of a module's handlers (sorted), one for another version of the type; empty where there is none.
std::string other_version(const std::vector<std::string> &symbols, std::string_view plugin_name, std::string_view event_type);

/// Two different types that the naming rule gives one symbol among `symbols` (sorted); a sentence naming both, or nothing.
std::optional<std::string> find_collision(const std::vector<std::string> &symbols, std::string_view plugin_name,
                                          const std::vector<std::string> &event_types);

/// Exported functions that begin as handlers do, and that no event type of this plugin leads to: mistyped names.
struct MisnamedHandlers {
    std::string names; ///< between commas; empty: none
    bool all = false;  ///< it has no other handlers
};
/// @param symbols sorted
MisnamedHandlers misnamed_handlers(const std::vector<std::string> &symbols, std::string_view plugin_name);

} // namespace weir::plugin
