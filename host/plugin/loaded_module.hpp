// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/candidate.hpp"
#include "plugin/module.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir::plugin {

/// A library that has been opened, for ever, with its descriptor read.
struct OpenedLibrary {
    const weir_plugin_descriptor_v1 *descriptor = nullptr;
    Description description;
    std::function<weir_handler_v1(const std::string &)> symbol; ///< the address of an exported function
};

/// Opens `copy` with Boost.DLL, calls the entry and reads the descriptor: the first code of the plugin that runs. Refusals are told about
/// `origin`.
std::optional<PluginRefusal> open_library(const std::filesystem::path &copy, const std::filesystem::path &origin, OpenedLibrary &out);

/// Code that was loaded from a private copy. Thread-safe once published.
class LoadedModule final : public Module {
public:
    /// @param functions the exports that were read from the file, sorted
    /// @param claims    the event types that are known: a symbol that one of them leads to serves no other type
    LoadedModule(OpenedLibrary library, std::filesystem::path origin, const std::vector<std::string> &functions,
                 const std::vector<std::string> &claims);

    const Description &description() const override { return library_.description; }
    const weir_plugin_descriptor_v1 &descriptor() const override { return *library_.descriptor; }
    std::uint32_t generation() const override { return generation_; }
    std::string origin() const override { return origin_.string(); }
    HandlerLookup handler(std::string_view event_type) const override;
    const std::vector<std::string> &handler_symbols() const override { return symbols_; }

    /// Before it is published only.
    void set_generation(std::uint32_t generation) { generation_ = generation; }

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
    };
    HandlerLookup look_up(std::string_view event_type) const;

    OpenedLibrary library_;
    std::filesystem::path origin_;
    std::vector<std::string> symbols_;                     ///< of its handlers, sorted
    std::unordered_map<std::string, std::string> claimed_; ///< symbol -> the known event type that leads to it
    std::uint32_t generation_ = 1;
    mutable std::shared_mutex mutex_;
    mutable std::unordered_map<std::string, HandlerLookup, Hash, std::equal_to<>> cache_;
};

} // namespace weir::plugin
