// SPDX-License-Identifier: Apache-2.0
#include "cli/plugin_states.hpp"

#include <filesystem>

namespace weir::cli {

void PluginStates::loaded(const plugin::Module &module) {
    const plugin::Description &about = module.description();
    operations::PluginState state;
    state.name = about.name;
    state.version = about.version;
    state.generation = module.generation();
    state.summary = about.summary;
    state.file = module.origin();
    state.handlers = module.handler_symbols();
    const std::lock_guard lock(mutex_);
    refused_.erase(state.file);
    loaded_[state.name] = std::move(state);
}

void PluginStates::removed(const std::string &name) {
    const std::lock_guard lock(mutex_);
    loaded_.erase(name);
}

void PluginStates::refused(const plugin::PluginRefusal &refusal) {
    const std::lock_guard lock(mutex_);
    refused_[refusal.file.string()] = refusal;
}

RefusedPlugins PluginStates::refused_now() const {
    const std::lock_guard lock(mutex_);
    RefusedPlugins there = refused_;
    std::error_code failure;
    std::erase_if(there, [&](const auto &entry) { return !std::filesystem::exists(entry.first, failure); });
    return there;
}

std::vector<operations::PluginState> PluginStates::all() const {
    std::vector<operations::PluginState> states;
    for (const auto &[file, refusal] : refused_now()) {
        operations::PluginState state;
        state.file = file;
        state.refusal_code = refusal.code;
        state.refusal_message = refusal.message;
        state.remedy = refusal.remedy;
        states.push_back(std::move(state));
    }
    const std::lock_guard lock(mutex_);
    for (const auto &[name, state] : loaded_) {
        states.push_back(state);
    }
    return states;
}

} // namespace weir::cli
