// SPDX-License-Identifier: Apache-2.0
#include "engine/ledger_pace.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace weir::engine {

namespace {

std::uint64_t number(std::string_view text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

} // namespace

LedgerPace ledger_pace(std::string_view domain) {
    LedgerPace pace;
    const char *value = std::getenv("WEIR_TEST_LEDGER");
    if (!value) {
        return pace;
    }
    std::string_view text(value);
    pace.generation_events = number(text.substr(0, text.find(',')));
    pace.events = pace.generation_events;
    pace.look = std::chrono::milliseconds(200);
    while (text.find(',') != std::string_view::npos) {
        text.remove_prefix(text.find(',') + 1);
        const std::string_view entry = text.substr(0, text.find(','));
        const std::size_t colon = entry.find(':');
        if (colon != std::string_view::npos && entry.substr(0, colon) == domain) {
            pace.horizon = std::chrono::milliseconds(number(entry.substr(colon + 1)));
        }
    }
    return pace;
}

} // namespace weir::engine
