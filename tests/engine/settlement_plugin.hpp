// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine_fixture.hpp"

#include <atomic>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <thread>

/// The plugin whose events tests of settlements play with: its tables and its one handler.
namespace weir::test::settling {

inline std::atomic<int> runs{0};

/// How long handlers take that run again; they tell by their event's number.
struct Slow {
    std::chrono::milliseconds again{0};
    std::set<std::string> ran;
};
inline Slow slow;

inline weir_cell_v1 text_cell(std::uint32_t column, std::string_view text) {
    weir_cell_v1 cell{};
    cell.column = column;
    cell.operation = WEIR_CELL_SET;
    cell.text = handlers::view(text);
    return cell;
}

inline weir_status state(const weir_call_v1 *call, std::uint32_t table, std::uint32_t kind, const weir_cell_v1 *cells,
                         std::uint32_t count) {
    weir_change_v1 change{};
    change.size = sizeof change;
    change.table = table;
    change.kind = kind;
    change.cells = cells;
    change.cell_count = count;
    change.cell_stride = sizeof(weir_cell_v1);
    call->change(call, &change);
    return WEIR_OK;
}

inline std::string text_at(const weir_event_v1 *event, std::string_view pointer) {
    weir_view found{};
    return event->text(event, handlers::view(pointer), &found) == WEIR_FOUND ? std::string(handlers::text(found)) : std::string();
}

inline std::optional<std::string> trail_of(const weir_call_v1 *call, const std::string &id) {
    const weir_cell_v1 key = text_cell(0, id);
    const weir_row_v1 *row = nullptr;
    if (call->read(call, 0, &key, 1, sizeof key, &row) != WEIR_FOUND) {
        return std::nullopt;
    }
    return std::string(handlers::text(row->cells[2].text));
}

/// /add: counts up without a look, and /count likewise, but only a row that is there; else appends /mark to the trail, and how long the
/// trail of /from is, whose absence is a retry; /badge goes into a row of its own.
inline weir_status play(void *, const weir_event_v1 *event, const weir_call_v1 *call) {
    ++runs;
    const std::string id = text_at(event, "/id");
    const std::string number = text_at(event, "/number");
    if (slow.again.count() > 0 && !slow.ran.insert(number).second) {
        std::this_thread::sleep_for(slow.again);
    }
    if (const std::string badge = text_at(event, "/badge"); !badge.empty()) {
        const weir_cell_v1 cells[] = {text_cell(0, number), text_cell(1, badge)};
        state(call, 1, WEIR_CHANGE_INSERT, cells, 2);
    }
    std::int64_t add = 0;
    const bool makes = event->integer(event, handlers::view("/add"), &add) == WEIR_FOUND;
    if (makes || event->integer(event, handlers::view("/count"), &add) == WEIR_FOUND) {
        weir_cell_v1 cells[] = {text_cell(0, id), {}};
        cells[1].column = 1;
        cells[1].operation = WEIR_CELL_ADD;
        cells[1].integer = add;
        return state(call, 0, makes ? WEIR_CHANGE_UPSERT : WEIR_CHANGE_UPDATE, cells, 2);
    }
    std::string mark = text_at(event, "/mark");
    if (const std::string from = text_at(event, "/from"); !from.empty()) {
        const auto other = trail_of(call, from);
        if (!other) {
            call->error(call, handlers::view("not_yet"), handlers::view("the other item isn't there"));
            return WEIR_RETRY;
        }
        mark += std::to_string(other->size());
    }
    const std::string trail = trail_of(call, id).value_or("") + mark;
    const weir_cell_v1 cells[] = {text_cell(0, id), text_cell(2, trail)};
    return state(call, 0, WEIR_CHANGE_UPSERT, cells, 2);
}

inline plugin::Description played() {
    plugin::Description description = items_plugin();
    store::Table badges;
    badges.name = "badges";
    badges.columns = {{"id", store::Type::text, false, 0, 0, store::Default::none, {}},
                      {"badge", store::Type::text, false, 0, 0, store::Default::none, {}}};
    badges.primary_key = {0};
    badges.indexes.push_back({"badges_badge", {1}, true});
    description.schema.tables.push_back(badges);
    return description;
}

} // namespace weir::test::settling
