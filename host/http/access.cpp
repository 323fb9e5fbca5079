// SPDX-License-Identifier: Apache-2.0
#include "http/access.hpp"

#include "http/problem.hpp"
#include "http/problem_types.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstdint>
#include <iterator>
#include <netinet/in.h>

namespace weir::http {

namespace {

constexpr std::string_view kBearer = "Bearer ";

/// The name of a Host header, without its port; "[::1]" keeps its brackets.
std::string_view name_of(std::string_view host) noexcept {
    if (!host.empty() && host.front() == '[') {
        return host.substr(0, std::min(host.find(']'), host.size() - 1) + 1);
    }
    return host.substr(0, host.find(':'));
}

bool names_this_machine(std::string_view host, const ListenerOptions &listener) {
    const std::string_view name = name_of(host);
    if (same_without_case(name, "localhost") || name == "[::1]" || (name.substr(0, 4) == "127." && is_loopback(name))) {
        return true;
    }
    return std::any_of(listener.host_names.begin(), listener.host_names.end(),
                       [&](const std::string &own) { return same_without_case(name, own); });
}

/// Whether a proxy adds a field of this name to say for whom it asks.
bool is_of_proxy(std::string_view name) noexcept {
    constexpr std::array<std::string_view, 4> kBeginnings{"Forwarded", "X-Forwarded", "X-Original-", "X-Envoy-"};
    constexpr std::array<std::string_view, 7> kNames{"Via",       "X-Real-IP",           "X-Client-IP",     "True-Client-IP",
                                                     "Client-IP", "X-Cluster-Client-IP", "CF-Connecting-IP"};
    return std::any_of(kBeginnings.begin(), kBeginnings.end(),
                       [&](std::string_view one) { return same_without_case(name.substr(0, one.size()), one); }) ||
           std::any_of(kNames.begin(), kNames.end(), [&](std::string_view one) { return same_without_case(name, one); });
}

std::optional<std::string_view> bearer_of(const Request &request) {
    const auto field = request.headers.find("Authorization");
    if (!field || request.headers.count("Authorization") != 1 || field->size() < kBearer.size() ||
        !same_without_case(field->substr(0, kBearer.size()), kBearer)) {
        return std::nullopt;
    }
    return field->substr(kBearer.size());
}

} // namespace

bool same_secret(std::string_view given, std::string_view secret) noexcept {
    volatile unsigned char difference = given.size() == secret.size() ? 0 : 1;
    for (std::size_t at = 0; at < given.size(); ++at) {
        const unsigned char other = secret.empty() ? 0xFF : static_cast<unsigned char>(secret[at % secret.size()]);
        difference = static_cast<unsigned char>(difference | (static_cast<unsigned char>(given[at]) ^ other));
    }
    return difference == 0 && !secret.empty();
}

bool is_loopback(std::string_view address) noexcept {
    constexpr std::string_view kMapped = "::ffff:";
    if (address == "::1") {
        return true;
    }
    if (address.substr(0, kMapped.size()) == kMapped) {
        address.remove_prefix(kMapped.size());
    }
    return address.substr(0, 4) == "127." && address.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::string share_of(const std::string &address) {
    in6_addr parsed{};
    if (inet_pton(AF_INET6, address.substr(0, address.find('%')).c_str(), &parsed) != 1) {
        return address;
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (IN6_IS_ADDR_V4MAPPED(&parsed)) {
        return inet_ntop(AF_INET, &parsed.s6_addr[12], text.data(), text.size());
    }
    constexpr std::size_t kNetworkBytes = 8;
    std::fill(std::begin(parsed.s6_addr) + kNetworkBytes, std::end(parsed.s6_addr), std::uint8_t{0});
    return std::string(inet_ntop(AF_INET6, &parsed, text.data(), text.size())) + "/64";
}

bool is_same_origin(const Request &request, std::string_view origin) {
    const auto host = request.headers.find("Host");
    const std::size_t scheme = origin.find("://");
    return host && scheme != std::string_view::npos && same_without_case(origin.substr(scheme + 3), *host);
}

bool is_local_request(const Request &request, const ListenerOptions &listener) {
    if (!is_loopback(request.remote_address)) {
        return false;
    }
    if (std::any_of(request.headers.all().begin(), request.headers.all().end(), [](const Header &one) { return is_of_proxy(one.name); })) {
        return false;
    }
    const auto host = request.headers.find("Host");
    if (!host || !names_this_machine(*host, listener)) {
        return false;
    }
    if (const auto origin = request.headers.find("Origin"); origin && !is_same_origin(request, *origin)) {
        return false;
    }
    const auto site = request.headers.find("Sec-Fetch-Site");
    return !site || *site == "same-origin" || *site == "none";
}

std::optional<std::string_view> allowed_origin(const Request &request, const ListenerOptions &listener) {
    const auto origin = request.headers.find("Origin");
    if (!origin || std::find(listener.cors_origins.begin(), listener.cors_origins.end(), *origin) == listener.cors_origins.end()) {
        return std::nullopt;
    }
    return origin;
}

void judge(Request &request, const ListenerOptions &listener, bool is_http_1_0) {
    request.is_local = !is_http_1_0 && is_local_request(request, listener);
    const auto token = bearer_of(request);
    request.authorized = (request.is_local && listener.trust_local && !token) || (token && same_secret(*token, listener.token));
}

Response refuse_access(const Request &request, const ListenerOptions &listener) {
    if (listener.token.empty()) {
        return problem(403,
                       listener.trust_local
                           ? "Only requests from this machine may do this; set http.operations.token to allow others"
                           : "Nobody may do this: http.operations.trust_local is off, and http.operations.token is not set",
                       problem_types::kUnauthorized);
    }
    const bool wrong = request.headers.find("Authorization").has_value();
    Response response = problem(401,
                                wrong ? "The bearer token is not the one of http.operations.token"
                                      : "This needs the token of http.operations.token, as: Authorization: Bearer …",
                                problem_types::kUnauthorized);
    response.headers.set("WWW-Authenticate", wrong ? R"(Bearer realm="weir", error="invalid_token")" : R"(Bearer realm="weir")");
    return response;
}

Response answer_options(const Request &request, const ListenerOptions &listener, std::string_view allowed) {
    Response response = Response::empty(204);
    response.headers.add("Allow", allowed);
    if (allowed_origin(request, listener) && request.headers.find("Access-Control-Request-Method")) {
        response.headers.add("Access-Control-Allow-Methods", allowed);
        response.headers.add("Access-Control-Allow-Headers",
                             "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match");
        response.headers.add("Access-Control-Max-Age", "600");
    }
    return response;
}

} // namespace weir::http
