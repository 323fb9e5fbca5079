// SPDX-License-Identifier: Apache-2.0
#include "text.hpp"
#include "values.hpp"

#include <algorithm>

namespace weir::config {

namespace {

std::string_view last_level(std::string_view path) {
    const std::size_t dot = path.rfind('.');
    return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

/// The members that may stand at a level: "batch_max_events", ... for "engine".
std::vector<std::string> members_of(const std::vector<Key> &keys, const std::string &section) {
    std::vector<std::string> members;
    const std::string prefix = section.empty() ? "" : section + ".";
    for (const Key &key : keys) {
        if (key.path.starts_with(prefix)) {
            const std::string_view rest = key.path.substr(prefix.size());
            std::string member(rest.substr(0, rest.find('.')));
            if (std::find(members.begin(), members.end(), member) == members.end()) {
                members.push_back(std::move(member));
            }
        }
    }
    return members;
}

std::string as_nested(std::string_view path) {
    const std::size_t dot = path.find('.');
    return dot == std::string_view::npos ? "\"" + std::string(path) + "\""
                                         : "\"" + std::string(path.substr(0, dot)) + "\": {" + as_nested(path.substr(dot + 1)) + ": ...}";
}

std::string unknown_key(const std::vector<Key> &keys, const std::string &section, const std::string &name) {
    const std::string what = "is no key here";
    for (const Key &key : keys) {
        if (key.path == join_path(section, name)) { // the path in one piece, dots and all
            return what + ": write " + as_nested(key.path);
        }
    }
    const std::vector<std::string> here = members_of(keys, section);
    std::string guess = nearest(name, here);
    if (guess.empty()) {
        for (const Key &key : keys) {
            if (last_level(key.path) == name) { // right name, wrong level
                return what + ": it stands at the top as " + as_nested(key.path);
            }
        }
        std::vector<std::string> all;
        for (const Key &key : keys) {
            all.emplace_back(key.path);
        }
        guess = nearest(join_path(section, name), all);
        if (!guess.empty()) {
            return what + " (did you mean " + as_nested(guess) + "?)";
        }
    }
    std::string message = what + (guess.empty() ? "" : " (did you mean \"" + guess + "\"?)") + "; known are ";
    for (const std::string &member : here) {
        message += (member == here.front() ? "" : ", ") + member;
    }
    return message;
}

/// Expands every string in a value.
void expand(nlohmann::json &value, const std::string &inner, Leaf &leaf, Load &load, std::vector<std::string> &variables) {
    if (value.is_string()) {
        std::vector<std::string> reasons;
        const Environment::Expansion expansion = load.environment.expand(value.get_ref<const std::string &>(), reasons);
        for (const std::string &reason : reasons) {
            load.problems.push_back({leaf.where(inner), reason});
        }
        leaf.set_by.insert(leaf.set_by.end(), expansion.set.begin(), expansion.set.end());
        for (const std::string &name : expansion.variables) {
            leaf.from_text = true;
            leaf.secret = leaf.secret || names_a_secret(name);
            variables.push_back(name);
        }
        value = expansion.text;
    } else if (value.is_object()) {
        for (auto &[name, member] : value.items()) {
            expand(member, join_pointer(inner, name), leaf, load, variables);
        }
    } else if (value.is_array()) {
        for (std::size_t i = 0; i < value.size(); ++i) {
            expand(value[i], inner + "/" + std::to_string(i), leaf, load, variables);
        }
    }
}

void collect_section(const std::vector<Key> &keys, const Document &document, const nlohmann::json &object, const std::string &pointer,
                     const std::string &section, Load &load, Leaves &leaves) {
    for (const auto &[name, value] : object.items()) {
        const std::string inner = join_pointer(pointer, name);
        if (section.empty() && name == "$schema") {
            continue; // for editors
        }
        const std::string path = join_path(section, name);
        const bool whole = name.find('.') == std::string::npos;
        const auto key = std::find_if(keys.begin(), keys.end(), [&](const Key &candidate) { return whole && candidate.path == path; });
        if (key != keys.end()) {
            Leaf leaf{value, &document, inner, document.file.string(), false, false};
            std::vector<std::string> variables;
            if (key->type != Type::domains) { // expanded one by one, with the domain's own keys
                expand(leaf.value, {}, leaf, load, variables);
            }
            for (const std::string &variable : variables) {
                leaf.source += " with ${" + variable + "}";
            }
            leaves.insert_or_assign(path, std::move(leaf));
            continue;
        }
        const bool is_section =
            whole && std::any_of(keys.begin(), keys.end(), [&](const Key &candidate) { return candidate.path.starts_with(path + "."); });
        if (is_section && value.is_object()) {
            collect_section(keys, document, value, inner, path, load, leaves);
        } else if (is_section) {
            load.problems.push_back({document.where(inner), "must be an object: write {\"" + members_of(keys, path).front() + "\": ...}"});
        } else {
            load.problems.push_back({document.where(inner), in_quotes(name) + " " + unknown_key(keys, section, name)});
        }
    }
}

} // namespace

std::string Leaf::variables() const {
    std::string names = document == nullptr && source.starts_with("environment ") ? pointer : "";
    for (const std::string &name : set_by) {
        names += (names.empty() ? "" : ", ") + name;
    }
    return names;
}

std::string Leaf::where(const std::string &inner) const {
    return document ? document->where(pointer + inner) : "environment " + pointer + (inner.empty() ? "" : " " + inner);
}

void collect(const std::vector<Key> &keys, const Document &document, const nlohmann::json &object, const std::string &pointer, Load &load,
             Leaves &leaves) {
    collect_section(keys, document, object, pointer, {}, load, leaves);
}

void override_from_environment(const std::vector<Key> &keys, const std::string &prefix, Load &load, Leaves &leaves) {
    for (const Key &key : keys) {
        if (key.path == "service.domain") {
            continue; // the domain is found by it
        }
        const std::string path = join_path(prefix, key.path);
        const std::optional<std::string> text = load.environment.override_of(path, load.problems);
        if (!text) {
            continue;
        }
        const std::string name = variable_name(path);
        Leaf leaf{*text, nullptr, name, "environment " + name, true, false};
        if (key.type == Type::object || key.type == Type::bindings || key.type == Type::domains) {
            // Read as a file of its own, so that problems inside have a place.
            std::optional<Document> document = parse_document("environment " + name, *text, load.problems);
            if (!document) {
                leaves.erase(std::string(key.path));
                continue;
            }
            leaf.document = &load.documents.emplace_back(std::move(*document));
            leaf.value = leaf.document->root;
            leaf.pointer.clear();
        }
        leaves.insert_or_assign(std::string(key.path), std::move(leaf));
    }
}

} // namespace weir::config
