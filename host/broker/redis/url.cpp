// SPDX-License-Identifier: Apache-2.0
#include "broker/redis/redis_broker.hpp"

#include <algorithm>
#include <charconv>

namespace weir::broker {

namespace {

constexpr std::uint64_t kMostPartitions = 1024;
constexpr std::string_view kTlsParameters = ", ssl_ca_certs, ssl_certfile, ssl_keyfile, ssl_cert_reqs, ssl_check_hostname";
constexpr std::uint64_t kMostMessages = std::uint64_t{1} << 53;

std::optional<std::string> unescape(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            out += text[at];
            continue;
        }
        unsigned value = 0;
        const auto digits = text.substr(at + 1, 2);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (error != std::errc() || digits.size() != 2 || end != digits.data() + 2) {
            return std::nullopt;
        }
        out += static_cast<char>(value);
        at += 2;
    }
    return out;
}

/// A url in parts. What is wrong with it is said in words that hold neither user nor password.
class UrlReader {
public:
    explicit UrlReader(std::string_view url) : rest_(url) {}

    std::optional<std::string> read(RedisOptions &out) {
        if (!read_scheme() || !read_query() || !read_login() || !(unix_ ? read_path() : read_host() && read_database())) {
            return "broker.url: " + problem_;
        }
        if (options_.tls_certificate.empty() && !options_.tls_key.empty()) {
            return "broker.url: ssl_keyfile is the key of a certificate; name that with ssl_certfile";
        }
        out = options_;
        return std::nullopt;
    }

private:
    bool refuse(std::string why) {
        problem_ = std::move(why);
        return false;
    }

