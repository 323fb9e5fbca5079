// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/binding.hpp"
#include "plugin/route.hpp"
#include "store/schema.hpp"

#include "weir/abi.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::plugin {

/// Rows that a handler says it will read; the C++ form of `weir_read_v1`.
struct Read {
    std::string event_type;
    std::uint32_t table = 0;
    std::vector<std::string> key_pointers;
};

/// How a plugin serves where no configuration says otherwise; the C++ form of `weir_domain_v1`.
struct DomainDefaults {
    std::string name;
    std::string schema;
    std::string group;
    std::vector<std::string> topics;
    bool parallel = false;
    std::vector<event::Binding> bindings;
};

/// Everything a descriptor says, copied and checked.
struct Description {
    std::string name;
    std::string version;
    std::string summary;
    store::Schema schema;
    std::vector<Read> reads;
    std::vector<DomainDefaults> domains;
    std::string settings; ///< JSON object of defaults, or empty
    std::vector<Route> routes;
};

/// Copies a descriptor. @return what is wrong with it and what its author should change; nothing where it is right
std::optional<std::string> describe(const weir_plugin_descriptor_v1 &descriptor, Description &out);

/// How an event type stands with a module.
struct HandlerLookup {
    weir_handler_v1 handler = nullptr; ///< null: none for this type
    std::string symbol;                ///< "handle_linting_user_created"
    std::string other_version;         ///< where there is none: a symbol that handles another version of the type; else empty
};

/// Code that has been loaded: one generation of a plugin. Stays mapped for the life of the process. Thread-safe.
class Module {
public:
    virtual ~Module() = default;
    virtual const Description &description() const = 0;
    virtual const weir_plugin_descriptor_v1 &descriptor() const = 0;
    virtual std::uint32_t generation() const = 0;
    /// The file it was loaded from, for messages.
    virtual std::string origin() const = 0;
    virtual HandlerLookup handler(std::string_view event_type) const = 0;
    /// The handlers that the file exports, sorted.
    virtual const std::vector<std::string> &handler_symbols() const;
};

/// The handlers that an older generation of a plugin exports and a newer one doesn't.
std::vector<std::string> handlers_lost(const Module &older, const Module &newer);

/// `handle_<plugin>_<event>` by the naming rule, for a plugin's name and an event type. [DESIGN: the plugin contract]
std::string handler_symbol(std::string_view plugin_name, std::string_view event_type);

/// One instance of a module, serving one domain: its life, by the state machine in <weir/abi/plugin.h>. Control-thread only, but for
/// `handle`.
class Instance {
public:
    /// Creates and starts. @return nothing, with `reason` set, where the plugin declines
    static std::unique_ptr<Instance> create(std::shared_ptr<const Module> module, const std::string &domain, const std::string &schema,
                                            const std::string &settings_json, std::string &reason);
    /// Drains and destroys.
    ~Instance();
    Instance(const Instance &) = delete;
    Instance &operator=(const Instance &) = delete;

    const Module &module() const;
    std::shared_ptr<const Module> shared_module() const;
    void *handle() const; ///< the instance pointer for handlers

private:
    Instance();
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace weir::plugin
