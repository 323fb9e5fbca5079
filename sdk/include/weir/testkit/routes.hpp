// SPDX-License-Identifier: Apache-2.0
/// @file
/// Requests to a plugin's routes in a test, with a watch on how they use the ABI.
#pragma once

#include "../http.h"
#include "result.hpp"

namespace weir::testkit {

/// A request. A body whose type is JSON is parsed as the host does.
struct Asked {
    std::string body = {};                                         ///< empty: none
    std::string content_type = "application/json";                 ///< of the body
    std::vector<std::pair<std::string, std::string>> headers = {}; ///< Idempotency-Key among them
    std::vector<std::pair<std::string, std::string>> query = {};   ///< decoded
};

/// What a request came to.
struct Answer {
    unsigned status = 0;                                      ///< as the client sees it
    std::vector<std::pair<std::string, std::string>> headers; ///< those of the handler
    std::string content_type;                                 ///< of the body
    std::string body;                                         ///< empty for problems
    std::string code;                                         ///< of a problem
    std::string detail;                                       ///< of a problem
    std::vector<Change> changes;                              ///< what was stated; of no effect unless the status is below 400
    std::vector<Emitted> emitted;                             ///< through the outbox; of no effect unless the status is below 400
    std::vector<Emitted> published;                           ///< directly; of no effect unless the status is below 400
    std::vector<std::string> log;                             ///< lines for the host's log

