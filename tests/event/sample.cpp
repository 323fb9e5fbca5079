// SPDX-License-Identifier: Apache-2.0
#include "messages.hpp"

#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <random>
#include <unordered_map>
#include <unordered_set>

using namespace weir;
using namespace weir::event;
using namespace weir::test;

namespace {

std::string reason_group(const Event &event) {
    if (!event.refusal) {
        return "";
    }
    const std::string &message = event.refusal->message;
    return event.refusal->type + " " + message.substr(0, message.find_first_of(" :"));
}

/// What this thread has cost so far; unlike the wall clock, it says the same on a busy machine.
double cpu_micros() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

} // namespace

TEST_CASE("every message of the sample is classified as the model says") {
    const Decoder decoder(identity_binding(), built_in_contracts());
    std::map<std::string, int> refused;
    std::map<std::string, int> types;
    std::unordered_set<Uuid> ids;
    int duplicates = 0;
    int with_nul = 0;
    std::uint64_t position = 0;
    for (const std::string &line : sample_lines()) {
        const Event event = decoder.decode(make_message(line, ++position));
        if (!ids.insert(event.id).second) {
            ++duplicates;
            continue;
        }
        if (event.refusal) {
            ++refused[reason_group(event)];
            continue;
        }
        ++types[event.type];
        REQUIRE(event.key == event.tenant_id + "/" + Uuid::parse(*event.envelope->text("/payload/user_id"))->text());
        REQUIRE(event.envelope->text("/event_id") == event.id.text());
        REQUIRE(event.schema_version == 1);
        const auto name = event.envelope->text("/payload/display_name");
        with_nul += name && name->find('\0') != std::string_view::npos ? 1 : 0;
    }
    CHECK(position == 3000);
    CHECK(duplicates == 144);
    CHECK(with_nul == 16);
    CHECK(types["user.logged_in.v1"] == 83);
    CHECK(types["user.created.v1"] + types["user.updated.v1"] + types["user.disabled.v1"] == 2588 + 16);
    CHECK(refused == std::map<std::string, int>{{"malformed_json The", 12},
                                                {"invalid_utf8 The", 20},
                                                {"too_deep The", 14},
                                                {"not_an_object The", 21},
                                                {"missing_member /event_id", 23},
                                                {"invalid_member /occurred_at", 21},
                                                {"contract_violation /tenant_id", 20},
                                                {"contract_violation /payload/email", 23},
                                                {"contract_violation /payload/user_id", 15}});
}

TEST_CASE("no refusal of a sample message repeats an e-mail or a name of it") {
    for (const std::string &line : sample_lines()) {
        const Event event = decode(line);
        if (event.refusal) {
            REQUIRE(event.refusal->message.find('@') == std::string::npos);
            REQUIRE(event.refusal->message.find("example") == std::string::npos);
            REQUIRE(event.refusal->message.find("just a string") == std::string::npos);
        }
    }
}

TEST_CASE("decoding twice says the same, byte for byte") {
    for (const std::string &line : sample_lines()) {
        const Event first = decode(line);
        const Event second = decode(line);
        REQUIRE(first.id == second.id);
        REQUIRE(first.key == second.key);
        REQUIRE(refusal_of(first) == refusal_of(second));
        REQUIRE(static_cast<bool>(first.envelope) == static_cast<bool>(second.envelope));
        if (first.envelope) {
            REQUIRE(first.envelope->dump("") == second.envelope->dump(""));
        }
    }
}

TEST_CASE("damaged messages come back as an event or as a refusal, and nothing breaks") {
    const auto lines = sample_lines();
    const char *given = std::getenv("WEIR_TEST_MUTATIONS");
    const int rounds = given ? std::atoi(given) : 20000;
    std::mt19937_64 random(seed());
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    const std::string_view pieces[] = {"\"",
                                       "{",
                                       "}",
                                       "[",
                                       "]",
                                       ",",
                                       ":",
                                       "\\",
                                       "\\u0000",
                                       "\\ud800",
                                       "1e999",
                                       "null",
                                       "-0",
                                       "\xff",
                                       "\xed\xa0\x80",
                                       "9999999999999999999999"};
    Binding loose = identity_binding();
    loose.envelope_required = false;
    const Decoder strict_decoder(identity_binding(), built_in_contracts());
    const Decoder loose_decoder(loose, built_in_contracts());
    int decoded = 0;
    int refused = 0;
    for (int round = 0; round < rounds; ++round) {
        std::string line = lines[below(lines.size())];
        if (line.size() > 2000) {
            line.resize(below(2000) + 1);
        }
        for (std::size_t edits = 1 + below(4); edits > 0 && !line.empty(); --edits) {
            const std::size_t at = below(line.size());
            switch (below(5)) {
            case 0:
                line[at] = static_cast<char>(random());
                break;
            case 1:
                line.erase(at, 1 + below(8));
                break;
            case 2:
                line.insert(at, pieces[below(std::size(pieces))]);
                break;
            case 3:
                line.insert(at, line.substr(below(line.size()), below(60)));
                break;
            default:
                line.resize(at);
                break;
            }
        }
        for (const Decoder *decoder : {&strict_decoder, &loose_decoder}) {
            auto message = make_message(line);
            if (below(4) == 0) {
                message->body.clear();
                message->fields = {{"event", line}};
            }
            const Event event = decoder->decode(message);
            if (event.refusal) {
                ++refused;
                REQUIRE_FALSE(event.refusal->type.empty());
                REQUIRE_FALSE(event.refusal->message.empty());
            } else {
                ++decoded;
                REQUIRE(is_event_type(event.type));
                REQUIRE(event.envelope);
                REQUIRE(event.envelope->dump(""));
            }
        }
    }
    CHECK(decoded > 0);
    CHECK(refused > 0);
}

TEST_CASE("decoding and checking the sample is measured", "[measure]") {
    const auto lines = sample_lines();
    std::vector<std::shared_ptr<const Message>> messages;
    for (const std::string &line : lines) {
        messages.push_back(make_message(line));
    }
    const Contracts none;
    const auto measure = [&](const Contracts &contracts) {
        const Decoder decoder(identity_binding(), contracts);
        double best = 1e9;
        for (int round = 0; round < 5; ++round) {
            const double begin = cpu_micros();
            for (const auto &message : messages) {
                REQUIRE(decoder.decode(message).message);
            }
            best = std::min(best, (cpu_micros() - begin) / static_cast<double>(messages.size()));
        }
        return best;
    };
    const double with = measure(built_in_contracts());
    const double without = measure(none);
    std::printf("decode: %.2f us of CPU an event, of which contracts %.2f us\n", with, with - without);
    CHECK(with < 1000); // a guard against accidents such as a regular expression, not a benchmark
}
