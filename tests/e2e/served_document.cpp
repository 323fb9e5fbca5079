// SPDX-License-Identifier: Apache-2.0
#include "served_document.hpp"

#include <algorithm>
#include <cctype>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#include <vector>

namespace weir::test {

namespace {

using Json = nlohmann::json;

std::vector<std::string> segments_of(const std::string &path) {
    std::vector<std::string> segments{""};
    for (const char c : path.substr(0, path.find('?'))) {
        if (c == '/') {
            segments.emplace_back();
        } else {
            segments.back() += c;
        }
    }
    return segments;
}

/// How many segments are the same, where the pattern matches; -1 where it doesn't.
int matches(const std::string &pattern, const std::string &target) {
    const auto wanted = segments_of(pattern);
    const auto given = segments_of(target);
    if (wanted.size() != given.size()) {
        return -1;
    }
    int literal = 0;
    for (std::size_t at = 0; at < wanted.size(); ++at) {
        const bool variable = !wanted[at].empty() && wanted[at].front() == '{';
        if (!variable && wanted[at] != given[at]) {
            return -1;
        }
        literal += variable ? 0 : 1;
    }
    return literal;
}

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

void each_reference(const Json &value, const std::function<void(const std::string &)> &call) {
    if (value.is_object() && value.contains("$ref")) {
        call(value["$ref"].get<std::string>());
    }
    if (value.is_structured()) {
        for (const Json &member : value) {
            each_reference(member, call);
        }
    }
}

} // namespace

struct ServedDocument::Content {
    Json document;

    const Json &resolved(const Json &value) const {
        return value.is_object() && value.contains("$ref") ? document.at(Json::json_pointer(value["$ref"].get<std::string>().substr(1)))
                                                           : value;
    }

    std::string violations(const Json &schema, const std::string &body) const {
        const Json value = Json::parse(body, nullptr, false);
        if (value.is_discarded()) {
            return "the body is no JSON: " + body;
        }
        const Json root{{"allOf", Json::array({schema})}, {"components", document.at("components")}};
        const valijson::adapters::NlohmannJsonAdapter schema_adapter(root);
        valijson::Schema compiled;
        valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(schema_adapter, compiled);
        valijson::ValidationResults results;
        if (valijson::Validator().validate(compiled, valijson::adapters::NlohmannJsonAdapter(value), &results)) {
            return {};
        }
        std::string text = body;
        for (valijson::ValidationResults::Error error; results.popError(error);) {
            text += "\n  ";
            for (const std::string &step : error.context) {
                text += step;
            }
            text += ": " + error.description;
        }
        return text;
    }
};

ServedDocument::ServedDocument(const std::string &text) : content_(std::make_unique<Content>()) {
    content_->document = Json::parse(text, nullptr, false);
    const Json &document = content_->document;
    if (!document.is_object() || document.value("openapi", "").rfind("3.1.", 0) != 0 || !document.contains("paths")) {
        throw std::runtime_error("no OpenAPI 3.1 document: " + text.substr(0, 200));
    }
    for (const auto &[path, methods] : document["paths"].items()) {
        for (const auto &[method, operation] : methods.items()) {
            operations_.insert(upper(method) + " " + path);
        }
    }
}

ServedDocument::~ServedDocument() = default;

std::string ServedDocument::problems() const {
    std::string problems;
    each_reference(content_->document, [&](const std::string &reference) {
        if (reference.rfind("#/", 0) != 0 || !content_->document.contains(Json::json_pointer(reference.substr(1)))) {
            problems += reference + " refers to nothing\n";
        }
    });
    std::set<std::string> ids;
    for (const auto &[path, methods] : content_->document["paths"].items()) {
        for (const auto &[method, operation] : methods.items()) {
            if (!ids.insert(operation.value("operationId", "")).second) {
                problems += upper(method) + " " + path + " has no operationId of its own\n";
            }
            for (const std::string &segment : segments_of(path)) {
                const auto described = operation.value("parameters", Json::array());
                if (!segment.empty() && segment.front() == '{' && std::none_of(described.begin(), described.end(), [&](const Json &one) {
                        return one["in"] == "path" && "{" + one["name"].get<std::string>() + "}" == segment && one["required"] == true;
                    })) {
                    problems += path + " doesn't describe " + segment + "\n";
                }
            }
        }
    }
    return problems;
}

std::string ServedDocument::differs(const std::string &method, const std::string &target, const HttpAnswer &answer) {
    const Json &document = content_->document;
    const Json *operation = nullptr;
    std::string name;
    int best = -1;
    for (const auto &[path, methods] : document["paths"].items()) {
        const int fits = matches(path, target);
        if (fits > best) {
            best = fits;
            operation = methods.contains(lower(method)) ? &methods[lower(method)] : nullptr;
            name = method + " " + path;
        }
    }
    const std::string where = method + " " + target + " (" + std::to_string(answer.status) + "): ";
    Json response = document["components"]["responses"]["Problem"];
    if (operation != nullptr) {
        const Json &responses = (*operation)["responses"];
        const std::string status = std::to_string(answer.status);
        if (!responses.contains(status) && answer.status < 400) {
            return where + "the document has no such answer";
        }
        response = content_->resolved(responses.contains(status) ? responses[status] : responses.at("default"));
    } else if (answer.status < 400) {
        return where + "it is not in the document";
    }
    const std::string media_type = answer.header("Content-Type").value_or("");
    const std::string type = media_type.substr(0, media_type.find(';'));
    if (!response.contains("content")) {
        return answer.body.empty() ? "" : where + "a body that the document doesn't know";
    }
    if (!response["content"].contains(type)) {
        return where + "it is " + type + ", which the document doesn't know";
    }
    const Json &content = response["content"][type];
    const std::string violations =
        content.contains("schema") && type.ends_with("json") ? content_->violations(content["schema"], answer.body) : "";
    if (answer.status == 200 && violations.empty()) {
        answered_.insert(name);
    }
    return violations.empty() ? "" : where + violations;
}

} // namespace weir::test
