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

/// So many letters, which tell where they are and whose.
std::string filler(std::size_t size, std::size_t whose) {
    std::string letters;
    for (std::size_t i = 0; i < size; ++i) {
        letters += static_cast<char>('a' + (i * 31 + whose * 7 + i / 26) % 26);
    }
    return letters;
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

TEST_CASE("documents of all sizes, about as large as what they are put together in and larger, keep every byte once they are packed") {
    struct Made {
        std::string text;
        std::shared_ptr<const Json> document;
    };
    std::vector<Made> made;
    // What is kept is what has an escape; from some size on it lies elsewhere (Document::Workshop), and beside numbers sooner.
    for (std::size_t size = 0; size < 760; ++size) {
        const std::string filling = filler(size, made.size());
        std::vector<std::string> texts{R"("\n)" + filling + "\"", R"(["\n)" + filling + "\"]", R"({"\n)" + filling + R"(":"\t"})"};
        for (const std::size_t numbers : {0U, 6U, 17U}) {
            std::string text = R"({"plain":"view","t\u0065xt":"\n)" + filling + R"(","":"","numbers":[)";
            for (std::size_t i = 0; i < numbers; ++i) {
                text += (i > 0 ? "," : "") + std::to_string(i * 7919 + size);
            }
            texts.push_back(text + R"(],"last":{"twice":1,"twice":"\t)" + filling.substr(0, size % 5) + R"(","\u006dore":null}})");
        }
        for (std::string &text : texts) {
            std::string reason;
            auto document = parse_json(text, kMaxDepth, reason);
            REQUIRE(document);
            made.push_back({std::move(text), std::move(document)});
        }
    }
    for (const Made &one : made) { // what any of them let go of is others' by now
        CAPTURE(one.text);
        REQUIRE(one.document->dump("") == json::parse(one.text).dump());
    }
}

TEST_CASE("envelopes of all sizes about as large as what they are put together in keep every byte of their payloads and texts") {
    const Contracts none;
    Binding binding;
    binding.topic = "anything";
    const Decoder decoder(binding, none);
    std::vector<std::pair<std::string, Event>> made;
    for (const std::size_t members : {1U, 4U, 9U}) {
        for (std::size_t size = 0; size < 760; ++size) {
            std::string payload = R"({"text":"\r)" + filler(size, made.size()) + "\"";
            for (std::size_t i = 1; i < members; ++i) {
                payload += ",\"m" + std::to_string(i) + "\":\"\\u00e4" + std::to_string(size) + "\"";
            }
            payload += "}";
            made.emplace_back(payload,
                              decoder.decode(make_message(R"({"event_id":"3ea7b652-b081-48c1-b1e2-7baff3d39f98",)"
                                                          R"("event_type":"a.b.v1","occurred_at":"2026-01-01T00:00:00Z",)"
                                                          R"("correlation_id":"c\u006frrelated )" +
                                                          std::to_string(size) + R"(","schema_version":1,"payload":)" + payload + "}")));
        }
    }
    for (const auto &[payload, event] : made) {
        CAPTURE(payload);
        REQUIRE_FALSE(event.refusal);
        REQUIRE(event.envelope->dump("/payload") == json::parse(payload).dump());
        REQUIRE(event.envelope->text("/correlation_id") == event.correlation_id);
        REQUIRE(event.envelope->text("/event_type") == "a.b.v1");
    }
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
