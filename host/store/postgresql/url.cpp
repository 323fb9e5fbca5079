// SPDX-License-Identifier: Apache-2.0
#include "postgresql_store.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace weir::store::postgresql {

namespace {

// Those of libpq 13 and later that make sense for a server process. [libpq, section 34.1.2]
constexpr std::array kLibpq = {"host",
                               "hostaddr",
                               "port",
                               "user",
                               "password",
                               "dbname",
                               "passfile",
                               "channel_binding",
                               "connect_timeout",
                               "options",
                               "sslmode",
                               "sslcompression",
                               "sslcert",
                               "sslkey",
                               "sslpassword",
                               "sslrootcert",
                               "sslcrl",
                               "sslsni",
                               "ssl_min_protocol_version",
                               "ssl_max_protocol_version",
                               "requirepeer",
                               "krbsrvname",
                               "gssencmode",
                               "gsslib",
                               "service",
                               "target_session_attrs",
                               "keepalives",
                               "keepalives_idle",
                               "keepalives_interval",
                               "keepalives_count",
                               "tcp_user_timeout"};
constexpr std::array kOwn = {"statement_timeout_ms", "lock_timeout_ms", "idle_in_transaction_timeout_ms", "reply_timeout_ms",
                             "pool_timeout_ms"};
constexpr std::array kSchemes = {"postgresql://",         "postgres://",          "postgresql+psycopg://", "postgresql+psycopg2://",
                                 "postgresql+asyncpg://", "postgresql+pg8000://", "postgres+psycopg2://"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kInstead = {
    {{"ssl", "sslmode=require"},
     {"timeout", "connect_timeout"},
     {"database", "dbname"},
     {"application_name", "nothing: connections are called weir/<domain>"},
     {"client_encoding", "nothing: it is always UTF-8"},
     {"pool_size", "the key store.pool.max"},
     {"max_overflow", "the key store.pool.max"},
     {"pool_min", "the key store.pool.min"},
     {"pool_max", "the key store.pool.max"},
     {"roles", "the key store.roles"}}};

bool is_one_of(const auto &names, std::string_view name) { return std::find(names.begin(), names.end(), name) != names.end(); }

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
        if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2 || value == 0) {
            return std::nullopt;
        }
        out += static_cast<char>(value);
        at += 2;
    }
    return out.find('\0') == std::string::npos ? std::optional(out) : std::nullopt;
}

/// How many letters differ, for suggestions (Levenshtein).
std::size_t distance(std::string_view left, std::string_view right) {
    std::vector<std::size_t> row(right.size() + 1);
    for (std::size_t i = 0; i <= right.size(); ++i) {
        row[i] = i;
    }
    for (std::size_t i = 0; i < left.size(); ++i) {
        std::size_t diagonal = row[0]++;
        for (std::size_t j = 0; j < right.size(); ++j) {
            const std::size_t changed = diagonal + (left[i] == right[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, changed});
        }
    }
    return row.back();
}

std::string unknown(std::string_view name) {
    std::string text = "it takes no parameter '" + std::string(name) + "'";
    for (const auto &[wrong, right] : kInstead) {
        if (name == wrong) {
            return text + "; write " + std::string(right) + (right.find(' ') == std::string_view::npos ? " instead" : "");
        }
    }
    std::string_view best;
    std::size_t least = 4;
    const auto consider = [&](std::string_view known) {
        if (const std::size_t letters = distance(name, known); letters < least && letters * 2 < known.size()) {
            least = letters;
            best = known;
        }
    };
    std::for_each(kLibpq.begin(), kLibpq.end(), consider);
    std::for_each(kOwn.begin(), kOwn.end(), consider);
    return best.empty() ? text + "; known are libpq's parameters, as sslmode, and statement_timeout_ms and its like"
                        : text + "; did you mean '" + std::string(best) + "'?";
}

class Reader {
public:
    explicit Reader(PostgresqlOptions &out) : out_(out) {}

    std::optional<std::string> read(std::string_view url) {
        const auto scheme = std::find_if(kSchemes.begin(), kSchemes.end(), [&](const char *one) { return url.starts_with(one); });
        if (scheme == kSchemes.end()) {
            return "it doesn't begin with postgresql://";
        }
        std::string_view rest = url.substr(std::string_view(*scheme).size());
        if (url.find('#') != std::string_view::npos) {
            return "write # in names and passwords as %23";
        }
        std::string_view query;
        if (const auto mark = rest.find('?'); mark != std::string_view::npos) {
            query = rest.substr(mark + 1);
            rest = rest.substr(0, mark);
        }
        std::string_view database;
        if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
            database = rest.substr(slash + 1);
            rest = rest.substr(0, slash);
        }
        if (auto problem = read_authority(rest)) {
            return problem;
        }
        if (database.find('/') != std::string_view::npos) {
            return "the database's name has a / in it: write it as %2F, also in the path of a unix socket";
        }
        if (auto problem = add("dbname", database)) {
            return problem;
        }
        return read_query(query);
    }

    std::string name() const {
        const auto value = [&](std::string_view key) {
            const auto found = std::find_if(parameters_.rbegin(), parameters_.rend(), [&](const auto &one) { return one.first == key; });
            return found == parameters_.rend() ? std::string() : found->second;
        };
        const std::string user = value("user");
        const std::string port = value("port");
        const std::string host = value("host");
        return "postgresql://" + (user.empty() ? "" : user + "@") + (host.empty() ? value("hostaddr") : host) +
               (port.empty() ? "" : ":" + port) + "/" + value("dbname");
    }
    std::vector<std::pair<std::string, std::string>> take() { return std::move(parameters_); }

