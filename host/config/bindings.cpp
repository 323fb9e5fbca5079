// SPDX-License-Identifier: Apache-2.0
#include "domains.hpp"
#include "text.hpp"

#include <algorithm>

namespace weir::config {

namespace {

std::string *source_of(event::Binding &binding, std::string_view member) {
    return member == "event_id"         ? &binding.event_id
           : member == "event_type"     ? &binding.event_type
           : member == "occurred_at"    ? &binding.occurred_at
           : member == "tenant_id"      ? &binding.tenant_id
           : member == "correlation_id" ? &binding.correlation_id
           : member == "payload"        ? &binding.payload
                                        : nullptr;
}

/// Reads one member; what to write instead where it is of the wrong type.
std::string read_member(const BindingMember &member, const nlohmann::json &value, event::Binding &binding) {
    if (member.kind == "boolean") {
        if (!value.is_boolean()) {
            return "write true or false";
        }
        binding.envelope_required = value.get<bool>();
    } else if (member.kind == "source") {
        if (!value.is_string()) {
            return "write a text: a JSON pointer (\"/meta/id\") or \"=\" and a fixed value";
        }
        *source_of(binding, member.name) = value.get<std::string>();
    } else if (member.kind == "sources") {
        if (!value.is_array() || !std::all_of(value.begin(), value.end(), [](const auto &part) { return part.is_string(); })) {
            return "write an array of JSON pointers, such as [\"/tenant_id\", \"/payload/user_id\"]";
        }
        binding.keys = value.get<std::vector<std::string>>();
    } else {
        if (!value.is_object() || !std::all_of(value.begin(), value.end(), [](const auto &type) { return type.is_string(); })) {
            return "write an object of other name and event type, such as {\"UserCreated\": \"user.created.v1\"}";
        }
        for (const auto &[alias, type] : value.items()) {
            binding.aliases.emplace_back(alias, type.template get<std::string>());
        }
    }
    return {};
}

} // namespace

std::vector<event::Binding> read_bindings(const Leaf &leaf, const std::vector<std::string> &topics, Load &load) {
    std::vector<event::Binding> bindings;
    const auto refuse = [&](const std::string &inner, const std::string &what) { load.problems.push_back({leaf.where(inner), what}); };
    if (!leaf.value.is_object()) {
        refuse({}, "must be an object: write {\"TOPIC\": {\"event_id\": \"/id\", ...}}");
        return bindings;
    }
    std::vector<std::string> names;
    for (const BindingMember &member : binding_members()) {
        names.emplace_back(member.name);
    }
    for (const auto &[topic, members] : leaf.value.items()) {
        const std::string inner = join_pointer({}, topic);
        const std::string wrong = check_name(Type::topic_list, topic);
        if (!wrong.empty()) {
            refuse(inner, "the topic is " + in_quotes(topic) + ": " + wrong);
            continue;
        }
        if (!topics.empty() && std::find(topics.begin(), topics.end(), topic) == topics.end()) {
            refuse(inner, "binds the topic " + in_quotes(topic) + ", which is not among the domain's topics" + did_you_mean(topic, topics) +
                              ": add it to \"topics\" or take the binding out");
            continue;
        }
        if (!members.is_object()) {
            refuse(inner, "must be an object of a binding's members, such as {\"event_id\": \"/id\"}");
            continue;
        }
        event::Binding binding;
        binding.topic = topic;
        bool good = true;
        for (const auto &[name, value] : members.items()) {
            const auto &known = binding_members();
            const auto member =
                std::find_if(known.begin(), known.end(), [&name = name](const BindingMember &one) { return one.name == name; });
            const std::string place = join_pointer(inner, name);
            const std::string what =
                member == known.end() ? "is no member of a binding" + did_you_mean(name, names) : read_member(*member, value, binding);
            if (!what.empty()) {
                refuse(place, in_quotes(name) + (member == known.end() ? " " : " is of the wrong type: ") + what);
                good = false;
            }
        }
        const std::string reason = good ? event::check_binding(binding) : std::string();
        if (!reason.empty()) {
            const std::string member = reason.substr(0, reason.find_first_of(":/ ["));
            refuse(members.contains(member) ? join_pointer(inner, member) : inner, reason);
        }
        bindings.push_back(std::move(binding));
    }
    return bindings;
}

} // namespace weir::config
