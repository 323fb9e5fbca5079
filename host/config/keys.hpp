// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

/// What a key's value may be. Reading, overriding, refusing, docs/configuration.md and the JSON Schemas all follow from it.
enum class Type : std::uint8_t {
    text,
    secret,       ///< visible ASCII, 16 to 1000 characters
    file,         ///< a file; relative as a path is
    address,      ///< HOST:PORT, [ADDRESS]:PORT, or off
    path,         ///< a directory; relative to the host file's directory, or from a variable to the working directory
    broker_url,   ///< embedded://FILE, redis://..., redis+unix://...
    store_url,    ///< sqlite://DIRECTORY, postgresql://...
    redis_url,    ///< redis://..., rediss://..., redis+unix://...
    domain_name,  ///< [a-z][a-z0-9_-]{0,62}
    schema_name,  ///< [a-z_][a-z0-9_]{0,62}
    plugin_name,  ///< [a-z][a-z0-9-]{0,62}
    service_name, ///< [A-Za-z0-9._-]{1,100}
    group_name,   ///< [A-Za-z0-9._:-]{1,200}
    choice,       ///< one of `choices`
    boolean,
    integer,      ///< between `least` and `most`
    integer_list, ///< each between `least` and `most`
    topic_list,   ///< names, [A-Za-z0-9._-]{1,200}
    origin_list,  ///< of web pages, "https://app.example", without wildcards
    host_list,    ///< host names, without port
    object,       ///< any JSON object
    bindings,     ///< topic -> members of a binding
    domains,      ///< domain name -> domain, or an array of domains
};

/// One key of the host file or of a domain file. Static; the views live as long as the program.
struct Key {
    std::string_view path; ///< levels joined with '.': "engine.batch_max_events"
    Type type = Type::text;
    std::string_view default_text; ///< as it would stand in an environment variable; empty: see `meaning`
    std::string_view meaning;      ///< a sentence or two, with units
    std::int64_t least = 0;
    std::int64_t most = 0;
    std::string_view choices = {}; ///< "auto|json|text"
};

/// Every key of the host file, in the order in which they are shown.
const std::vector<Key> &host_keys();
/// Every key of a domain, in a file of its own or within "domains" of the host file.
const std::vector<Key> &domain_keys();

/// The members of one topic's binding, `weir_binding_v1` in JSON.
struct BindingMember {
    std::string_view name;
    std::string_view kind; ///< "boolean", "source", "sources" or "aliases"
    std::string_view meaning;
};
const std::vector<BindingMember> &binding_members();

/// The one rule for overriding: "WEIR_" and the key's path in capitals, with "_" for everything that is neither a letter nor a digit.
/// "store.url" is WEIR_STORE_URL, "domains.spell-check.consumer_group" is WEIR_DOMAINS_SPELL_CHECK_CONSUMER_GROUP.
std::string variable_name(std::string_view path);

} // namespace weir::config
