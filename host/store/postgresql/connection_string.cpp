// SPDX-License-Identifier: Apache-2.0
#include "connection_string.hpp"

#include <algorithm>

namespace weir::store::postgresql {

namespace {

/// Everything but letters and digits as %XX.
std::string escaped(const std::string &value) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
            out += c;
        } else {
            out += '%';
            out += kDigits[byte >> 4];
            out += kDigits[byte & 15];
        }
    }
    return out;
}

} // namespace

std::string connection_string(const PostgresqlOptions &options) {
    std::string out = "postgresql:///"; // a url: SOCI cuts other connection strings into pieces at each blank
    std::string settings;
    const auto add = [&](const std::string &key, const std::string &value) {
        out += (out.ends_with('/') ? "?" : "&") + key + "=" + escaped(value);
    };
    const auto add_default = [&](const std::string &key, const std::string &value) {
        if (std::none_of(options.parameters.begin(), options.parameters.end(), [&](const auto &one) { return one.first == key; })) {
            add(key, value);
        }
    };
    for (const auto &[key, value] : options.parameters) {
        if (key == "options") {
            settings += value + " ";
        } else {
            add(key, value);
        }
    }
    add_default("connect_timeout", std::to_string(std::max<std::int64_t>(2, options.connect_timeout.count() / 1000)));
    add_default("keepalives_idle", "15");
    add_default("keepalives_interval", "5");
    add_default("keepalives_count", "3");
    add_default("tcp_user_timeout", std::to_string(options.reply_timeout.count()));
    add("application_name", "weir");
    add("client_encoding", "UTF8");
    const auto set = [&](const std::string &name, const std::string &value) { settings += "-c " + name + "=" + value + " "; };
    set("statement_timeout", std::to_string(options.statement_timeout.count()));
    set("lock_timeout", std::to_string(options.lock_timeout.count()));
    set("idle_in_transaction_session_timeout", std::to_string(options.idle_in_transaction_timeout.count()));
    set("tcp_keepalives_idle", "15"); // the server's side: a host that is gone must not keep its locks
    set("tcp_keepalives_interval", "5");
    set("tcp_keepalives_count", "3");
    set("default_transaction_isolation", "read\\ committed");
    set("search_path", "pg_catalog,pg_temp");
    set("TimeZone", "UTC");
    set("DateStyle", "ISO");
    set("bytea_output", "hex");
    set("standard_conforming_strings", "on");
    set("client_min_messages", "error");
    // Every statement of a batch goes by keys. Plans are made once, perhaps while a table is empty, and must be right when it isn't.
    set("plan_cache_mode", "force_generic_plan");
    set("enable_seqscan", "off");
    set("enable_hashjoin", "off");
    set("enable_mergejoin", "off");
    set("jit", "off"); // or the price put on what is off would start it
    add("options", settings);
    return out;
}

} // namespace weir::store::postgresql
