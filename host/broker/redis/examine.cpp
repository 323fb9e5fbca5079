// SPDX-License-Identifier: Apache-2.0
#include "examine.hpp"

#include "connection.hpp"
#include "rights.hpp"

#include "event/time.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace weir::broker {

namespace {

using health::Finding;
using health::Health;
using redis::Connection;
using redis::Reply;

constexpr event::Micros kClockMayDiffer = 1'000'000;

/// A line of INFO: "redis_version:7.0.15".
std::string info_line(std::string_view info, std::string_view name) {
    for (std::size_t at = 0; at < info.size();) {
        const std::size_t end = std::min(info.find("\r\n", at), info.size());
        const std::string_view line = info.substr(at, end - at);
        if (line.starts_with(name) && line.substr(name.size()).starts_with(":")) {
            return std::string(line.substr(name.size() + 1));
        }
        at = end + 2;
    }
    return {};
}

/// The server's setting; nothing where it can't be asked, as CONFIG is often forbidden.
std::optional<std::string> setting(Connection &connection, std::string_view name) {
    const Reply &reply = connection.execute({"CONFIG", "GET", name});
    if (reply.is_error() || reply.count < 2) {
        return std::nullopt;
    }
    return std::string(reply[1].text);
}

bool recent(const std::string &version) {
    const int major = std::atoi(version.c_str());
    const std::size_t dot = version.find('.');
    const int minor = dot == std::string::npos ? 0 : std::atoi(version.c_str() + dot + 1);
    return major > 6 || (major == 6 && minor >= 2);
}

Finding durability(Connection &connection, const std::string &info) {
    const auto appendfsync = setting(connection, "appendfsync");
    if (info_line(info, "aof_enabled") != "1") {
        return {"redis_durability", Health::warning, "appendonly is no: a crash of the server loses what came after its last snapshot",
                "redis-cli CONFIG SET appendonly yes, and CONFIG REWRITE to keep it"};
    }
    if (!appendfsync) {
        return {"redis_durability", Health::good, "appendonly is yes; appendfsync can't be asked (CONFIG is not permitted)"};
    }
    if (*appendfsync == "no") {
        return {"redis_durability", Health::warning, "appendfsync is no: a power cut loses what the operating system had not written",
                "redis-cli CONFIG SET appendfsync everysec, or always"};
    }
    return {"redis_durability", Health::good,
            "appendonly is yes, appendfsync " + *appendfsync +
                (*appendfsync == "always" ? "" : ": a power cut loses a second or two of what was published")};
}

Finding eviction(Connection &connection, const std::string &info) {
    const auto maxmemory = info_line(info, "maxmemory");
    auto policy = info_line(info, "maxmemory_policy");
    if (policy.empty()) {
        policy = setting(connection, "maxmemory-policy").value_or("");
    }
    const bool evicts = policy.starts_with("allkeys-");
    if (evicts) {
        return {"redis_eviction", Health::fault,
                "maxmemory-policy is " + policy + ": a full Redis would throw topics away, with messages nobody has read",
                "redis-cli CONFIG SET maxmemory-policy noeviction, and CONFIG REWRITE to keep it"};
    }
    if (maxmemory.empty() || maxmemory == "0") {
        return {"redis_eviction", Health::good, "maxmemory is not set, nothing is evicted"};
    }
    return {"redis_eviction", Health::good,
            "maxmemory is " + maxmemory + " bytes, maxmemory-policy " + (policy.empty() ? "not known" : policy) +
                ": a full Redis refuses to publish"};
}

Finding clock(Connection &connection) {
    const Reply &reply = connection.execute({"TIME"});
    if (reply.is_error() || reply.count < 2) {
        return {"redis_clock", Health::good, "the server's clock can't be asked"};
    }
    event::Micros seconds = 0;
    event::Micros rest = 0;
    std::from_chars(reply[0].text.data(), reply[0].text.data() + reply[0].text.size(), seconds);
    std::from_chars(reply[1].text.data(), reply[1].text.data() + reply[1].text.size(), rest);
    const event::Micros apart = std::abs(seconds * 1'000'000 + rest - event::now());
    if (apart > kClockMayDiffer) {
        return {"redis_clock", Health::warning, "its clock and this machine's are " + std::to_string(apart / 1000) + " ms apart",
                "run NTP on both: append times are the server's, and the ledger's horizon goes by them"};
    }
    return {"redis_clock", Health::good, "its clock agrees with this machine's"};
}

void look_at_server(Connection &connection, const RedisOptions &options, std::vector<Finding> &findings) {
    const Reply &reply = connection.execute({"INFO"});
    if (reply.is_error()) {
        findings.push_back(
            {"redis", Health::warning,
             options.place() + " can be reached, but not asked how it is set (version, durability, eviction): INFO is not permitted",
             "ACL SETUSER " + (options.user.empty() ? "default" : options.user) + " +info +time +config|get"});
        return;
    }
    const std::string info(reply.text);
    const std::string version = info_line(info, "redis_version");
    findings.push_back(recent(version)
                           ? Finding{"redis", Health::good, options.place() + " can be reached, Redis " + version}
                           : Finding{"redis", Health::fault, options.place() + " is Redis " + version + "; Weir needs 6.2 or later",
                                     "upgrade it, or name another: " + options.key});
    if (options.tls && !options.tls_verify) {
        findings.push_back({"redis_tls", Health::warning,
                            "ssl_cert_reqs is none: whoever stands between this machine and the server can read and change what they say",
                            "name the file of the authority that signed its certificate: ssl_ca_certs in " + options.key});
    }
    if (info_line(info, "role") == "slave") {
        findings.push_back(
            {"redis_role", Health::fault, options.place() + " is a replica and takes no writes",
             "name its master, " + info_line(info, "master_host") + ":" + info_line(info, "master_port") + ", in " + options.key});
    }
    findings.push_back(durability(connection, info));
    findings.push_back(eviction(connection, info));
    findings.push_back(clock(connection));
}

} // namespace

std::vector<Finding> examine_redis(const RedisOptions &options, const std::vector<std::string> &topics) {
    std::vector<Finding> findings;
    try {
        Connection connection(options, "weir/doctor");
        look_at_server(connection, options, findings);
        for (Finding &finding : redis::examine_rights(connection, topics)) {
            findings.push_back(std::move(finding));
        }
    } catch (const Misconfigured &failure) { // it runs
        findings.push_back({"redis", Health::fault, failure.what(), "change that on the server, or in " + options.key});
    } catch (const std::exception &failure) {
        findings.push_back({"redis", Health::fault, failure.what(), "start it, or correct " + options.key});
    }
    return findings;
}

} // namespace weir::broker
