// SPDX-License-Identifier: Apache-2.0
// Which key of the configuration becomes which limit of the HTTP server.
#include "cli/http_options.hpp"
#include "config/config.hpp"
#include "config/keys.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <map>
#include <set>
#include <string>

using namespace weir;

namespace {

template <typename Member> std::function<std::uint64_t(const http::Limits &)> field(Member http::Limits::*member) {
    return [member](const http::Limits &limits) { return static_cast<std::uint64_t>(limits.*member); };
}

const std::map<std::string, std::function<std::uint64_t(const http::Limits &)>> kLimits{
    {"http.max_body_bytes", field(&http::Limits::max_body_bytes)},
    {"http.max_header_bytes", field(&http::Limits::max_header_bytes)},
    {"http.max_body_memory_bytes", field(&http::Limits::max_body_memory_bytes)},
    {"http.max_connections", field(&http::Limits::max_connections)},
    {"http.max_connections_per_address", field(&http::Limits::max_connections_per_address)},
    {"http.max_event_streams", field(&http::Limits::max_event_streams)},
    {"http.max_event_streams_per_address", field(&http::Limits::max_event_streams_per_address)},
    {"http.max_queue", field(&http::Limits::max_queue)},
    {"http.max_requests_per_connection", field(&http::Limits::max_requests_per_connection)},
    {"http.header_timeout_ms", field(&http::Limits::header_timeout_ms)},
    {"http.body_timeout_ms", field(&http::Limits::body_timeout_ms)},
    {"http.idle_timeout_ms", field(&http::Limits::idle_timeout_ms)},
    {"http.write_timeout_ms", field(&http::Limits::write_timeout_ms)},
    {"http.handler_timeout_ms", field(&http::Limits::handler_timeout_ms)},
};

config::HttpConfig loaded(const std::string &text) {
    const test::TemporaryDirectory directory;
    test::write_file(directory / "weir.json", text);
    config::Loaded loaded = config::load(directory / "weir.json", {});
    for (const config::Problem &problem : loaded.problems) {
        FAIL_CHECK(problem.what);
    }
    return loaded.config.http;
}

} // namespace

TEST_CASE("each limit of the configuration is that limit of the server's, and no other") {
    std::string keys;
    std::uint64_t value = 2000;
    std::map<std::string, std::uint64_t> values;
    for (const auto &[key, limit] : kLimits) {
        values[key] = value++;
        keys += (keys.empty() ? "\"" : ", \"") + key.substr(5) + "\": " + std::to_string(values[key]);
    }
    const http::Limits limits = cli::limits_of(loaded(R"({"http": {)" + keys + "}}"));
    for (const auto &[key, limit] : kLimits) {
        INFO(key);
        CHECK(limit(limits) == values[key]);
    }
}

TEST_CASE("every bound and every time below http. is a limit of the server's, or known not to be one") {
    const std::set<std::string> others{"http.stop_timeout_ms"};
    for (const config::Key &key : config::host_keys()) {
        const std::string path(key.path);
        if (path.starts_with("http.max_") || (path.starts_with("http.") && path.ends_with("_timeout_ms"))) {
            INFO(path);
            CHECK(kLimits.contains(path) != others.contains(path));
        }
    }
}

TEST_CASE("without a word on them, limits are as the server has them, and one client's shares are half") {
    const http::Limits limits = cli::limits_of(loaded("{}"));
    const http::Limits own;
    for (const auto &[key, limit] : kLimits) {
        INFO(key);
        if (key == "http.max_connections_per_address") {
            CHECK(limit(limits) == own.max_connections / 2);
        } else if (key == "http.max_event_streams_per_address") {
            CHECK(limit(limits) == own.max_event_streams / 2);
        } else {
            CHECK(limit(limits) == limit(own));
        }
    }
}

TEST_CASE("host names, origins and the token are those of each address that is listened on") {
    const auto listeners = cli::listeners_of(loaded(R"({"http": {"listen": "127.0.0.1:0", "host_names": ["weir.example", "other.example"],
        "cors": {"origins": ["https://app.example"]},
        "operations": {"listen": "127.0.0.1:0", "token": "0123456789abcdef", "trust_local": false, "reserve_connections": 7}}})"));
    REQUIRE(listeners.size() == 2);
    for (const http::ListenerOptions &listener : listeners) {
        INFO(listener.name);
        CHECK(listener.host_names == std::vector<std::string>{"weir.example", "other.example"});
        CHECK(listener.cors_origins == std::vector<std::string>{"https://app.example"});
        CHECK(listener.token == "0123456789abcdef");
        CHECK_FALSE(listener.trust_local);
    }
    CHECK(listeners[0].config_key == "http.listen");
    CHECK_FALSE(listeners[0].reserve_only);
    CHECK(listeners[0].reserve_connections == 0);
    CHECK(listeners[1].config_key == "http.operations.listen");
    CHECK(listeners[1].reserve_only);
    CHECK(listeners[1].reserve_connections == 7);
}
