// SPDX-License-Identifier: Apache-2.0
#include "urls.hpp"

#include "text.hpp"

#include <algorithm>

namespace weir::config {

namespace {

struct Scheme {
    std::string_view prefix;
    std::string_view shape;
    std::vector<std::string> parameters;
    bool escapes; ///< whether the adapter reads %XX in the path
};

constexpr std::string_view kRedisShape =
    "redis://USER:PASSWORD@HOST:PORT/DATABASE, rediss://... for TLS, or redis+unix://SOCKET?db=DATABASE";
constexpr std::string_view kPostgresqlShape = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE";

bool names_redis(std::string_view url) {
    return url.starts_with("redis://") || url.starts_with("rediss://") || url.starts_with("redis+unix://");
}

/// SQLAlchemy's urls name the driver too: postgresql+psycopg://
bool names_postgresql(std::string_view url) {
    const std::string_view scheme = url.substr(0, url.find("://"));
    return scheme.size() < url.size() && (scheme == "postgresql" || scheme == "postgres" || scheme.starts_with("postgresql+"));
}

/// What stands behind the scheme is the adapter's to read; here it only must not be forgotten.
std::string check_server(std::string_view url, std::string_view shape) {
    const std::string_view rest = url.substr(url.find("://") + 3);
    return rest.empty() ? "it names no server; write " + std::string(shape) : "";
}

const Scheme &scheme_of(Type type) {
    static const Scheme broker{
        "embedded://", "embedded://FILE", {"synchronous", "busy_timeout_ms", "partitions", "max_age_s", "max_messages", "max_bytes"}, true};
    static const Scheme store{"sqlite://", "sqlite://DIRECTORY", {"synchronous", "busy_timeout_ms"}, false};
    return type == Type::broker_url ? broker : store;
}

/// A path as it stands in a url of this scheme.
std::string in_url(const Scheme &scheme, const std::filesystem::path &path) {
    std::string out;
    for (const char c : path.string()) {
        out += !scheme.escapes ? std::string(1, c) : c == '%' ? "%25" : c == '?' ? "%3F" : std::string(1, c);
    }
    return out;
}

std::string check_parameters(const Scheme &scheme, std::string_view query) {
    for (std::size_t at = 0; at < query.size();) {
        const std::size_t end = std::min(query.find('&', at), query.size());
        const std::string_view pair = query.substr(at, end - at);
        const std::size_t equals = pair.find('=');
        const std::string name(pair.substr(0, equals));
        const std::string_view value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
        if (std::find(scheme.parameters.begin(), scheme.parameters.end(), name) == scheme.parameters.end()) {
            std::string known;
            for (const std::string &one : scheme.parameters) {
                known += (known.empty() ? "" : ", ") + one;
            }
            return "it takes no parameter " + in_quotes(name) + did_you_mean(name, scheme.parameters) + "; known are " + known;
        }
        if (name == "synchronous" && value != "full" && value != "normal") {
            return "write synchronous=full or synchronous=normal";
        }
        if (name != "synchronous" && (value.empty() || value.find_first_not_of("0123456789") != std::string_view::npos)) {
            return "write a whole number behind " + name + "=";
        }
        at = end + 1;
    }
    return {};
}

} // namespace

std::string check_redis_url(std::string_view url) {
    return names_redis(url) ? check_server(url, kRedisShape) : "write " + std::string(kRedisShape);
}

std::string check_url(Type type, const std::filesystem::path &base, std::string &url) {
    const Scheme &scheme = scheme_of(type);
    if (!url.starts_with(scheme.prefix)) {
        const bool broker = type == Type::broker_url;
        const std::string shapes =
            std::string(scheme.shape) + (broker ? ", " : " or ") + std::string(broker ? kRedisShape : kPostgresqlShape);
        if (broker ? names_redis(url) : names_postgresql(url)) {
            return check_server(url, broker ? kRedisShape : kPostgresqlShape);
        }
        if (broker ? names_postgresql(url) : names_redis(url)) {
            return "this is the url of a " + std::string(broker ? "store; it belongs to store.url" : "broker; it belongs to broker.url");
        }
        return (broker && url.starts_with("kafka://") ? "this version has no such broker; write " : "write ") + shapes;
    }
    const std::string rest = url.substr(scheme.prefix.size());
    const std::size_t question = std::min(rest.find('?'), rest.size());
    const std::string query = rest.substr(question);
    std::string path = rest.substr(0, question);
    if (query.size() > 1) {
        const std::string wrong = check_parameters(scheme, std::string_view(query).substr(1));
        if (!wrong.empty()) {
            return wrong;
        }
    }
    if (path.empty()) {
        return {};
    }
    if (type == Type::broker_url && path.back() == '/') {
        return "it names a directory; write " + std::string(scheme.shape);
    }
    const std::string absolute = path.front() == '/' ? std::string() : in_url(scheme, base) + "/";
    if (absolute.find('?') != std::string::npos) {
        return "a directory above has a ? in its name, which a url can't hold; write an absolute path elsewhere";
    }
    path = std::filesystem::path(absolute + path).lexically_normal().string();
    while (path.size() > 1 && path.back() == '/') {
        path.pop_back();
    }
    url = std::string(scheme.prefix) + path + query;
    return {};
}

void fill_default_place(Type type, const std::filesystem::path &place, std::string &url) {
    const Scheme &scheme = scheme_of(type);
    const std::string rest = url.substr(std::min(scheme.prefix.size(), url.size()));
    if (url.starts_with(scheme.prefix) && (rest.empty() || rest.front() == '?')) {
        url = std::string(scheme.prefix) + in_url(scheme, place) + rest;
    }
}

} // namespace weir::config
