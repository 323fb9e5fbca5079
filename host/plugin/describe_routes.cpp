// SPDX-License-Identifier: Apache-2.0
#include "plugin/descriptor_reader.hpp"
#include "plugin/route.hpp"

#include <map>
#include <set>

namespace weir::plugin {

namespace {

constexpr std::size_t kMaxPathBytes = 512;
constexpr std::size_t kMaxTextBytes = 4096;
constexpr std::uint32_t kMaxRoutes = 256;
constexpr std::uint32_t kLeastEventsMs = 100;

bool is_path_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~!$&'()*+,;=:@").find(c) != std::string_view::npos;
}

/// Calls `use(segment, is_last)` for each segment of "/a/b"; none for "/".
template <typename Use> void for_each_segment(std::string_view path, Use use) {
    path.remove_prefix(1);
    while (!path.empty()) {
        const std::size_t end = path.find('/');
        use(path.substr(0, end), end == std::string_view::npos);
        path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
    }
}

/// The name in "{name}" or "{name...}"; nothing where the segment is no variable.
std::optional<std::string_view> variable_of(std::string_view segment, bool &is_rest) {
    if (!segment.starts_with('{') || !segment.ends_with('}')) {
        return std::nullopt;
    }
    segment = segment.substr(1, segment.size() - 2);
    is_rest = segment.ends_with("...");
    return is_rest ? segment.substr(0, segment.size() - 3) : segment;
}

void check_path(const std::string &path, const std::string &where) {
    if (!path.starts_with('/') || (path.size() > 1 && path.ends_with('/')) || path.find("//") != std::string::npos) {
        throw DescriptorFault{where + " is \"" + path + "\"; a path begins with a slash, and has no empty segment"};
    }
    std::set<std::string_view> names;
    for_each_segment(path, [&](std::string_view segment, bool is_last) {
        bool is_rest = false;
        if (const auto name = variable_of(segment, is_rest)) {
            if (!is_name(*name, "_") || (is_rest && !is_last) || !names.insert(*name).second) {
                throw DescriptorFault{where + " is \"" + path +
                                      "\"; a variable is {[a-z][a-z0-9_]{0,62}}, each name once, and only the last may be {name...}"};
            }
        } else if (segment == "." || segment == ".." || !std::all_of(segment.begin(), segment.end(), is_path_character)) {
            throw DescriptorFault{where + " is \"" + path + "\", and \"" + std::string(segment) +
                                  "\" is no segment of a path; variables stand alone between two slashes"};
        }
    });
}

std::string copy_media_type(const weir_view &view, const std::string &where) {
    std::string type = copy_text(view, where, 256);
    const bool right = std::count(type.begin(), type.end(), '/') == 1 && !type.starts_with('/') && !type.ends_with('/') &&
                       std::all_of(type.begin(), type.end(), [](char c) {
                           return c == '/' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.';
                       });
    if (!type.empty() && !right) {
        throw DescriptorFault{where + " is \"" + type + "\"; a media type is like \"application/json\", in lower case, without parameters"};
    }
    return type.empty() ? "application/json" : type;
}

std::string copy_field(const weir_view &view, const std::string &where) {
    std::string text = copy_text(view, where, kMaxTextBytes);
    if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; })) {
        throw DescriptorFault{where + " has a control character in it"};
    }
    return text;
}

Route copy_route(const weir_http_route_v1 &from, const std::string &where) {
    Route route;
    route.path = copy_text(from.path, where + "/path", kMaxPathBytes);
    check_path(route.path, where + "/path");
    route.method = from.method;
    const std::string named = where + " (" + route.path + ")";
    if (from.method < WEIR_HTTP_GET || from.method > WEIR_HTTP_DELETE) {
        throw DescriptorFault{named + " has the unknown method " + std::to_string(from.method)};
    }
    if ((from.flags & ~(WEIR_HTTP_EVENTS | WEIR_HTTP_GUARDED)) != 0) {
        throw DescriptorFault{named + " has unknown flags " + std::to_string(from.flags)};
    }
    if (from.handle == nullptr) {
        throw DescriptorFault{named + " has no handler"};
    }
    if (from.max_age_ms != 0 && from.method != WEIR_HTTP_GET) {
        throw DescriptorFault{named + " has a max_age_ms; only answers to GET can be kept"};
    }
    route.events = (from.flags & WEIR_HTTP_EVENTS) != 0;
    if (route.events && (from.method != WEIR_HTTP_GET || from.max_age_ms < kLeastEventsMs || route.path.find('{') != std::string::npos)) {
        throw DescriptorFault{named + " is a stream of events: that is a GET route without variables, with a max_age_ms of at least " +
                              std::to_string(kLeastEventsMs)};
    }
    route.guarded = (from.flags & WEIR_HTTP_GUARDED) != 0;
    route.max_age = std::chrono::milliseconds(from.max_age_ms);
    route.max_body_bytes = from.max_body_bytes;
    route.consumes = copy_media_type(from.consumes, named + "/consumes");
    route.produces = copy_media_type(from.produces, named + "/produces");
    route.content_security_policy = copy_field(from.content_security_policy, named + "/content_security_policy");
    route.summary = copy_field(from.summary, named + "/summary");
    route.handle = from.handle;
    route.user = from.user;
    return route;
}

} // namespace

std::string_view method_name(std::uint32_t method) noexcept {
    constexpr std::string_view names[] = {"", "GET", "POST", "PUT", "PATCH", "DELETE"};
    return method < std::size(names) ? names[method] : "";
}

std::string route_shape(std::uint32_t method, std::string_view path) {
    std::string shape(method_name(method));
    shape += ' ';
    for_each_segment(path, [&](std::string_view segment, bool) {
        bool is_rest = false;
        const bool is_variable = variable_of(segment, is_rest).has_value();
        shape += '/';
        shape += is_rest ? "{...}" : is_variable ? "{}" : segment;
    });
    return shape;
}

std::string route_name(const Route &route) { return std::string(method_name(route.method)) + " " + route.path; }

std::optional<std::string> describe_routes(const weir_http_v1 &from, std::vector<Route> &out) {
    out.clear();
    try {
        if (from.size < sizeof(weir_http_v1)) {
            throw DescriptorFault{"size is " + std::to_string(from.size) + "; set it to sizeof(weir_http_v1)"};
        }
        std::map<std::string, std::string> shapes;
        for_each_element(from.routes, from.route_count, from.route_stride, kMaxRoutes, "routes",
                         [&](const weir_http_route_v1 &route, const std::string &where) {
                             out.push_back(copy_route(route, where));
                             const std::string name = route_name(out.back());
                             const auto [known, is_new] = shapes.emplace(route_shape(route.method, out.back().path), name);
                             if (!is_new) {
                                 throw DescriptorFault{where + " is " + name + ", which matches what " + known->second + " matches"};
                             }
                         });
    } catch (const DescriptorFault &fault) {
        out.clear();
        return fault.message;
    }
    return std::nullopt;
}

} // namespace weir::plugin
