// SPDX-License-Identifier: Apache-2.0
// Documents against nlohmann's trees of the same texts, over texts made at random.
#include "event/decoder.hpp"
#include "random_json.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <limits>

using namespace weir::event;
using namespace weir::test;
using nlohmann::json;

namespace {

constexpr std::size_t kMaxDepth = 8;

std::string escaped(const std::string &name) {
    std::string token;
    for (const char c : name) {
        token += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    }
    return token;
}

JsonKind kind_of(const json &value) {
    switch (value.type()) {
    case json::value_t::null:
        return JsonKind::null;
    case json::value_t::boolean:
        return JsonKind::boolean;
    case json::value_t::number_integer:
        return JsonKind::integer;
    case json::value_t::number_unsigned:
        return value.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()} ? JsonKind::integer : JsonKind::number;
    case json::value_t::number_float:
        return JsonKind::number;
    case json::value_t::string:
        return JsonKind::text;
    case json::value_t::array:
        return JsonKind::array;
    case json::value_t::object:
        return JsonKind::object;
    default:
        return JsonKind::absent;
    }
}

/// The value at the pointer, and all below it, say the same in both; and nothing is where nothing should be.
void compare(const Json &document, const json &tree, const std::string &pointer) {
    CAPTURE(pointer);
    const JsonKind kind = kind_of(tree);
    REQUIRE(document.kind(pointer) == kind);
    REQUIRE(document.dump(pointer) == tree.dump());
    REQUIRE(document.text(pointer) ==
            (tree.is_string() ? std::optional<std::string_view>(tree.get_ref<const std::string &>()) : std::nullopt));
    REQUIRE(document.integer(pointer) == (kind == JsonKind::integer ? std::optional(tree.get<std::int64_t>()) : std::nullopt));
    REQUIRE(document.number(pointer) == (tree.is_number() ? std::optional(tree.get<double>()) : std::nullopt));
    REQUIRE(document.boolean(pointer) == (tree.is_boolean() ? std::optional(tree.get<bool>()) : std::nullopt));
    REQUIRE(document.length(pointer) == (tree.is_structured() ? std::optional(tree.size()) : std::nullopt));
    for (const std::string &token : {std::string("no such name"), std::to_string(tree.size()), std::string("01"), std::string("~")}) {
        if (!tree.is_object() || !tree.contains(token)) {
            REQUIRE(document.kind(pointer + '/' + token) == JsonKind::absent);
        }
    }
    if (tree.is_object()) {
        for (const auto &[name, member] : tree.items()) {
            compare(document, member, pointer + '/' + escaped(name));
        }
    } else if (tree.is_array()) {
        for (std::size_t i = 0; i < tree.size(); ++i) {
            compare(document, tree[i], pointer + '/' + std::to_string(i));
        }
    }
}

/// How deep a text nests, values included that do not count as their name comes again.
std::size_t depth_of(const std::string &text) {
    std::size_t deepest = 0;
    std::size_t depth = 0;
    const auto follow = [&](int, json::parse_event_t event, json &) {
        if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
            deepest = std::max(deepest, ++depth);
        } else if (event == json::parse_event_t::object_end || event == json::parse_event_t::array_end) {
            --depth;
        }
        return true;
    };
    const json followed = json::parse(text, follow, false);
    return followed.is_discarded() ? 0 : deepest;
}

} // namespace

TEST_CASE("a document says of every text what nlohmann's tree says of it") {
    RandomJson random(seed());
    int taken = 0;
    int refused = 0;
    for (int round = rounds(6000); round > 0; --round) {
        std::string text = random.text(random.below(6) == 0 ? kMaxDepth + 2 : 4);
        if (random.below(2) == 0) {
            random.damage(text);
        }
        CAPTURE(text);
        const json tree = json::parse(text, nullptr, false);
        const bool expected = !text.empty() && text.find('\0') == std::string::npos && !tree.is_discarded() && depth_of(text) <= kMaxDepth;
        std::string reason;
        const auto document = parse_json(text, kMaxDepth, reason);
        REQUIRE(static_cast<bool>(document) == expected);
        REQUIRE(reason.empty() == expected);
        if (document) {
            compare(*document, tree, "");
        }
        ++(expected ? taken : refused);
    }
    CHECK(taken > 100);
    CHECK(refused > 100);
}

TEST_CASE("every sample message says as an envelope's payload what nlohmann's tree says of it") {
    const Contracts none;
    Binding binding;
    binding.topic = "anything";
    const Decoder decoder(binding, none);
    for (const std::string &line : sample_lines()) {
        const json tree = json::parse(line, nullptr, false);
        const Event event = decoder.decode(make_message("[" + line + "]"));
        if (!tree.is_discarded() && event.envelope) {
            compare(*event.envelope, tree, "/payload/0");
        }
    }
}

TEST_CASE("a hundred thousand members are found without looking at all of them each time") {
    std::string text = "{";
    for (int i = 0; i < 100000; ++i) {
        text += "\"" + std::to_string(i * 7919 % 100003) + "\":" + std::to_string(i) + ",\"same\":" + std::to_string(i) + ",";
    }
    text.back() = '}';
    std::string reason;
    const auto document = parse_json(text, 64, reason);
    REQUIRE(document);
    CHECK(document->length("") == 100001u);
    CHECK(document->integer("/same") == 99999);
    const std::string array = "[" + text + "," + text + "]";
    for (int i = 0; i < 100000; ++i) {
        REQUIRE(document->integer("/" + std::to_string(i * 7919 % 100003)) == i);
    }
}

TEST_CASE("texts of an event stay what they are after everything else of the message is gone") {
    std::shared_ptr<const Json> envelope;
    {
        const Event event =
            decode_fields({{"event_id", "not a UUID"},
                           {"event_type", "a.v1"},
                           {"tenant_id", "11111111-2222-4333-8444-55555555555A"},
                           {"payload", R"({"plain":"a plain text that is long","escaped":"tab\there, \u00fc and \ud83d\ude00"})"}});
        REQUIRE_FALSE(event.refusal);
        envelope = event.envelope;
    }
    CHECK(envelope->text("/payload/plain") == "a plain text that is long");
    CHECK(envelope->text("/payload/escaped") == "tab\there, \u00fc and \U0001F600");
    CHECK(envelope->text("/tenant_id") == "11111111-2222-4333-8444-55555555555a");
}
