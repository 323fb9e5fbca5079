// SPDX-License-Identifier: Apache-2.0
#include "config_support.hpp"

#include "config/keys.hpp"

#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include <cstdlib>

using namespace weir;
using weir::test::Files;
using Json = nlohmann::ordered_json;

namespace {

constexpr const char *kSource = "^(/.*|=.*|\\$\\{.*)?$";

/// A text of the type, as editors can check it.
std::string pattern(config::Type type) {
    switch (type) {
    case config::Type::broker_url:
        return "^(embedded|redis|rediss|redis\\+unix)://";
    case config::Type::store_url:
        return "^(sqlite|postgres|postgresql(\\+[a-z0-9_]+)?)://";
    case config::Type::redis_url:
        return "^(rediss?|redis\\+unix)://";
    case config::Type::address:
        return "^(off|[^:/ ]+:[0-9]{1,5}|\\[[^\\]]+\\]:[0-9]{1,5})$";
    case config::Type::secret:
        return "^[!-~]{16,1000}$";
    case config::Type::origin_list:
        return "^https?://[a-z0-9.:\\[\\]-]+$";
    case config::Type::host_list:
        return "^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$";
    case config::Type::domain_name:
        return "^[a-z][a-z0-9_-]{0,62}$";
    case config::Type::schema_name:
        return "^[a-z_][a-z0-9_]{0,62}$";
    case config::Type::plugin_name:
        return "^[a-z][a-z0-9-]{0,62}$";
    case config::Type::service_name:
        return "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$";
    case config::Type::group_name:
        return "^[A-Za-z0-9_][A-Za-z0-9._:-]{0,199}$";
    case config::Type::topic_list:
        return "^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$";
    default:
        return {};
    }
}

/// Any value may stand in a variable instead.
Json or_variable(Json schema) { return {{"anyOf", Json::array({std::move(schema), {{"type", "string"}, {"pattern", "\\$\\{"}}})}}; }

Json binding_schema() {
    Json members = Json::object();
    for (const config::BindingMember &member : config::binding_members()) {
        Json schema;
        if (member.kind == "boolean") {
            schema["type"] = "boolean";
        } else if (member.kind == "aliases") {
            schema = {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}};
        } else {
            const Json source{{"type", "string"}, {"pattern", member.name == "event_id" ? "^(position|/.*|\\$\\{.*)?$" : kSource}};
            schema = member.kind == "sources" ? Json{{"type", "array"}, {"items", source}} : source;
        }
        schema["description"] = member.meaning;
        members[std::string(member.name)] = schema;
    }
    return {{"type", "object"}, {"additionalProperties", false}, {"properties", members}};
}

Json value_schema(const config::Key &key) {
    switch (key.type) {
    case config::Type::boolean:
        return or_variable({{"type", "boolean"}});
    case config::Type::integer:
        return or_variable({{"type", "integer"}, {"minimum", key.least}, {"maximum", key.most}});
    case config::Type::integer_list:
        return or_variable({{"type", "array"},
                            {"minItems", 1},
                            {"items", or_variable({{"type", "integer"}, {"minimum", key.least}, {"maximum", key.most}})}});
    case config::Type::origin_list:
    case config::Type::host_list:
        return or_variable(
            {{"type", "array"}, {"uniqueItems", true}, {"items", or_variable({{"type", "string"}, {"pattern", pattern(key.type)}})}});
    case config::Type::topic_list:
        return or_variable({{"type", "array"},
                            {"minItems", 1},
                            {"uniqueItems", true},
                            {"items", or_variable({{"type", "string"}, {"pattern", pattern(key.type)}})}});
    case config::Type::object:
        return {{"type", "object"}};
    case config::Type::bindings:
        return {{"type", "object"}, {"additionalProperties", binding_schema()}};
    case config::Type::domains:
        return {{"oneOf", Json::array({{{"type", "object"}, {"additionalProperties", {{"$ref", "#/definitions/domain"}}}},
                                       {{"type", "array"}, {"items", {{"$ref", "#/definitions/domain"}}}}})}};
    case config::Type::choice: {
        Json choices = Json::array();
        std::string_view rest = key.choices;
        while (!rest.empty()) {
            choices.push_back(rest.substr(0, rest.find('|')));
            rest = rest.find('|') == std::string_view::npos ? std::string_view() : rest.substr(rest.find('|') + 1);
        }
        return or_variable({{"enum", choices}});
    }
    default: {
        Json schema{{"type", "string"}};
        return pattern(key.type).empty() ? schema : or_variable({{"type", "string"}, {"pattern", pattern(key.type)}});
    }
    }
}

/// The object that the keys make, level by level.
Json object_schema(const std::vector<config::Key> &keys) {
    Json root{{"type", "object"}, {"additionalProperties", false}, {"properties", {{"$schema", {{"type", "string"}}}}}};
    for (const config::Key &key : keys) {
        Json *level = &root;
        std::string_view rest = key.path;
        for (std::size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
            Json &next = (*level)["properties"][std::string(rest.substr(0, dot))];
            if (next.is_null()) {
                next = {{"type", "object"}, {"additionalProperties", false}, {"properties", Json::object()}};
            }
            level = &next;
            rest = rest.substr(dot + 1);
        }
        Json schema = value_schema(key);
        schema["description"] = key.meaning;
        (*level)["properties"][std::string(rest)] = schema;
    }
    return root;
}

