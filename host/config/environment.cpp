// SPDX-License-Identifier: Apache-2.0
#include "environment.hpp"

#include "keys.hpp"
#include "text.hpp"

#include <regex>
#include <unistd.h>

namespace weir::config {

namespace {

constexpr std::size_t kDeepest = 16; ///< defaults within defaults

bool is_variable_name(std::string_view text) {
    if (text.empty() || (text[0] >= '0' && text[0] <= '9')) {
        return false;
    }
    for (const char c : text) {
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) {
            return false;
        }
    }
    return true;
}

/// Kubernetes gives every container the addresses of the services around it; one called "weir" becomes WEIR_SERVICE_HOST,
/// WEIR_PORT_8080_TCP, ...
bool is_service_link(const std::string &name, const std::string &value) {
    static const std::regex links(
        "WEIR_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_PROTO|_PORT|_ADDR)?)");
    constexpr std::size_t kLongestName = 256; // std::regex recurses once a character
    if (name.size() > kLongestName) {
        return false;
    }
    const bool port = name.size() >= 5 && name.ends_with("_PORT") &&
                      (value.starts_with("tcp://") || value.starts_with("udp://") || value.starts_with("sctp://"));
    return port || std::regex_match(name, links);
}

/// Where the brace is that closes a "${" which ends before `from`: defaults may hold others. npos: nowhere.
std::size_t closing_brace(std::string_view text, std::size_t from) {
    std::size_t open = 1;
    for (std::size_t at = from; at < text.size(); ++at) {
        if (text[at] == '}' && --open == 0) {
            return at;
        }
        if (text.substr(at, 2) == "${") {
            if (++open > kDeepest) {
                return std::string_view::npos;
            }
            ++at;
        }
    }
    return std::string_view::npos;
}

} // namespace

std::optional<std::string> Environment::override_of(const std::string &path, std::vector<Problem> &problems) {
    const std::string name = variable_name(path);
    const auto [known, fresh] = known_.emplace(name, path);
    const auto found = variables_.find(name);
    if (found == variables_.end() || found->second.empty()) {
        return std::nullopt;
    }
    if (!fresh && known->second != path) {
        problems.push_back({"environment " + name, "means both " + known->second + " and " + path +
                                                       ": unset it and set the keys in their files, or rename one of the domains"});
        return std::nullopt;
    }
    return found->second;
}

Environment::Expansion Environment::expand(std::string_view text, std::vector<std::string> &problems) {
    Expansion out;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t dollar = text.find('$', at);
        if (dollar == std::string_view::npos) {
            break;
        }
        out.text += text.substr(at, dollar - at);
        if (text.substr(dollar, 3) == "$${") {
            out.text += "${";
            at = dollar + 3;
            continue;
        }
        if (text.substr(dollar, 2) != "${") {
            out.text += '$';
            at = dollar + 1;
            continue;
        }
        const std::size_t end = closing_brace(text, dollar + 2);
        if (end == std::string_view::npos) {
            problems.push_back("\"${\" is not closed: write ${NAME} or ${NAME:-default}, or $${ for the two characters");
            return out;
        }
        substitute(text.substr(dollar + 2, end - dollar - 2), out, problems);
        at = end + 1;
    }
    if (at < text.size()) {
        out.text += text.substr(at);
    }
    return out;
}

void Environment::substitute(std::string_view inside, Expansion &out, std::vector<std::string> &problems) {
    const std::size_t operation = inside.find(":-");
    const std::string name(inside.substr(0, operation));
    if (!is_variable_name(name)) {
        problems.push_back(in_quotes("${" + std::string(inside) + "}") +
                           " names no variable: write ${NAME} or ${NAME:-default}, or $${ for the two characters");
        return;
    }
    named_[name] = true;
    out.variables.push_back(name);
    const auto found = variables_.find(name);
    const bool has_default = operation != std::string_view::npos;
    const bool is_set = found != variables_.end() && (!found->second.empty() || !has_default);
    if (is_set) {
        out.text += found->second;
        out.set.push_back(name);
    } else if (!has_default) {
        problems.push_back("the environment variable " + name + " is not set: set it, or write ${" + name + ":-default}");
    }
    if (has_default) { // also where it doesn't count: the variables that it names are known then
        std::vector<std::string> unused;
        const Expansion otherwise = expand(inside.substr(operation + 2), is_set ? unused : problems);
        if (!is_set) {
            out.text += otherwise.text;
            out.variables.insert(out.variables.end(), otherwise.variables.begin(), otherwise.variables.end());
            out.set.insert(out.set.end(), otherwise.set.begin(), otherwise.set.end());
        }
    }
}

void Environment::refuse_unknown(std::vector<Problem> &problems) const {
    std::vector<std::string> candidates;
    for (const auto &[name, path] : known_) {
        candidates.push_back(name);
    }
    for (const auto &[name, value] : variables_) {
        if (!name.starts_with("WEIR_") || name.starts_with("WEIR_TEST_") || known_.contains(name) || named_.contains(name) ||
            is_service_link(name, value)) {
            continue;
        }
        std::string what = "overrides no key of this configuration" + did_you_mean(name, candidates) + ": correct its name or unset it";
        if (name.starts_with("WEIR_DOMAINS_")) {
            what += "; only domains that have a file or stand in the host file can be overridden";
        }
        problems.push_back({"environment " + name, what});
    }
}

std::map<std::string, std::string> process_environment() {
    std::map<std::string, std::string> variables;
    for (char **entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const std::size_t equals = text.find('=');
        if (equals != std::string_view::npos) {
            variables.emplace(text.substr(0, equals), text.substr(equals + 1)); // the first of two counts, as for getenv
        }
    }
    return variables;
}

} // namespace weir::config