    bool number(std::string_view name, std::string_view text, std::uint64_t least, std::uint64_t most, std::uint64_t &out) {
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
            return refuse(std::string(name) + " must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
                          ", not '" + std::string(text) + "'");
        }
        out = value;
        return true;
    }

    bool take(std::string_view prefix) {
        if (!rest_.starts_with(prefix)) {
            return false;
        }
        rest_.remove_prefix(prefix.size());
        return true;
    }

    bool read_scheme() {
        if (take("redis+unix://")) {
            unix_ = true;
        } else if (take("rediss://")) {
            options_.tls = true;
        } else if (!take("redis://")) {
            return refuse("a Redis broker's url is redis://HOST[:PORT][/DATABASE], rediss:// for TLS, or redis+unix:///PATH[?db=DATABASE]");
        }
        if (rest_.find('#') != std::string_view::npos) {
            return refuse("'#' has no meaning there; in a password or path it is written %23");
        }
        return true;
    }

    bool read_query() {
        // A password may hold '?', as people write them: parameters begin behind the last '@'.
        const auto at = rest_.rfind('@');
        const auto question = rest_.find('?', at == std::string_view::npos ? 0 : at);
        if (question == std::string_view::npos) {
            return true;
        }
        std::string_view query = rest_.substr(question + 1);
        rest_ = rest_.substr(0, question);
        while (!query.empty()) {
            const auto end = std::min(query.find('&'), query.size());
            const auto pair = query.substr(0, end);
            query.remove_prefix(std::min(end + 1, query.size()));
            const auto equals = std::min(pair.find('='), pair.size());
            if (!parameter(pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size())))) {
                return false;
            }
        }
        return true;
    }

    bool parameter(std::string_view name, std::string_view value) {
        std::uint64_t n = 0;
        if (name == "partitions" && number(name, value, 1, kMostPartitions, n)) {
            options_.partitions = static_cast<std::uint32_t>(n);
        } else if (name == "max_messages" && number(name, value, 0, kMostMessages, n)) {
            options_.max_messages = n;
        } else if (name == "max_age_s" && number(name, value, 0, 3153600000, n)) {
            options_.max_age = std::chrono::seconds(n);
        } else if (name == "connect_timeout_ms" && number(name, value, 1, 3600000, n)) {
            options_.connect_timeout = std::chrono::milliseconds(n);
        } else if (name == "timeout_ms" && number(name, value, 1, 3600000, n)) {
            options_.timeout = std::chrono::milliseconds(n);
        } else if (name == "db" && unix_ && number(name, value, 0, UINT32_MAX, n)) {
            options_.database = static_cast<std::uint32_t>(n);
        } else if (name == "trim" && (value == "acknowledged" || value == "always")) {
            options_.trim_unread = value == "always";
        } else if (options_.tls && name.starts_with("ssl_")) {
            return tls_parameter(name, value);
        } else if (name.starts_with("ssl_")) {
            return refuse("'" + std::string(name) + "' is for TLS; write rediss://HOST");
        } else if (name == "trim") {
            return refuse("trim must be acknowledged or always, not '" + std::string(value) + "'");
        } else if (problem_.empty()) {
            return refuse("there is no parameter '" + std::string(name) +
                          "'; known are partitions, max_messages, max_age_s, trim, connect_timeout_ms, timeout_ms" +
                          (unix_          ? ", db"
                           : options_.tls ? std::string(kTlsParameters) + "; the database is written rediss://HOST/DATABASE"
                                          : "; the database is written redis://HOST/DATABASE"));
        }
        return problem_.empty();
    }

    // Named as redis-py names them, whose urls are about to be used here.
    bool tls_parameter(std::string_view name, std::string_view value) {
        const auto is_one_of = [&](std::string_view one, std::string_view other, bool &out) {
            if (value != one && value != other) {
                return refuse(std::string(name) + " must be " + std::string(one) + " or " + std::string(other) + ", not '" +
                              std::string(value) + "'");
            }
            out = value == one;
            return true;
        };
        if (name == "ssl_cert_reqs") {
            return is_one_of("required", "none", options_.tls_verify);
        }
        if (name == "ssl_check_hostname") {
            return is_one_of("true", "false", options_.tls_check_host);
        }
        std::string *const path = name == "ssl_ca_certs"   ? &options_.tls_ca
                                  : name == "ssl_certfile" ? &options_.tls_certificate
                                  : name == "ssl_keyfile"  ? &options_.tls_key
                                                           : nullptr;
        if (path == nullptr) {
            return refuse("there is no parameter '" + std::string(name) + "'; known for TLS are " + std::string(kTlsParameters.substr(2)));
        }
        const auto given = unescape(value);
        if (!given || given->empty() || given->front() != '/' || given->find('\0') != std::string::npos) {
            return refuse(std::string(name) + " must be a file's absolute path; a '%' in it is written %25, a '&' %26, a '@' %40");
        }
        *path = *given;
        return true;
    }

    bool read_login() {
        const auto at = rest_.rfind('@');
        if (at == std::string_view::npos) {
            return true;
        }
        const auto login = rest_.substr(0, at);
        rest_.remove_prefix(at + 1);
        const auto colon = login.find(':');
        if (colon == std::string_view::npos) {
            return refuse("what stands before '@' is USER:PASSWORD, or :PASSWORD for Redis's default user; there is no ':'");
        }
        const auto user = unescape(login.substr(0, colon));
        const auto password = unescape(login.substr(colon + 1));
        if (!user || !password) {
            return refuse("a '%' in user or password must be followed by two hexadecimal digits (%25 is '%' itself)");
        }
        if (!user->empty() && password->empty()) {
            return refuse("the password is missing; write USER:PASSWORD@");
        }
        options_.user = *user;
        options_.password = *password;
        return true;
    }

    bool read_path() {
        const auto path = unescape(rest_);
        if (!path || path->find('\0') != std::string::npos) {
            return refuse("a '%' in the socket's path must be followed by two hexadecimal digits, and not 00 (%25 is '%' itself)");
        }
        if (path->empty() || path->front() != '/' || path->back() == '/') {
            return refuse("the socket's absolute path is missing; write redis+unix:///PATH, such as redis+unix:///run/redis/redis.sock");
        }
        constexpr std::size_t kLongest = 107; // sun_path without its NUL [unix(7)]
        if (path->size() > kLongest) {
            return refuse("the socket's path has " + std::to_string(path->size()) + " bytes; at most " + std::to_string(kLongest) +
                          " can be connected to");
        }
        options_.unix_socket = *path;
        return true;
    }

    bool read_host() {
        const auto end = std::min(rest_.find('/'), rest_.size());
        std::string_view place = rest_.substr(0, end);
        rest_.remove_prefix(end);
        std::string_view port;
        bool has_port = false;
        if (place.starts_with('[')) {
            const auto close = place.find(']');
            if (close == std::string_view::npos || (close + 1 < place.size() && place[close + 1] != ':')) {
                return refuse("an IPv6 address stands in brackets, then :PORT; write redis://[::1]:6379");
            }
            has_port = close + 1 < place.size();
            port = place.substr(std::min(close + 2, place.size()));
            place = place.substr(1, close - 1);
        } else if (const auto colon = place.find(':'); colon != std::string_view::npos) {
            if (place.find(':', colon + 1) != std::string_view::npos) {
                return refuse("there is more than one ':' in the host; an IPv6 address stands in brackets, as in redis://[::1]:6379");
            }
            has_port = true;
            port = place.substr(colon + 1);
            place = place.substr(0, colon);
        }
        if (place.empty() || place.find_first_of(" \t\r\n%\\") != std::string_view::npos) {
            return refuse("the host is missing or no host's name; write redis://HOST[:PORT][/DATABASE]");
        }
        std::uint64_t n = options_.port;
        if (has_port && !number("the port", port, 1, 65535, n)) {
            return false;
        }
        options_.host = place;
        options_.port = static_cast<std::uint16_t>(n);
        return true;
    }

    bool read_database() {
        if (rest_.size() <= 1) { // nothing, or the slash alone
            return true;
        }
        std::uint64_t n = 0;
        if (!number("the database behind the host", rest_.substr(1), 0, UINT32_MAX, n)) {
            return false;
        }
        options_.database = static_cast<std::uint32_t>(n);
        return true;
    }

    std::string_view rest_;
    bool unix_ = false;
    RedisOptions options_;
    std::string problem_;
};

} // namespace

std::string RedisOptions::place() const {
    if (!unix_socket.empty()) {
        return "redis+unix://" + unix_socket + (database == 0 ? "" : "?db=" + std::to_string(database));
    }
    const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
    return (tls ? "rediss://" : "redis://") + name + ":" + std::to_string(port) + (database == 0 ? "" : "/" + std::to_string(database));
}

std::optional<std::string> parse_redis_url(std::string_view url, RedisOptions &out) { return UrlReader(url).read(out); }

} // namespace weir::broker
