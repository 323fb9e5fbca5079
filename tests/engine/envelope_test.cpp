// SPDX-License-Identifier: Apache-2.0
#include "engine/envelope.hpp"

#include "event/decoder.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace weir;

TEST_CASE("an envelope says the texts it was made of, whatever stands in them") {
    std::mt19937_64 random(test::seed());
    const std::vector<std::string> pieces{"a", "Z9", "\"", "\\", "/", "\n", "\x01", "\x7f", "\u00e9", "\u20ac", "\U0001f600", " "};
    for (int run = 0; run < 500; ++run) {
        std::string text;
        for (auto count = random() % 6; count > 0; --count) {
            text += pieces[random() % pieces.size()];
        }
        event::Event cause;
        auto message = std::make_shared<event::Message>();
        message->appended_at = 1763998207000000;
        cause.message = message;
        cause.id = event::Uuid::random();
        cause.correlation_id = text;
        cause.tenant_id = run % 2 == 0 ? "" : text;
        const event::Uuid id = event::Uuid::random();
        const std::string made = engine::make_envelope(id, "item.changed.v12", cause, R"({"n":[1,"x"]})");
        INFO(made);
        std::string reason;
        const auto envelope = event::parse_json(made, 8, reason);
        REQUIRE(envelope);
        CHECK(envelope->text("/event_id") == id.text());
        CHECK(envelope->text("/event_type") == "item.changed.v12");
        CHECK(envelope->integer("/schema_version") == 12);
        CHECK(envelope->text("/causation_id") == cause.id.text());
        CHECK(envelope->text("/correlation_id") == (text.empty() ? cause.id.text() : text));
        CHECK(envelope->text("/tenant_id").value_or("") == cause.tenant_id);
        CHECK(envelope->text("/occurred_at") == event::format_time(message->appended_at));
        CHECK(envelope->dump("/payload") == R"({"n":[1,"x"]})");
    }
    event::Event cause;
    cause.message = std::make_shared<event::Message>();
    cause.correlation_id = "no \xff UTF-8";
    std::string reason;
    const auto envelope = event::parse_json(engine::make_envelope(cause.id, "a.v1", cause, "null"), 8, reason);
    REQUIRE(envelope);
    CHECK(envelope->text("/correlation_id") == "no \xef\xbf\xbd UTF-8");
}
