// SPDX-License-Identifier: Apache-2.0
#include "config_support.hpp"

#include "config/keys.hpp"

#include <cstdlib>

using namespace weir;

namespace {

std::string type_text(const config::Key &key) {
    const std::string range = std::to_string(key.least) + " to " + std::to_string(key.most);
    switch (key.type) {
    case config::Type::text:
        return "text";
    case config::Type::secret:
        return "text of 16 to 1000 ASCII characters";
    case config::Type::file:
        return "file";
    case config::Type::address:
        return "`HOST:PORT` or `off`";
    case config::Type::origin_list:
        return "array of origins";
    case config::Type::host_list:
        return "array of host names";
    case config::Type::path:
        return "directory";
    case config::Type::broker_url:
        return "`redis://...`, `rediss://...`, `redis+unix://...` or `embedded://FILE`";
    case config::Type::store_url:
        return "`postgresql://...` or `sqlite://DIRECTORY`";
    case config::Type::redis_url:
        return "`redis://...` or `redis+unix://...`";
    case config::Type::domain_name:
        return "name: `a`-`z`, digits, `_`, `-`";
    case config::Type::schema_name:
        return "name: `a`-`z`, digits, `_`";
    case config::Type::plugin_name:
        return "name: `a`-`z`, digits, `-`";
    case config::Type::service_name:
        return "name: letters, digits, `.`, `_`, `-`";
    case config::Type::group_name:
        return "name: letters, digits, `.`, `_`, `:`, `-`";
    case config::Type::boolean:
        return "true or false";
    case config::Type::integer:
        return "whole number, " + range;
    case config::Type::integer_list:
        return "array of whole numbers, each " + range;
    case config::Type::topic_list:
        return "array of names";
    case config::Type::object:
        return "object";
    case config::Type::bindings:
        return "object, see Bindings";
    case config::Type::domains:
        return "object or array, see Domains";
    case config::Type::choice: {
        std::string text;
        for (const char c : key.choices) {
            text += c == '|' ? "`, `" : std::string(1, c);
        }
        return "one of `" + text + "`";
    }
    }
    return {};
}

std::string rows(const std::vector<config::Key> &keys, const std::string &prefix, const std::string &variable_prefix) {
    std::string text = "| key | type | default | variable | meaning |\n| --- | --- | --- | --- | --- |\n";
    for (const config::Key &key : keys) {
        const std::string standard =
            key.default_text.empty() ? (key.path.starts_with("engine.") ? "the host's" : "") : "`" + std::string(key.default_text) + "`";
        const std::string variable =
            key.path == "service.domain" ? "" : "`" + variable_prefix + config::variable_name(key.path).substr(5) + "`";
        text += "| `" + prefix + std::string(key.path) + "` | " + type_text(key) + " | " + standard + " | " + variable + " | " +
                std::string(key.meaning) + " |\n";
    }
    return text;
}

std::string member_rows() {
    std::string text = "| member | type | meaning |\n| --- | --- | --- |\n";
    for (const config::BindingMember &member : config::binding_members()) {
        const std::string kind = member.kind == "aliases"   ? "object of texts"
                                 : member.kind == "sources" ? "array of sources"
                                 : member.kind == "boolean" ? "true or false"
                                                            : "source";
        text += "| `" + std::string(member.name) + "` | " + kind + " | " + std::string(member.meaning) + " |\n";
    }
    return text;
}

/// The page with the part between two marks replaced.
std::string with_part(const std::string &page, const std::string &name, const std::string &part) {
    const std::string begin = "<!-- " + name + ": made from host/config/keys.cpp -->\n";
    const std::string end = "<!-- end of " + name + " -->";
    const std::size_t from = page.find(begin);
    const std::size_t to = page.find(end);
    INFO(begin);
    REQUIRE(from != std::string::npos);
    REQUIRE(to != std::string::npos);
    return page.substr(0, from + begin.size()) + "\n" + part + "\n" + page.substr(to);
}

} // namespace

TEST_CASE("docs/configuration.md says of every key what the host's own table says") {
    const auto path = test::source_directory() / "docs/configuration.md";
    const std::string page = test::read_file(path);
    std::string expected = with_part(page, "host keys", rows(config::host_keys(), "", "WEIR_"));
    expected = with_part(expected, "domain keys", rows(config::domain_keys(), "", "WEIR_DOMAINS_<NAME>_"));
    expected = with_part(expected, "binding members", member_rows());
    if (std::getenv("WEIR_TEST_UPDATE") != nullptr) {
        test::write_file(path, expected);
    }
    INFO("to write it anew: WEIR_TEST_UPDATE=1 ctest --preset release -R '^config$'");
    CHECK(test::read_file(path) == expected);
}
