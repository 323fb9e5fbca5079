// SPDX-License-Identifier: Apache-2.0
#include "sample.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace weir::test {

namespace {

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool is_uuid_at(const std::string &text, std::size_t at) {
    if (at + 36 > text.size()) {
        return false;
    }
    for (std::size_t i = 0; i < 36; ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[at + i] != '-' : !is_hex(text[at + i])) {
            return false;
        }
    }
    return true;
}

// Flips bits of the first digit of each UUID in a text.
std::string changed(std::string text, unsigned copy) {
    for (std::size_t at = 0; at + 36 <= text.size(); ++at) {
        if (!is_uuid_at(text, at)) {
            continue;
        }
        const bool upper = text[at] >= 'A' && text[at] <= 'F';
        const unsigned digit = static_cast<unsigned>(std::stoi(text.substr(at, 1), nullptr, 16)) ^ copy;
        text[at] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[digit & 15u];
        at += 35;
    }
    return text;
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

// A copy of an event may carry anything: it must follow the first one's key, or which of them is first would be open.
std::string key_of(const std::string &line, std::map<std::string, std::string> &key_of_id) {
    if (line.size() > 10'000) {
        return "";
    }
    const nlohmann::json event = nlohmann::json::parse(line, nullptr, false);
    if (!event.is_object() || !event.contains("payload") || !event["payload"].is_object()) {
        return "";
    }
    const auto text = [](const nlohmann::json &object, const char *name) {
        return object.contains(name) && object[name].is_string() ? lower(object[name].get<std::string>()) : std::string();
    };
    const std::string key = text(event, "tenant_id") + "/" + text(event["payload"], "user_id");
    const std::string id = text(event, "event_id");
    return id.empty() ? key : key_of_id.try_emplace(id, key).first->second;
}

} // namespace

const std::vector<Text> &sample() {
    static const std::vector<Text> messages = [] {
        const std::string text = read_file(source_directory() / "tests/samples/identity.user.v1.jsonl");
        std::vector<Text> result;
        std::map<std::string, std::string> key_of_id;
        for (std::size_t begin = 0; begin < text.size();) {
            const std::size_t end = std::min(text.find('\n', begin), text.size());
            const std::string line = text.substr(begin, end - begin);
            result.push_back({key_of(line, key_of_id), line});
            begin = end + 1;
        }
        return result;
    }();
    return messages;
}

std::vector<Text> sample_copy(unsigned copy) {
    std::vector<Text> result = sample();
    for (Text &message : result) {
        message = {changed(message.key, copy), changed(message.body, copy)};
    }
    return result;
}

const Expectation &expectation() {
    static const Expectation expected = [] {
        const nlohmann::json json = nlohmann::json::parse(read_file(source_directory() / "tests/samples/identity.expected.json"));
        Expectation result{json.at("messages"), json.at("applied"),      json.at("duplicates"), json.at("stale"),
                           json.at("ignored"),  json.at("dead_letters"), json.at("user_prefs"), {}};
        for (const nlohmann::json &row : json.at("identity_projection")) {
            Row cells;
            for (const nlohmann::json &cell : row) {
                cells.push_back(cell.is_null() ? std::nullopt : std::optional(cell.get<std::string>()));
            }
            result.rows.push_back(std::move(cells));
        }
        std::sort(result.rows.begin(), result.rows.end());
        return result;
    }();
    return expected;
}

Expectation expectation_of(unsigned copies) {
    Expectation all;
    const Expectation &one = expectation();
    for (unsigned copy = 0; copy < copies; ++copy) {
        all.messages += one.messages;
        all.applied += one.applied;
        all.duplicates += one.duplicates;
        all.stale += one.stale;
        all.ignored += one.ignored;
        all.dead_letters += one.dead_letters;
        all.user_prefs += one.user_prefs;
        for (Row row : one.rows) {
            row[0] = changed(*row[0], copy);
            row[1] = changed(*row[1], copy);
            all.rows.push_back(std::move(row));
        }
    }
    std::sort(all.rows.begin(), all.rows.end());
    const auto same_key = [](const Row &a, const Row &b) { return a[0] == b[0] && a[1] == b[1]; };
    REQUIRE(std::adjacent_find(all.rows.begin(), all.rows.end(), same_key) == all.rows.end());
    return all;
}

void check_database(const Database &database, const Expectation &expected, const std::string &preferences) {
    INFO(database.name());
    CHECK(integrity(database) == "ok");
    const std::string updated_at = database.is_postgresql() ? R"(to_char(updated_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))" : "updated_at";
    const auto rows = query(database, "select tenant_id, user_id, email, display_name, status, " + updated_at +
                                          " from identity_projection order by tenant_id, user_id");
    REQUIRE(rows.size() == expected.rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        REQUIRE(rows[i] == expected.rows[i]);
    }
    CHECK(number(database, "select count(*) from " + preferences) == expected.user_prefs);
    CHECK(ledger_outcomes(database) == std::map<std::string, std::int64_t>{{"applied", expected.applied - expected.stale},
                                                                           {"stale", expected.stale},
                                                                           {"ignored", expected.ignored},
                                                                           {"dead", expected.dead_letters}});
    CHECK(number(database, "select count(*) from dead_letter_queue") == expected.dead_letters);
    CHECK(number(database, "select count(distinct event_id) from dead_letter_queue") == expected.dead_letters);
    CHECK(number(database, "select count(*) from dead_letter_queue join event_ledger using (event_id) where outcome = 'dead'") ==
          expected.dead_letters);
}

void check_domains(const Installation &installation, const Expectation &expected) {
    check_database(installation.domain("linting"), expected, "user_prefs");
    check_database(installation.domain("spell_checking"), expected, "user_dictionary_prefs");
}

void check_counts(const DomainCounts &counts, const Expectation &expected) {
    CHECK(counts.messages == expected.messages);
    CHECK(counts.applied == expected.applied);
    CHECK(counts.duplicates == expected.duplicates);
    CHECK(counts.stale == expected.stale);
    CHECK(counts.ignored == expected.ignored);
    CHECK(counts.dead_letters == expected.dead_letters);
}

} // namespace weir::test
