// SPDX-License-Identifier: Apache-2.0
#include "standard_tables.hpp"

#include "store/standard_tables.hpp"

#include <algorithm>

namespace weir::store::postgresql {

namespace {

/// One of these and nothing else.
StandardText one_of(std::vector<std::string> values) {
    StandardText text{std::move(values), 0};
    for (const std::string &value : text.values) {
        text.length = std::max(text.length, value.size());
    }
    return text;
}

StandardText at_most(std::size_t length) { return {{}, length}; }

constexpr std::size_t kTopic = 200;   // as long as the configuration lets it be
constexpr std::size_t kPosition = 41; // two numbers of 64 bits
constexpr std::size_t kReadable = 20; // what is cut shorter says nothing

std::map<std::string, StandardText> texts_of(const std::string &table) {
    if (table == "event_ledger") {
        return {{"outcome", one_of({"applied", "stale", "ignored", "dead"})}};
    }
    if (table == "dead_letter_queue") {
        return {{"topic", at_most(kTopic)},
                {"position", at_most(kPosition)},
                {"event_type", at_most(kReadable)},
                {"error_type", at_most(kReadable)},
                {"error_message", at_most(kReadable)},
                {"status", one_of({"pending", "replayed", "dropped"})}};
    }
    return {};
}

} // namespace

std::vector<TableForm> standard_tables() {
    std::vector<TableForm> forms;
    for (StandardTable &one : store::standard_tables(true)) {
        auto texts = texts_of(one.table.name);
        forms.push_back({std::move(one.table), std::move(one.checks), one.numbered, std::move(one.as_written), std::move(texts)});
    }
    return forms;
}

} // namespace weir::store::postgresql
