// SPDX-License-Identifier: Apache-2.0
#include "plugin/handler_names.hpp"

#include "plugin/module.hpp"

#include <algorithm>
#include <map>

namespace weir::plugin {

namespace {

std::string with_underscores(std::string_view text) {
    std::string out(text);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c == '-' || c == '.'; }, '_');
    return out;
}

bool is_version(std::string_view text) {
    return text.size() > 1 && text[0] == 'v' && std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

} // namespace

std::string handler_prefix(std::string_view plugin_name) { return "handle_" + with_underscores(plugin_name) + "_"; }

VersionedSymbol split_symbol(std::string_view plugin_name, std::string_view event_type) {
    const std::size_t dot = event_type.rfind('.');
    if (dot == std::string_view::npos || !is_version(event_type.substr(dot + 1))) {
        return {handler_prefix(plugin_name) + with_underscores(event_type), {}};
    }
    return {handler_prefix(plugin_name) + with_underscores(event_type.substr(0, dot)), std::string(event_type.substr(dot + 1))};
}

std::string handler_symbol(std::string_view plugin_name, std::string_view event_type) {
    VersionedSymbol symbol = split_symbol(plugin_name, event_type);
    if (!symbol.version.empty() && symbol.version != "v1") {
        symbol.stem += "_" + symbol.version;
    }
    return symbol.stem;
}

std::string other_version(const std::vector<std::string> &symbols, std::string_view plugin_name, std::string_view event_type) {
    const std::string stem = split_symbol(plugin_name, event_type).stem;
    const std::string own = handler_symbol(plugin_name, event_type);
    for (auto each = std::lower_bound(symbols.begin(), symbols.end(), stem); each != symbols.end() && each->starts_with(stem); ++each) {
        const std::string_view rest = std::string_view(*each).substr(stem.size());
        if (*each != own && (rest.empty() || (rest[0] == '_' && is_version(rest.substr(1))))) {
            return *each;
        }
    }
    return {};
}

std::optional<std::string> find_collision(const std::vector<std::string> &symbols, std::string_view plugin_name,
                                          const std::vector<std::string> &event_types) {
    std::map<std::string, std::string> claimed;
    for (const std::string &type : event_types) {
        const std::string symbol = handler_symbol(plugin_name, type);
        const auto [known, is_new] = claimed.emplace(symbol, type);
        if (!is_new && known->second != type && std::binary_search(symbols.begin(), symbols.end(), symbol)) {
            return "the event types " + known->second + " and " + type + " both lead to its handler " + symbol;
        }
    }
    return std::nullopt;
}

MisnamedHandlers misnamed_handlers(const std::vector<std::string> &symbols, std::string_view plugin_name) {
    constexpr std::string_view kAny = "handle_";
    const std::string own = handler_prefix(plugin_name);
    MisnamedHandlers found;
    found.all = true;
    for (auto each = std::lower_bound(symbols.begin(), symbols.end(), kAny); each != symbols.end() && each->starts_with(kAny); ++each) {
        if (each->starts_with(own)) {
            found.all = false;
        } else {
            found.names += (found.names.empty() ? "" : ", ") + *each;
        }
    }
    return found;
}

} // namespace weir::plugin
