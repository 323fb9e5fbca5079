// SPDX-License-Identifier: Apache-2.0
#include "failure.hpp"

#include <algorithm>
#include <array>

namespace weir::broker::redis {

namespace {

/// Error codes that pass by themselves, or when somebody gives the server room. [redis.io: errors in src/server.c, shared objects]
struct Passing {
    std::string_view code;
    std::string_view why;
};
constexpr std::array<Passing, 8> kPassing{{
    {"LOADING", "is still loading its data; it will answer when it is done"},
    {"MASTERDOWN", "is a replica that has lost its master; name the master, or wait for it"},
    {"OOM", "has reached its maxmemory and takes no more; raise maxmemory, or have Weir trim topics with max_messages or max_age_s in KEY"},
    {"MISCONF", "can't write to its disk and so takes no writes; make room there and see the server's log"},
    {"BUSY", "is busy with a script; it will answer when that ends (SCRIPT KILL ends it)"},
    {"NOREPLICAS", "has fewer replicas than its min-replicas-to-write asks for; start them or lower that"},
    {"TRYAGAIN", "asks to be tried again"},
    {"ERR max number of clients", "has reached its maxclients; raise it or close other clients"},
}};

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

/// The text with the configuration key's name where it says KEY.
std::string named(const RedisOptions &options, std::string text) {
    constexpr std::string_view kKey = "KEY";
    for (std::size_t at = text.find(kKey); at != std::string::npos; at = text.find(kKey, at + options.key.size())) {
        text.replace(at, kKey.size(), options.key);
    }
    return text;
}

std::string grant(const RedisOptions &options, std::string_view command, std::string_view key) {
    const std::string user = options.user.empty() ? "default" : options.user;
    std::string name(command.substr(0, command.find(' ')));
    std::string out = "user '" + user + "' may not run " + std::string(command);
    if (!key.empty()) {
        out += " on '" + std::string(key) + "'";
    }
    out += "; grant it: ACL SETUSER " + user + " +" + lower(name);
    if (!key.empty()) {
        out += " ~" + std::string(key);
    }
    return out + " (docs/redis.md lists all that Weir needs), or name another user in " + options.key;
}

} // namespace

void refuse(const RedisOptions &options, std::string_view error, std::string_view command, std::string_view key) {
    const std::string &key_name = options.key;
    const std::string where = key_name + ": " + options.place();
    const std::string scheme = options.tls ? "rediss://" : "redis://";
    const auto is = [error](std::string_view code) { return error.starts_with(code); };
    for (const Passing &passing : kPassing) {
        if (is(passing.code)) {
            throw Unavailable(where + " " + named(options, std::string(passing.why)));
        }
    }
    if (is("WRONGPASS") || is("ERR invalid password")) {
        throw Misconfigured(where + " refuses the user or the password; set them in " + key_name + " as " + scheme +
                            "USER:PASSWORD@HOST, with %XX for characters such as @ and /");
    }
    if (is("NOAUTH") || is("ERR AUTH")) {
        throw Misconfigured(where + (is("NOAUTH")
                                         ? " wants a password; set it in " + key_name + " as " + scheme + ":PASSWORD@HOST or USER:PASSWORD@"
                                         : " has no password set; take the password out of " + key_name + ", or set one on the server"));
    }
    if (is("NOPERM")) {
        throw Misconfigured(where + ": " + grant(options, command, key));
    }
    if (is("WRONGTYPE")) {
        throw Misconfigured(where + ": the key '" + std::string(key) +
                            "' is not a stream, so it can't be a topic; name another topic in topics, another database in " + key_name +
                            ", or remove the key");
    }
    if (is("READONLY")) {
        throw Misconfigured(where + " is a replica and takes no writes; name its master");
    }
    if (is("DENIED")) {
        throw Misconfigured(
            where + " is in protected mode, which refuses other machines; set a password or bind there, or connect from the same machine");
    }
    if (is("MOVED") || is("ASK ") || is("CROSSSLOT") || is("CLUSTERDOWN")) {
        throw Misconfigured(where + " is a node of a Redis Cluster, which Weir does not support; name a server of its own");
    }
    if (is("ERR DB index") || is("ERR invalid DB index")) {
        throw Misconfigured(where + " has no database " + std::to_string(options.database) + "; name a lower one in " + key_name +
                            " or raise the server's `databases`");
    }
    if (is("ERR unknown command") || is("ERR unknown subcommand")) {
        throw Misconfigured(where + " does not know " + std::string(command) + ", perhaps because it was renamed there; Weir needs it");
    }
    // Redis's own words hold no values of the command.
    throw Unavailable(where + " answers " + std::string(command) + (key.empty() ? "" : " on '" + std::string(key) + "'") +
                      " with: " + std::string(error.substr(0, 300)));
}

const Reply &check(const RedisOptions &options, const Reply &reply, std::string_view command, std::string_view key) {
    if (reply.is_error()) {
        refuse(options, reply.text, command, key);
    }
    return reply;
}

} // namespace weir::broker::redis