private:
    std::optional<std::string> add(std::string_view key, std::string_view escaped) {
        if (escaped.empty()) {
            return std::nullopt;
        }
        auto value = unescape(escaped);
        if (!value) {
            return "the " + std::string(key) + " has a % that isn't followed by two digits: write % as %25";
        }
        parameters_.emplace_back(key, std::move(*value));
        return std::nullopt;
    }

    std::optional<std::string> read_authority(std::string_view text) {
        if (const auto at = text.rfind('@'); at != std::string_view::npos) {
            const std::string_view login = text.substr(0, at);
            text = text.substr(at + 1);
            const auto colon = login.find(':');
            if (login.find('@') != std::string_view::npos) {
                return "write @ in names and passwords as %40";
            }
            auto problem = add("user", login.substr(0, colon));
            if (!problem && colon != std::string_view::npos) {
                problem = add("password", login.substr(colon + 1));
            }
            if (problem) {
                return problem;
            }
        }
        std::string hosts;
        std::string ports;
        for (bool first = true; first || !text.empty(); first = false) {
            const auto comma = text.find(',');
            std::string host;
            std::string port;
            if (auto problem = read_host(text.substr(0, comma), host, port)) {
                return problem;
            }
            hosts += (first ? "" : ",") + host;
            ports += (first ? "" : ",") + port;
            text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
        }
        if (hosts.find_first_not_of(',') != std::string::npos) {
            parameters_.emplace_back("host", hosts);
        }
        if (ports.find_first_not_of(',') != std::string::npos) {
            parameters_.emplace_back("port", ports);
        }
        return std::nullopt;
    }

    static std::optional<std::string> read_host(std::string_view text, std::string &host, std::string &port) {
        std::string_view name = text;
        std::string_view number;
        if (text.starts_with('[')) {
            const auto end = text.find(']');
            if (end == std::string_view::npos || (end + 1 < text.size() && text[end + 1] != ':')) {
                return "an IPv6 address stands in brackets: [::1]:5432";
            }
            name = text.substr(1, end - 1);
            number = end + 2 <= text.size() ? text.substr(end + 2) : std::string_view();
        } else if (const auto colon = text.find(':'); colon != std::string_view::npos) {
            name = text.substr(0, colon);
            number = text.substr(colon + 1);
        }
        if (!number.empty()) {
            unsigned value = 0;
            const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
            if (error != std::errc() || end != number.data() + number.size() || value == 0 || value > 65535) {
                return "a port is a number from 1 to 65535 (in a password, write : as %3A, / as %2F and @ as %40)";
            }
        }
        const auto unescaped = unescape(name);
        if (!unescaped) {
            return "the host has a % that isn't followed by two digits: write % as %25";
        }
        host = *unescaped;
        port = std::string(number);
        return std::nullopt;
    }

    std::optional<std::string> read_query(std::string_view query) {
        while (!query.empty()) {
            const auto end = query.find('&');
            const std::string_view item = query.substr(0, end);
            query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
            const auto equals = item.find('=');
            const std::string_view key = item.substr(0, equals);
            const std::string_view value = equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
            std::optional<std::string> problem;
            if (is_one_of(kOwn, key)) {
                problem = read_timeout(key, value);
            } else if (is_one_of(kLibpq, key)) {
                problem = add(key, value);
            } else {
                problem = unknown(key);
            }
            if (problem) {
                return problem;
            }
        }
        return std::nullopt;
    }

    std::optional<std::string> read_timeout(std::string_view key, std::string_view value) {
        int milliseconds = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), milliseconds);
        if (value.empty() || error != std::errc() || end != value.data() + value.size() || milliseconds < 1 || milliseconds > 86'400'000) {
            return std::string(key) + " is a number from 1 to 86400000, not '" + std::string(value) + "'";
        }
        const std::chrono::milliseconds time(milliseconds);
        (key == "statement_timeout_ms"             ? out_.statement_timeout
         : key == "lock_timeout_ms"                ? out_.lock_timeout
         : key == "idle_in_transaction_timeout_ms" ? out_.idle_in_transaction_timeout
         : key == "pool_timeout_ms"                ? out_.pool_timeout
                                                   : out_.reply_timeout) = time;
        return std::nullopt;
    }

    PostgresqlOptions &out_;
    std::vector<std::pair<std::string, std::string>> parameters_;
};

} // namespace

std::optional<std::string> parse_postgresql_url(std::string_view url, PostgresqlOptions &out) {
    PostgresqlOptions read = out;
    Reader reader(read);
    if (const auto problem = reader.read(url)) {
        return "store.url: " + *problem + "; it is written as postgresql://USER:PASSWORD@HOST:PORT/DATABASE";
    }
    read.name = reader.name();
    read.parameters = reader.take();
    out = std::move(read);
    return std::nullopt;
}

} // namespace weir::store::postgresql