std::string document(const std::string &title, Json schema) {
    Json out{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", title}};
    out.update(schema);
    return out.dump(2) + "\n";
}

std::string host_schema() {
    Json schema = object_schema(config::host_keys());
    schema["definitions"]["domain"] = object_schema(config::domain_keys());
    return document("The host file of Weir", schema);
}

std::string domain_schema() {
    Json schema = object_schema(config::domain_keys());
    schema["required"] = Json::array({"service"});
    schema["properties"]["service"]["required"] = Json::array({"domain"});
    return document("A domain file of Weir", schema);
}

bool satisfies(const std::string &content, const std::string &schema_text) {
    const nlohmann::json schema_json = nlohmann::json::parse(schema_text);
    const valijson::adapters::NlohmannJsonAdapter schema_adapter(schema_json);
    valijson::Schema schema;
    valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(schema_adapter, schema);
    const nlohmann::json value = nlohmann::json::parse(content, nullptr, true, true);
    const valijson::adapters::NlohmannJsonAdapter adapter(value);
    return valijson::Validator().validate(schema, adapter, nullptr);
}

void check_file(const std::filesystem::path &path, const std::string &expected) {
    if (std::getenv("WEIR_TEST_UPDATE") != nullptr) {
        std::filesystem::create_directories(path.parent_path());
        test::write_file(path, expected);
    }
    INFO("made from host/config/keys.cpp; to write it anew: WEIR_TEST_UPDATE=1 ctest --preset release -R '^config$'");
    CHECK(test::read_file(path) == expected);
}

} // namespace

TEST_CASE("the schemas for editors say what the host's own table of keys says") {
    check_file(test::source_directory() / "configs/schema/weir.schema.json", host_schema());
    check_file(test::source_directory() / "configs/schema/domain.schema.json", domain_schema());
}

TEST_CASE("every shipped configuration satisfies its schema") {
    const auto configs = test::source_directory() / "configs";
    for (const auto &entry : std::filesystem::directory_iterator(configs)) {
        if (entry.path().extension() == ".json") {
            INFO(entry.path().string());
            CHECK(satisfies(test::read_file(entry.path()), host_schema()));
        }
    }
    for (const auto &entry : std::filesystem::directory_iterator(configs / "domains")) {
        INFO(entry.path().string());
        CHECK(satisfies(test::read_file(entry.path()), domain_schema()));
    }
}

TEST_CASE("what the host accepts satisfies the schema, and what the schema refuses the host refuses") {
    Files files;
    for (
        const char *content : {
            R"({})",
            R"({"engine": {"batch_max_events": 1, "retry_delays_ms": [0, 86400000]}})",
            R"({"engine": {"batch_max_events": "${N:-5}", "retry_delays_ms": "${D:-1,2}"}, "plugins": {"inotify": "${I:-no}"}})",
            R"({"log": {"level": "${L:-warn}"}, "store": {"url": "${S:-sqlite:///s}"}})",
            R"({"domains": {"a": {"order": "parallel", "topics": ["t", "${T:-u}"], "settings": {"x": [1]}, "bindings": {"t": {"event_id": "position", "keys": ["/a", "${K:-/b}"]}}}}})",
            R"({"domains": [{"service": {"domain": "a"}}]})",
            R"({"http": {"listen": "[::1]:8080", "operations": {"listen": "127.0.0.1:0", "token": "0123456789abcdef"}, "max_body_bytes": 10}})",
            R"({"http": {"listen": "off", "host_names": ["weir.example"], "cors": {"origins": ["https://a.example", "http://b.example:81"]}}})",
        }) {
        INFO(content);
        CHECK(test::text(files.load_host(content).problems) == "");
        CHECK(satisfies(content, host_schema()));
    }
    for (const char *content : {
             R"({"engin": {}})",
             R"({"engine": {"batch_max_events": 0}})",
             R"({"engine": {"batch_max_events": "5"}})",
             R"({"engine": {"retry_delays_ms": []}})",
             R"({"engine": {"retry_delays_ms": [1.5]}})",
             R"({"plugins": {"inotify": 1}})",
             R"({"plugins": {"default": "A"}})",
             R"({"plugins": {"default": ""}})",
             R"({"broker": {"url": "mqtt://x"}})",
             R"({"log": {"level": "loud"}})",
             R"({"domains": 5})",
             R"({"http": {"listen": "8080"}})",
             R"({"http": {"listen": "::1:8080"}})",
             R"({"http": {"operations": {"token": "short"}}})",
             R"({"http": {"cors": {"origins": ["*"]}}})",
             R"({"http": {"cors": {"origins": ["https://*.example"]}}})",
             R"({"http": {"cors": {"origins": ["https://a.example/"]}}})",
             R"({"http": {"host_names": ["weir.example:80"]}})",
             R"({"http": {"max_header_bytes": 1}})",
             R"({"domains": {"a": {"topics": ["t", "t"]}}})",
             R"({"domains": {"a": {"service": {"schema": "S"}}}})",
             R"({"domains": {"a": {"bindings": {"t": {"event_idd": "/x"}}}}})",
             R"({"domains": {"a": {"bindings": {"t": {"tenant_id": "x"}}}}})",
             R"({"domains": {"a": {"bindings": {"t": {"event_id": "=fixed"}}}}})",
         }) {
        INFO(content);
        CHECK_FALSE(satisfies(content, host_schema()));
        CHECK_FALSE(files.load_host(content).problems.empty());
    }
}
