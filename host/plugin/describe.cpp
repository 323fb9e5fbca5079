// SPDX-License-Identifier: Apache-2.0
#include "event/decoder.hpp"
#include "event/event.hpp"
#include "plugin/descriptor_reader.hpp"
#include "plugin/module.hpp"

#include <algorithm>

namespace weir::plugin {

namespace {

constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kMaxTextBytes = 64u << 10;
constexpr std::uint32_t kMaxElements = 1024;
constexpr std::size_t kMaxSettingsDepth = 32;

std::vector<std::string> copy_list(const weir_view *first, std::uint32_t count, const std::string &where) {
    std::vector<std::string> out;
    for_each_element(first, count, sizeof(weir_view), kMaxElements, where,
                     [&](const weir_view &view, const std::string &at) { out.push_back(copy_text(view, at, kMaxTextBytes)); });
    return out;
}

std::string copy_event_type(const weir_view &view, const std::string &where) {
    std::string type = copy_text(view, where, kMaxNameBytes);
    if (!event::is_event_type(type)) {
        throw DescriptorFault{where + " is \"" + type + "\", which is not an event type; write it like \"user.created.v1\""};
    }
    return type;
}

event::Binding copy_binding(const weir_binding_v1 &from, const std::string &where) {
    event::Binding binding;
    binding.topic = copy_text(from.topic, where + "/topic", kMaxNameBytes);
    if (binding.topic.empty()) {
        throw DescriptorFault{where + "/topic is empty; name the topic that it is for"};
    }
    if ((from.flags & ~WEIR_BINDING_ENVELOPE_REQUIRED) != 0) {
        throw DescriptorFault{where + "/flags has unknown bits: " + std::to_string(from.flags)};
    }
    binding.envelope_required = (from.flags & WEIR_BINDING_ENVELOPE_REQUIRED) != 0;
    for_each_element(from.aliases, from.alias_count, from.alias_stride, kMaxElements, where + "/aliases",
                     [&](const weir_alias_v1 &alias, const std::string &at) {
                         binding.aliases.emplace_back(copy_text(alias.alias, at + "/alias", kMaxNameBytes),
                                                      copy_event_type(alias.event_type, at + "/event_type"));
                     });
    binding.keys = copy_list(from.keys, from.key_count, where + "/keys");
    binding.event_id = copy_text(from.event_id, where + "/event_id", kMaxTextBytes);
    binding.event_type = copy_text(from.event_type, where + "/event_type", kMaxTextBytes);
    binding.occurred_at = copy_text(from.occurred_at, where + "/occurred_at", kMaxTextBytes);
    binding.tenant_id = copy_text(from.tenant_id, where + "/tenant_id", kMaxTextBytes);
    binding.correlation_id = copy_text(from.correlation_id, where + "/correlation_id", kMaxTextBytes);
    binding.payload = copy_text(from.payload, where + "/payload", kMaxTextBytes);
    if (const std::string wrong = event::check_binding(binding); !wrong.empty()) {
        throw DescriptorFault{where + "/" + wrong};
    }
    return binding;
}

DomainDefaults copy_domain(const weir_domain_v1 &from, const std::string &where) {
    DomainDefaults domain;
    domain.name = copy_text(from.name, where + "/name", kMaxNameBytes);
    if (!is_name(domain.name, "-_")) {
        throw DescriptorFault{where + "/name is \"" + domain.name + "\"; it must be [a-z][a-z0-9_-]{0,62}"};
    }
    domain.schema = copy_text(from.schema, where + "/schema", kMaxNameBytes);
    if (!is_name(domain.schema, "_", true)) {
        throw DescriptorFault{where + "/schema is \"" + domain.schema + "\"; it must be [a-z_][a-z0-9_]{0,62}"};
    }
    domain.group = copy_text(from.group, where + "/group", kMaxNameBytes);
    if (domain.group.empty()) {
        throw DescriptorFault{where + "/group is empty; name the consumer group"};
    }
    domain.topics = copy_list(from.topics, from.topic_count, where + "/topics");
    if (std::find(domain.topics.begin(), domain.topics.end(), std::string()) != domain.topics.end()) {
        throw DescriptorFault{where + "/topics has an empty name"};
    }
    if (from.order != WEIR_ORDER_ORDERED && from.order != WEIR_ORDER_PARALLEL) {
        throw DescriptorFault{where + "/order is " + std::to_string(from.order) + "; it must be WEIR_ORDER_ORDERED or WEIR_ORDER_PARALLEL"};
    }
    domain.parallel = from.order == WEIR_ORDER_PARALLEL;
    for_each_element(from.bindings, from.binding_count, from.binding_stride, kMaxElements, where + "/bindings",
                     [&](const weir_binding_v1 &binding, const std::string &at) { domain.bindings.push_back(copy_binding(binding, at)); });
    return domain;
}

Read copy_read(const weir_read_v1 &from, const std::string &where, const store::Schema &schema) {
    Read read;
    read.event_type = copy_event_type(from.event_type, where + "/event_type");
    read.table = from.table;
    if (read.table >= schema.tables.size()) {
        throw DescriptorFault{where + "/table is " + std::to_string(read.table) + "; the plugin has " +
                              std::to_string(schema.tables.size()) + " tables"};
    }
    read.key_pointers = copy_list(from.key_pointers, from.key_count, where + "/key_pointers");
    const store::Table &table = schema.tables[read.table];
    if (read.key_pointers.size() != table.primary_key.size()) {
        throw DescriptorFault{where + "/key_count is " + std::to_string(read.key_pointers.size()) + "; the primary key of " + table.name +
                              " has " + std::to_string(table.primary_key.size()) + " columns"};
    }
    for (const std::string &pointer : read.key_pointers) {
        if (!pointer.starts_with('/')) {
            throw DescriptorFault{where + "/key_pointers has \"" + pointer + "\"; a JSON pointer into the envelope begins with a slash"};
        }
    }
    return read;
}

void check_settings(const std::string &settings) {
    if (settings.empty()) {
        return;
    }
    std::string reason;
    const auto json = event::parse_json(settings, kMaxSettingsDepth, reason);
    if (!json || json->kind("") != event::JsonKind::object) {
        throw DescriptorFault{"settings is not a JSON object" + (reason.empty() ? "" : ": " + reason)};
    }
}

void copy_descriptor(const weir_plugin_descriptor_v1 &from, Description &out) {
    // Only `size` and `abi_minor` may be read before both are known to be right.
    if (from.size < offsetof(weir_plugin_descriptor_v1, name)) {
        throw DescriptorFault{"size is " + std::to_string(from.size) + "; set it to sizeof(weir_plugin_descriptor_v1)"};
    }
    if (from.abi_minor > WEIR_ABI_MINOR) {
        throw DescriptorFault{"it needs plugin ABI " + std::to_string(WEIR_ABI_MAJOR) + "." + std::to_string(from.abi_minor) +
                              ", this host offers " + std::to_string(WEIR_ABI_MAJOR) + "." + std::to_string(WEIR_ABI_MINOR)};
    }
    constexpr std::size_t size_1_0 = offsetof(weir_plugin_descriptor_v1, counters);
    if (from.size < size_1_0 || from.size > (64u << 10) || from.size % alignof(weir_plugin_descriptor_v1) != 0) {
        throw DescriptorFault{"size is " + std::to_string(from.size) + "; set it to sizeof(weir_plugin_descriptor_v1), " +
                              std::to_string(size_1_0) + " in ABI 1.0"};
    }
    out.name = copy_text(from.name, "name", kMaxNameBytes);
    if (!is_name(out.name, "-")) {
        throw DescriptorFault{"name is \"" + out.name + "\"; it must be [a-z][a-z0-9-]{0,62}"};
    }
    out.version = copy_text(from.version, "version", kMaxNameBytes);
    out.summary = copy_text(from.summary, "summary", kMaxTextBytes);
    out.settings = copy_text(from.settings, "settings", 1u << 20);
    check_settings(out.settings);
    describe_tables(from, out.schema);
    for_each_element(from.reads, from.read_count, from.read_stride, kMaxElements, "reads",
                     [&](const weir_read_v1 &read, const std::string &where) { out.reads.push_back(copy_read(read, where, out.schema)); });
    for_each_element(from.domains, from.domain_count, from.domain_stride, kMaxElements, "domains",
                     [&](const weir_domain_v1 &domain, const std::string &where) {
                         out.domains.push_back(copy_domain(domain, where));
                         for (std::size_t index = 0; index + 1 < out.domains.size(); ++index) {
                             if (out.domains[index].name == out.domains.back().name) {
                                 throw DescriptorFault{where + "/name is \"" + out.domains.back().name +
                                                       "\" again; each domain has a name of its own"};
                             }
                         }
                     });
}

} // namespace

std::optional<std::string> describe(const weir_plugin_descriptor_v1 &descriptor, Description &out) {
    out = {};
    try {
        copy_descriptor(descriptor, out);
    } catch (const DescriptorFault &fault) {
        return fault.message;
    }
    return std::nullopt;
}

} // namespace weir::plugin