    /// A header of the handler; empty where it set none of this name.
    std::string header(std::string_view name) const {
        for (const auto &[key, value] : headers) {
            if (detail::lower(key) == detail::lower(std::string(name))) {
                return value;
            }
        }
        return {};
    }
    /// Throws Failed unless it is answered with this status, and, where given, with this code.
    const Answer &expect(unsigned wanted, std::string_view wanted_code = {}) const {
        if (status != wanted || (!wanted_code.empty() && code != wanted_code)) {
            throw Failed("expected an answer of " + std::to_string(wanted) + " " + std::string(wanted_code) + ", but it is " +
                         std::to_string(status) + (code.empty() ? "" : " " + code + ": " + this->detail));
        }
        return *this;
    }
    /// The body as JSON. Throws JsonError where it is none.
    JsonValue json() const { return JsonParser::parse(body); }
};

/// @cond internal
namespace detail {

/// The extension "weir.http/1" of a module; null where it has none.
inline const weir_http_v1 *find_routes(const weir_plugin_descriptor_v1 &descriptor) {
    if (descriptor.abi_minor < 1 || !descriptor.extension) {
        return nullptr;
    }
    const auto *http = static_cast<const weir_http_v1 *>(descriptor.extension(nullptr, weir::detail::view(WEIR_HTTP_EXTENSION)));
    if (http && http->size < sizeof(weir_http_v1)) {
        wrong_descriptor("weir_http_v1::size is too small: set it to sizeof(weir_http_v1)");
    }
    return http;
}

inline std::vector<std::string> split_path(std::string_view path) {
    std::vector<std::string> out;
    while (path.size() > 1) {
        path.remove_prefix(1);
        const std::size_t end = std::min(path.find('/'), path.size());
        out.emplace_back(path.substr(0, end));
        path.remove_prefix(end);
    }
    return out;
}

/// Whether a pattern matches a path, and what its variables stand for.
inline bool matches(const std::string &pattern, const std::string &path, std::vector<std::pair<std::string, std::string>> &variables) {
    const auto wanted = split_path(pattern);
    const auto given = split_path(path);
    variables.clear();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const bool is_variable = wanted[i].starts_with('{');
        if (is_variable && wanted[i].ends_with("...}")) {
            std::string rest;
            for (std::size_t j = i; j < given.size(); ++j) {
                rest += (rest.empty() ? "" : "/") + given[j];
            }
            variables.emplace_back(wanted[i].substr(1, wanted[i].size() - 5), rest);
            return true;
        }
        if (i >= given.size() || (is_variable ? given[i].empty() : given[i] != wanted[i])) {
            return false;
        }
        if (is_variable) {
            variables.emplace_back(wanted[i].substr(1, wanted[i].size() - 2), given[i]);
        }
    }
    return wanted.size() == given.size();
}

/// The route for a request; null where there is none. Literals are preferred to variables.
inline const weir_http_route_v1 *find_route(const weir_http_v1 &http, std::uint32_t method, const std::string &path,
                                            std::vector<std::pair<std::string, std::string>> &variables) {
    const weir_http_route_v1 *found = nullptr;
    std::vector<std::pair<std::string, std::string>> captured;
    for (std::uint32_t i = 0; i < http.route_count; ++i) {
        const auto &route = element(http.routes, http.route_stride, i);
        if (route.method == method && matches(string(route.path), path, captured) && (!found || captured.size() < variables.size())) {
            found = &route;
            variables = captured;
        }
    }
    return found;
}

inline std::uint32_t method_of(std::string_view name) {
    constexpr std::string_view names[] = {"", "GET", "POST", "PUT", "PATCH", "DELETE"};
    for (std::uint32_t i = 1; i < std::size(names); ++i) {
        if (names[i] == name) {
            return i;
        }
    }
    throw Misuse("\"" + std::string(name) + "\" is no method of routes");
}

/// One run of one route: the tables of <weir/http.h> beside those of a handler's run.
class RouteRun {
public:
    RouteRun(Run &run, const weir_http_route_v1 &route, const Asked &asked, const std::string &path,
             std::vector<std::pair<std::string, std::string>> variables)
        : run_(run), route_(route), asked_(asked), variables_(std::move(variables)) {
        request_.size = sizeof(request_);
        request_.method = route.method;
        request_.host = this;
        request_.path = run.lent.lend(path);
        request_.body = run.lent.lend(asked.body);
        request_.event = &run.event;
        request_.variable = [](const weir_http_request_v1 *r, weir_view name, weir_view *out) {
            return of(r).find(of(r).variables_, name, out, false);
        };
        request_.query = [](const weir_http_request_v1 *r, weir_view name, weir_view *out) {
            return of(r).find(of(r).asked_.query, name, out, false);
        };
        request_.header = [](const weir_http_request_v1 *r, weir_view name, weir_view *out) {
            return of(r).find(of(r).asked_.headers, name, out, true);
        };
        reply_.size = sizeof(reply_);
        reply_.host = this;
        reply_.status = [](const weir_http_reply_v1 *r, std::uint32_t status) {
            RouteRun &self = of(r);
            if (!self.run_.in_use("reply->status") || status < 200 || status > 599) {
                return self.run_.refuse("reply->status: " + std::to_string(status) + " is not from 200 to 599");
            }
            self.answer.status = status;
            return weir_answer{WEIR_FOUND};
        };
        reply_.header = [](const weir_http_reply_v1 *r, weir_view name, weir_view value) { return of(r).set_header(name, value); };
        reply_.body = [](const weir_http_reply_v1 *r, weir_view content_type, weir_view bytes) {
            RouteRun &self = of(r);
            if (!self.run_.in_use("reply->body") || string(content_type).find('/') == std::string::npos || !is_utf8(string(content_type))) {
                return self.run_.refuse("reply->body: \"" + string(content_type) + "\" is no media type in UTF-8");
            }
            self.run_.watch(bytes);
            self.answer.content_type = string(content_type);
            self.answer.body = string(bytes);
            self.answer.code.clear();
            return weir_answer{WEIR_FOUND};
        };
        reply_.problem = [](const weir_http_reply_v1 *r, std::uint32_t status, weir_view code, weir_view detail) {
            RouteRun &self = of(r);
            if (!self.run_.in_use("reply->problem") || status < 400 || status > 599) {
                return self.run_.refuse("reply->problem: " + std::to_string(status) + " is not from 400 to 599");
            }
            self.answer.status = status;
            self.answer.code = string(code);
            self.answer.detail = string(detail);
            self.answer.body.clear();
            self.answer.content_type = "application/problem+json";
            return weir_answer{WEIR_FOUND};
        };
        reply_.publish = [](const weir_http_reply_v1 *r, const weir_emit_v1 *event) {
            RouteRun &self = of(r);
            weir_emit_v1 known = *event;
            known.topic = known.topic.size ? known.topic : weir::detail::view("test");
            return self.run_.emit_to(self.answer.published, known);
        };
    }
    RouteRun(const RouteRun &) = delete;
    RouteRun &operator=(const RouteRun &) = delete;

    weir_status call(void *instance) { return route_.handle(route_.user, instance, &request_, &reply_, &run_.call); }

