// SPDX-License-Identifier: Apache-2.0
#include "http/answer.hpp"

#include "http/access.hpp"
#include "http/entity_tag.hpp"

#include <array>
#include <ctime>
#include <utility>

namespace weir::http {

namespace {

// https://owasp.org/www-project-secure-headers/ names them; a handler's own value comes first.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kSecurityHeaders{{
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Strict-Transport-Security", "max-age=31536000; includeSubDomains"},
    {"Referrer-Policy", "no-referrer"},
    {"Permissions-Policy", "accelerometer=(), camera=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()"},
}};
constexpr std::string_view kContentSecurityPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
constexpr std::array<std::string_view, 9> kFraming{
    "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Trailer", "Date", "TE", "X-Request-Id"};

bool is_framing(std::string_view name) noexcept {
    for (const std::string_view one : kFraming) {
        if (same_without_case(name, one)) {
            return true;
        }
    }
    return false;
}

void append(std::string &out, std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
}

std::string cache_control(const Response &response, const Route *route) {
    if (route == nullptr || route->method != Method::get || response.status != 200 || route->options.access == Access::guarded) {
        return "no-store";
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(route->options.max_age).count();
    const std::string who = route->options.private_answer ? "private" : "public";
    if (seconds > 0) {
        return who + ", max-age=" + std::to_string(seconds);
    }
    return route->options.etag ? who + ", no-cache" : "no-store"; // no-cache: may be kept, but asked for each time
}

void append_cors(std::string &out, const AnswerContext &context) {
    if (context.listener->cors_origins.empty() || (context.route != nullptr && !context.route->options.cors)) {
        return;
    }
    append(out, "Vary", "Origin");
    if (context.request == nullptr) {
        return;
    }
    if (const auto origin = allowed_origin(*context.request, *context.listener)) {
        append(out, "Access-Control-Allow-Origin", *origin);
        append(out, "Access-Control-Expose-Headers", "ETag, Location, Retry-After, X-Request-Id");
    }
}

bool client_has_it(const Response &response, const AnswerContext &context) {
    if (response.status != 200 || context.request == nullptr || context.request->method != Method::get || response.stream) {
        return false;
    }
    const auto tag_field = response.headers.find("ETag");
    return tag_field && context.request->headers.find("If-None-Match") &&
           names_tag(context.request->headers.joined("If-None-Match"), *tag_field);
}

} // namespace

void tag(Response &response, const Route &route) {
    if (route.method == Method::get && route.options.etag && response.status == 200 && !response.stream && !response.headers.find("ETag")) {
        response.headers.add("ETag", entity_tag_of(response.body));
    }
}

Answer make_answer(const KeptResponse &kept, const AnswerContext &context) {
    const Response &response = *kept.response;
    Answer answer;
    const bool not_modified = client_has_it(response, context);
    answer.status = not_modified ? 304 : response.status;
    std::string &out = answer.head;
    out.reserve(896);
    out = "HTTP/1.1 " + std::to_string(answer.status) + " ";
    out += reason_of(answer.status);
    out += "\r\n";
    append(out, "Date", context.date);
    for (const Header &field : response.headers.all()) {
        const bool of_the_body = not_modified && same_without_case(field.name, "Content-Type");
        if (!is_framing(field.name) && !of_the_body) {
            append(out, field.name, field.value);
        }
    }
    const bool bodiless = answer.status < 200 || answer.status == 204 || answer.status == 304;
    if (response.stream) {
        if (context.chunked && !context.head) {
            append(out, "Transfer-Encoding", "chunked");
        }
    } else if (!bodiless) {
        append(out, "Content-Length", std::to_string(response.body.size()));
    }
    if (!response.headers.find("Cache-Control")) {
        append(out, "Cache-Control", cache_control(response, context.route));
    }
    if (context.route != nullptr && context.route->options.max_age.count() > 0 && response.status == 200) {
        const auto age = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - kept.made).count();
        append(out, "Age", std::to_string(age));
    }
    for (const auto &[name, value] : kSecurityHeaders) {
        if (!response.headers.find(name)) {
            append(out, name, value);
        }
    }
    if (!response.headers.find("Content-Security-Policy")) {
        const bool own = context.route != nullptr && !context.route->options.content_security_policy.empty();
        append(out, "Content-Security-Policy",
               own ? std::string_view(context.route->options.content_security_policy) : kContentSecurityPolicy);
    }
    append_cors(out, context);
    if (!context.id.empty()) {
        append(out, "X-Request-Id", context.id);
    }
    if (context.close) {
        append(out, "Connection", "close");
    } else if (context.keep_alive_1_0) {
        append(out, "Connection", "keep-alive");
    }
    out += "\r\n";
    if (!context.head && !bodiless && !response.stream && !response.body.empty()) {
        answer.body = {kept.response, &response.body};
    }
    return answer;
}

std::string http_date(std::chrono::system_clock::time_point time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    constexpr std::array<const char *, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array<const char *, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[static_cast<std::size_t>(parts.tm_wday)],
                  parts.tm_mday, kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
                  parts.tm_sec);
    return text.data();
}

} // namespace weir::http
