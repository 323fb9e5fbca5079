// SPDX-License-Identifier: Apache-2.0
#include "http/openapi.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace weir::http {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char *kProblem = R"json({
  "type": "object", "description": "Problem details (RFC 9457)", "required": ["type", "title", "status", "detail"],
  "properties": {
    "type": {"type": "string", "format": "uri-reference", "description": "The kind of problem"},
    "title": {"type": "string"}, "status": {"type": "integer"},
    "detail": {"type": "string", "description": "What to change"},
    "instance": {"type": "string", "description": "The path of the request"}}})json";

Json parsed(const std::string &text, const Route &route) {
    try {
        return Json::parse(text);
    } catch (const Json::exception &) {
        throw std::invalid_argument("the description of " + route.pattern + " holds a schema that is no JSON");
    }
}

/// "/files/{path...}" is written "/files/{path}".
std::string path_of(const std::string &pattern) {
    std::string path = pattern;
    for (std::size_t at = path.find("...}"); at != std::string::npos; at = path.find("...}")) {
        path.erase(at, 3);
    }
    return path;
}

Json parameters_of(const Route &route) {
    Json list = Json::array();
    const std::string path = path_of(route.pattern);
    for (std::size_t at = path.find('{'); at != std::string::npos; at = path.find('{', at + 1)) {
        const std::string name = path.substr(at + 1, path.find('}', at) - at - 1);
        const auto described = std::find_if(route.description.fields.begin(), route.description.fields.end(),
                                            [&](const RouteDescription::Field &field) { return field.in == "path" && field.name == name; });
        const bool found = described != route.description.fields.end();
        list.push_back({{"name", name},
                        {"in", "path"},
                        {"required", true},
                        {"description", found ? described->description : ""},
                        {"schema", found ? parsed(described->schema, route) : Json{{"type", "string"}}}});
    }
    for (const RouteDescription::Field &field : route.description.fields) {
        if (field.in != "path") {
            list.push_back({{"name", field.name},
                            {"in", field.in},
                            {"required", field.required},
                            {"description", field.description},
                            {"schema", parsed(field.schema, route)}});
        }
    }
    return list;
}

Json content_of(const std::string &media_type, const std::string &schema, const Route &route) {
    return {{media_type, schema.empty() ? Json::object() : Json{{"schema", parsed(schema, route)}}}};
}

Json operation_of(const Route &route) {
    const RouteDescription &about = route.description;
    Json operation = Json::object();
    if (!about.operation_id.empty()) {
        operation["operationId"] = about.operation_id;
    }
    operation["summary"] = about.summary;
    if (!about.text.empty()) {
        operation["description"] = about.text;
    }
    if (!about.tag.empty()) {
        operation["tags"] = Json::array({about.tag});
    }
    if (Json parameters = parameters_of(route); !parameters.empty()) {
        operation["parameters"] = std::move(parameters);
    }
    if (!about.request_media_type.empty()) {
        operation["requestBody"] = {{"required", true}, {"content", content_of(about.request_media_type, about.request_schema, route)}};
    }
    Json answers = Json::object();
    for (const RouteDescription::Answer &answer : about.answers) {
        Json one{{"description", answer.description}};
        if (!answer.media_type.empty()) {
            one["content"] = content_of(answer.media_type, answer.schema, route);
        }
        answers[std::to_string(answer.status) + (answer.status < 10 ? "XX" : "")] = std::move(one);
    }
    answers["default"] = {{"$ref", "#/components/responses/Problem"}};
    operation["responses"] = std::move(answers);
    if (route.options.access == Access::guarded) {
        operation["security"] = Json::array({{{"bearer", Json::array()}}});
    }
    return operation;
}

} // namespace

std::string openapi_document(const std::vector<Route> &routes, const OpenApiInfo &info) {
    Json paths = Json::object();
    for (const Route &route : routes) {
        if (!route.description.hidden) {
            std::string method(text_of(route.method));
            std::transform(method.begin(), method.end(), method.begin(),
                           [](char character) { return static_cast<char>(character | 0x20); });
            paths[path_of(route.pattern)][method] = operation_of(route);
        }
    }
    Json schemas{{"Problem", Json::parse(kProblem)}};
    for (const auto &[name, schema] : info.schemas) {
        schemas[name] = Json::parse(schema);
    }
    const Json document{{"openapi", "3.1.0"},
                        {"info", {{"title", info.title}, {"version", info.version}, {"description", info.description}}},
                        {"paths", std::move(paths)},
                        {"components",
                         {{"schemas", std::move(schemas)},
                          {"responses",
                           {{"Problem",
                             {{"description", "What went wrong"},
                              {"content", {{"application/problem+json", {{"schema", {{"$ref", "#/components/schemas/Problem"}}}}}}}}}}},
                          {"securitySchemes", {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}}}}};
    return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace weir::http