    Answer answer;

private:
    static RouteRun &of(const weir_http_request_v1 *request) {
        return *const_cast<RouteRun *>(static_cast<const RouteRun *>(request->host));
    }
    static RouteRun &of(const weir_http_reply_v1 *reply) { return *static_cast<RouteRun *>(reply->host); }

    weir_answer find(const std::vector<std::pair<std::string, std::string>> &fields, weir_view name, weir_view *out, bool fold) {
        if (!run_.in_use("a function of the request")) {
            return WEIR_REFUSED;
        }
        const auto comparable = [fold](const std::string &text) { return fold ? lower(text) : text; };
        for (const auto &[key, value] : fields) {
            if (comparable(key) == comparable(string(name))) {
                *out = run_.lent.lend(value);
                return WEIR_FOUND;
            }
        }
        return WEIR_ABSENT;
    }
    weir_answer set_header(weir_view name, weir_view value) {
        constexpr const char *allowed[] = {"content-disposition", "content-language", "etag", "last-modified", "link", "location",
                                           "retry-after"};
        const std::string wanted = lower(string(name));
        const std::string text = string(value);
        const bool right = run_.in_use("reply->header") && std::find(std::begin(allowed), std::end(allowed), wanted) != std::end(allowed) &&
                           is_utf8(text) &&
                           std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; });
        if (!right) {
            return run_.refuse("reply->header: " + string(name) +
                               " is the host's own, or its value has a control character or isn't UTF-8");
        }
        std::erase_if(answer.headers, [&](const auto &field) { return lower(field.first) == wanted; });
        answer.headers.emplace_back(string(name), text);
        return WEIR_FOUND;
    }

    Run &run_;
    const weir_http_route_v1 &route_;
    const Asked &asked_;
    std::vector<std::pair<std::string, std::string>> variables_;
    weir_http_request_v1 request_{};
    weir_http_reply_v1 reply_{};
};

/// Walks rows as <weir/abi/call.h> says: in the order of the index and then of the key, null first.
inline weir_answer walk(Run &run, const Tables &tables, const weir_scan_v1 &scan, weir_row_sink sink, void *user) {
    const auto &schema = tables.schema();
    const bool by_key = scan.index == WEIR_SCAN_PRIMARY_KEY;
    if (scan.table >= schema.size() || (!by_key && scan.index >= schema[scan.table].indexes.size()) || scan.limit < 1 ||
        scan.limit > 1000) {
        return run.refuse("scan names a table or an index that is not declared, or a limit that is not from 1 to 1000");
    }
    const TableInfo &table = schema[scan.table];
    std::vector<std::uint32_t> columns = by_key ? table.primary_key : table.indexes[scan.index].columns;
    const std::size_t bounds = columns.size();
    if (!by_key) {
        columns.insert(columns.end(), table.primary_key.begin(), table.primary_key.end());
    }
    std::string wrong;
    const auto comparable = [&](std::uint32_t column, Value value) {
        if (table.columns[column].type == WEIR_TYPE_CITEXT && std::holds_alternative<std::string>(value)) {
            value = lower(std::get<std::string>(value));
        }
        return value;
    };
    const auto take = [&](const weir_cell_v1 *cells, std::uint32_t count, std::size_t most) {
        std::vector<Value> out;
        wrong = count > most ? "scan of " + table.name + ": a bound has more values than the index has columns" : wrong;
        for (std::uint32_t i = 0; i < count && wrong.empty(); ++i) {
            Value value;
            if (auto reason = take_value(table.columns[columns[i]], element(cells, scan.cell_stride, i), value)) {
                wrong = "scan of " + table.name + ": " + *reason;
            }
            out.push_back(comparable(columns[i], value));
        }
        return out;
    };
    const auto from = take(scan.from, scan.from_count, bounds);
    const auto to = take(scan.to, scan.to_count, bounds);
    const auto after = take(scan.after, scan.after_count, columns.size());
    if (!wrong.empty()) {
        return run.refuse(wrong);
    }
    std::vector<std::pair<std::vector<Value>, const Cells *>> found;
    for (const auto &[key, cells] : tables.rows(scan.table)) {
        std::vector<Value> place;
        for (const std::uint32_t column : columns) {
            place.push_back(comparable(column, cells[column]));
        }
        const auto prefix = [&place](std::size_t count) {
            return std::vector<Value>(place.begin(), place.begin() + static_cast<long>(count));
        };
        if (prefix(from.size()) >= from && prefix(to.size()) <= to && (after.empty() || prefix(after.size()) > after)) {
            found.emplace_back(std::move(place), &cells);
        }
    }
    std::sort(found.begin(), found.end(), [](const auto &a, const auto &b) { return a.first < b.first; });
    for (std::size_t i = 0; i < found.size() && i < scan.limit; ++i) {
        if (sink(user, &run.copy(*found[i].second).row) == 0) {
            break;
        }
    }
    return WEIR_FOUND;
}

