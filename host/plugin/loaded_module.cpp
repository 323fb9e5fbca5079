// SPDX-License-Identifier: Apache-2.0
#include "plugin/loaded_module.hpp"

#include "plugin/handler_names.hpp"

#include <algorithm>
#include <mutex>

namespace weir::plugin {

namespace {

constexpr std::size_t kMaxCachedTypes = 4096; ///< event types come from messages, so their number has a bound here

} // namespace

const std::vector<std::string> &Module::handler_symbols() const {
    static const std::vector<std::string> none;
    return none;
}

std::vector<std::string> handlers_lost(const Module &older, const Module &newer) {
    std::vector<std::string> lost;
    std::set_difference(older.handler_symbols().begin(), older.handler_symbols().end(), newer.handler_symbols().begin(),
                        newer.handler_symbols().end(), std::back_inserter(lost));
    return lost;
}

LoadedModule::LoadedModule(OpenedLibrary library, std::filesystem::path origin, const std::vector<std::string> &functions,
                           const std::vector<std::string> &claims)
    : library_(std::move(library)), origin_(std::move(origin)) {
    const std::string prefix = handler_prefix(library_.description.name);
    std::copy_if(functions.begin(), functions.end(), std::back_inserter(symbols_),
                 [&](const std::string &symbol) { return symbol.starts_with(prefix); });
    for (const std::string &type : claims) {
        claimed_.emplace(handler_symbol(library_.description.name, type), type);
    }
}

HandlerLookup LoadedModule::handler(std::string_view event_type) const {
    {
        const std::shared_lock guard(mutex_);
        if (const auto known = cache_.find(event_type); known != cache_.end()) {
            return known->second;
        }
    }
    HandlerLookup lookup = look_up(event_type);
    const std::unique_lock guard(mutex_);
    if (cache_.size() < kMaxCachedTypes) {
        cache_.emplace(event_type, lookup);
    }
    return lookup;
}

HandlerLookup LoadedModule::look_up(std::string_view event_type) const {
    HandlerLookup lookup;
    lookup.symbol = handler_symbol(library_.description.name, event_type);
    const auto claim = claimed_.find(lookup.symbol);
    if (claim != claimed_.end() && claim->second != event_type) {
        return lookup;
    }
    if (std::binary_search(symbols_.begin(), symbols_.end(), lookup.symbol)) {
        lookup.handler = library_.symbol(lookup.symbol);
        return lookup;
    }
    lookup.other_version = other_version(symbols_, library_.description.name, event_type);
    return lookup;
}

} // namespace weir::plugin
