// SPDX-License-Identifier: Apache-2.0
#include "event/binding.hpp"

#include "event/decoder.hpp"
#include "event/time.hpp"
#include "json_pointer.hpp"

#include <set>
#include <string_view>

namespace weir::event {

namespace {

/// What is wrong with one source; empty where nothing is.
std::string check_source(const std::string &source) {
    if (source.empty() || source.front() == '=') {
        return {};
    }
    if (source.front() != '/') {
        return "must be empty, a JSON pointer (\"/meta/id\") or \"=\" and a fixed value";
    }
    return is_json_pointer(source) ? std::string() : "is not a JSON pointer: \"~\" is written \"~0\", and \"/\" within a name \"~1\"";
}

bool is_fixed(const std::string &source) { return !source.empty() && source.front() == '='; }

std::string check_aliases(const Binding &binding) {
    std::set<std::string_view> seen;
    for (const auto &[alias, type] : binding.aliases) {
        if (alias.empty()) {
            return "aliases: an alias is empty";
        }
        if (!seen.insert(alias).second) {
            return "aliases: \"" + alias + "\" is there twice";
        }
        if (!is_event_type(type)) {
            return "aliases: \"" + alias + "\" leads to \"" + type + "\", which is not an event type such as \"user.created.v1\"";
        }
    }
    return {};
}

std::string check_fixed_values(const Binding &binding) {
    if (is_fixed(binding.event_id)) {
        return "event_id: is fixed, so that every message but the first would be a duplicate; write a JSON pointer or \"position\"";
    }
    if (is_fixed(binding.occurred_at) && !parse_time(std::string_view(binding.occurred_at).substr(1))) {
        return "occurred_at: the fixed value is not an RFC 3339 time with a zone";
    }
    if (is_fixed(binding.event_type)) {
        const std::string_view type = std::string_view(binding.event_type).substr(1);
        bool known = is_event_type(type);
        for (const auto &[alias, target] : binding.aliases) {
            known = known || alias == type;
        }
        if (!known) {
            return "event_type: the fixed value is neither an event type such as \"user.created.v1\" nor an alias";
        }
    }
    return {};
}

} // namespace

std::string check_binding(const Binding &binding) {
    if (binding.topic.empty()) {
        return "topic: is empty";
    }
    const std::pair<std::string_view, const std::string *> sources[] = {
        {"event_id", &binding.event_id},   {"event_type", &binding.event_type},         {"occurred_at", &binding.occurred_at},
        {"tenant_id", &binding.tenant_id}, {"correlation_id", &binding.correlation_id}, {"payload", &binding.payload},
    };
    for (const auto &[name, source] : sources) {
        if (name == "event_id" && *source == "position") {
            continue;
        }
        if (const std::string wrong = check_source(*source); !wrong.empty()) {
            return std::string(name) + ": " + wrong;
        }
    }
    for (std::size_t i = 0; i < binding.keys.size(); ++i) {
        const std::string wrong = binding.keys[i].empty() ? "is empty" : check_source(binding.keys[i]);
        if (!wrong.empty()) {
            return "keys/" + std::to_string(i) + ": " + wrong;
        }
    }
    if (std::string wrong = check_aliases(binding); !wrong.empty()) {
        return wrong;
    }
    return check_fixed_values(binding);
}

bool is_event_type(std::string_view text) noexcept {
    const std::size_t last = text.rfind('.');
    if (last == std::string_view::npos || last == 0 || last + 2 >= text.size() || text[last + 1] != 'v') {
        return false;
    }
    for (const char c : text.substr(last + 2)) {
        if (c < '0' || c > '9') {
            return false;
        }
    }
    char before = '.';
    for (const char c : text.substr(0, last)) {
        const bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        if (!word && (c != '.' || before == '.')) {
            return false;
        }
        before = c;
    }
    return before != '.';
}

} // namespace weir::event