/// A request on its way through the kit.
class Routed {
public:
    Routed(const weir_plugin_descriptor_v1 &descriptor, const std::vector<TableInfo> &schema, const std::string &method, std::string path,
           const Asked &asked)
        : schema_(schema), asked_(asked), path_(std::move(path)) {
        const weir_http_v1 *http = find_routes(descriptor);
        route = http ? find_route(*http, method_of(method), path_, variables_) : nullptr;
        if (!route) {
            problem(404, "not_found", "no route " + method + " " + path_);
            return;
        }
        body.kind = WEIR_JSON_NULL;
        body.source = "null";
        if (!asked.body.empty() && asked.content_type.find("json") != std::string::npos) {
            try {
                body = JsonParser::parse(asked.body);
            } catch (const JsonError &error) {
                problem(400, "malformed_json", error.what());
                route = nullptr;
            }
        }
    }

    /// Under an Idempotency-Key always the same.
    Uuid id(std::uint64_t number) const {
        for (const auto &[name, value] : asked_.headers) {
            if (lower(name) == "idempotency-key") {
                return uuid_v5(uuid_v5(Uuid(), string(route->path)), value);
            }
        }
        return uuid_v5(Uuid(), std::to_string(number));
    }

    void run(Run &in, Tables &tables, void *instance, std::int64_t now, const Uuid &request_id, std::vector<std::string> &violations) {
        in.scan = [&](const weir_scan_v1 &scan, weir_row_sink sink, void *user) { return walk(in, tables, scan, sink, user); };
        RouteRun run(in, *route, asked_, path_, variables_);
        const weir_status status = in.run([&] { return run.call(instance); }, now, request_id);
        answer = std::move(run.answer);
        if (answer.status == 0) {
            answer.status = answer.body.empty() ? 204 : 200;
        }
        for (const StatedChange &change : in.changes) {
            answer.changes.push_back(show_change(schema_, change));
        }
        answer.emitted = in.emitted;
        answer.log = in.log;
        const bool writes = !in.changes.empty() || !in.emitted.empty();
        if (!in.refusal.empty()) {
            problem(500, "refused_by_host", in.refusal);
        } else if (status < WEIR_OK || status > WEIR_FATAL) {
            violations.push_back("the route returned " + std::to_string(status) + ", which is no status");
        } else if (status == WEIR_REJECT || status == WEIR_RETRY || status == WEIR_FATAL) {
            problem(status == WEIR_REJECT ? 422 : status == WEIR_RETRY ? 503 : 500, in.error_code, in.error_message);
            if (in.error_code.empty()) {
                violations.push_back("the route failed without saying why: call->error must come first");
            }
        } else if (route->method == WEIR_HTTP_GET && (writes || !answer.published.empty())) {
            violations.push_back("a route of GET changed, emitted or published something");
            in.undo();
        } else if (writes && !answer.published.empty()) {
            violations.push_back("a route published, and changed or emitted as well: one could be without the other");
            in.undo();
        } else if (auto broken = answer.status < 400 ? tables.broken_constraint() : std::nullopt) {
            problem(409, "conflict", *broken);
        }
        if (status != WEIR_OK || answer.status >= 400) {
            in.undo();
        }
    }

    const weir_http_route_v1 *route = nullptr;
    JsonValue body;
    Answer answer;

private:
    void problem(unsigned status, const std::string &code, const std::string &text) {
        answer.status = status;
        answer.code = code;
        answer.detail = text;
        answer.content_type = "application/problem+json";
        answer.body.clear();
    }

    const std::vector<TableInfo> &schema_;
    const Asked &asked_;
    std::string path_;
    std::vector<std::pair<std::string, std::string>> variables_;
};

} // namespace detail
/// @endcond

} // namespace weir::testkit
