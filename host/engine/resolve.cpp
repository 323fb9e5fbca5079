// SPDX-License-Identifier: Apache-2.0
// A domain as it is served: what was asked for, over what its plugin says.
#include "engine/domain_defaults.hpp"
#include "engine/settings.hpp"
#include "engine/supervisor.hpp"

#include <algorithm>

namespace weir::engine {

namespace {

// What the plugin says of the topic in whose place a configuration has put this one: as many topics, in the same order.
std::optional<event::Binding> binding_by_place(const DomainSpec &spec, const plugin::DomainDefaults &own, const std::string &topic) {
    if (own.topics.size() != spec.topics.size()) {
        return std::nullopt;
    }
    const auto place = std::find(spec.topics.begin(), spec.topics.end(), topic) - spec.topics.begin();
    for (const event::Binding &binding : own.bindings) {
        if (binding.topic == own.topics[static_cast<std::size_t>(place)]) {
            event::Binding renamed = binding;
            renamed.topic = topic;
            return renamed;
        }
    }
    return std::nullopt;
}

// Configured bindings first, then the plugin's for the topics that have none: those of the domain, else of any domain it offers, else
// those of the topic that it stands for.
void add_bindings(DomainSpec &spec, const plugin::Description &plugin) {
    for (const std::string &topic : spec.topics) {
        const auto names_topic = [&](const event::Binding &binding) { return binding.topic == topic; };
        if (std::any_of(spec.bindings.begin(), spec.bindings.end(), names_topic)) {
            continue;
        }
        const plugin::DomainDefaults *own = defaults_for(plugin, spec.name);
        std::vector<const plugin::DomainDefaults *> offers;
        if (own) {
            offers.push_back(own);
        }
        for (const plugin::DomainDefaults &entry : plugin.domains) {
            offers.push_back(&entry);
        }
        for (const plugin::DomainDefaults *entry : offers) {
            const auto found = std::find_if(entry->bindings.begin(), entry->bindings.end(), names_topic);
            if (found != entry->bindings.end()) {
                spec.bindings.push_back(*found);
                break;
            }
        }
        if (own && std::none_of(spec.bindings.begin(), spec.bindings.end(), names_topic)) {
            if (auto binding = binding_by_place(spec, *own, topic)) {
                spec.bindings.push_back(std::move(*binding));
            }
        }
    }
}

} // namespace

std::optional<std::string> resolve(const DomainRequest &request, const plugin::Description &plugin, const std::string &process_id,
                                   DomainSpec &out) {
    static const plugin::DomainDefaults none;
    const plugin::DomainDefaults *offered = defaults_for(plugin, request.name);
    const plugin::DomainDefaults &defaults = offered ? *offered : none;
    const auto choose = [](const std::string &wanted, const std::string &fallback) { return wanted.empty() ? fallback : wanted; };
    out.name = request.name;
    out.plugin = plugin.name;
    out.schema = choose(choose(request.schema, defaults.schema), request.name);
    std::replace(out.schema.begin(), out.schema.end(), '-', '_');
    if (store::is_shadow_schema(out.schema)) {
        return "domain " + request.name + ": schema " + out.schema +
               " is called as 'weir rebuild' calls a shadow; choose another service.schema";
    }
    out.group = choose(choose(request.group, defaults.group), request.name);
    out.consumer = choose(request.service_name, "weir") + "-" + process_id;
    out.topics = request.topics.empty() ? defaults.topics : request.topics;
    out.broker = request.broker;
    out.parallel = request.parallel.value_or(defaults.parallel);
    out.bindings = request.bindings;
    out.options = request.options;
    if (auto problem = merge_settings(plugin.settings, request.settings_json, out.settings_json)) {
        std::string from;
        for (const std::string &name : request.settings_set_by) {
            from += (from.empty() ? " (settings that come from the environment: " : ", ") + name;
        }
        return "domain " + request.name + ", plugin " + plugin.name + ": " + *problem + from + (from.empty() ? "" : ")");
    }
    if (out.topics.empty()) {
        return "no topics: set \"topics\" of domain " + request.name + "; plugin " + plugin.name + " has no default for it";
    }
    add_bindings(out, plugin);
    return std::nullopt;
}

} // namespace weir::engine
