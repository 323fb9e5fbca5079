// SPDX-License-Identifier: Apache-2.0
#include "engine/kept_tables.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace weir::engine {

namespace {

bool contains(const std::vector<std::string> &names, const std::string &name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

void reject(HandlerResult &result, std::string type, std::string message) {
    result.status = WEIR_REJECT;
    result.changes.clear();
    result.emitted.clear();
    result.published.clear();
    result.error = {std::move(type), std::move(message)};
}

std::vector<std::string> names_in(const nlohmann::json &context, std::string_view member) {
    std::vector<std::string> names;
    if (const auto list = context.find(member); list != context.end() && list->is_array()) {
        for (const nlohmann::json &name : *list) {
            if (name.is_string()) {
                names.push_back(name.get<std::string>());
            }
        }
    }
    return names;
}

} // namespace

EffectsLeft effects_left(const std::string &letter_context) {
    const nlohmann::json context = nlohmann::json::parse(letter_context, nullptr, false);
    if (!context.is_object()) {
        return {};
    }
    return {names_in(context, store::kKeptTables), names_in(context, store::kKeptRowsOf)};
}

void leave_out(const EffectsLeft &left, const store::Schema &schema, HandlerResult &result) {
    std::erase_if(result.changes, [&](const store::Change &change) { return contains(left.tables, schema.tables[change.table].name); });
    for (const store::Change &change : result.changes) {
        const std::string &table = schema.tables[change.table].name;
        if (contains(left.rows_of, table)) {
            reject(
                result, "row_was_kept",
                "its effect may be in table " + table +
                    " already: a rebuild kept rows of it, because rows of tables that routes change refer to them. See to that row, then "
                    "drop this letter");
            return;
        }
    }
}

void KeptTables::know(const event::Message &message, const store::UnappliedEvent *unapplied) {
    const std::lock_guard lock(mutex_);
    Place place{message.topic, message.partition, message.position};
    if (unapplied) {
        unapplied_.insert_or_assign(std::move(place), effects_left(unapplied->context));
    } else {
        unapplied_.erase(place);
    }
}

void KeptTables::review(const event::Event &event, HandlerResult &result) const {
    if (names_.empty() || result.changes.empty()) {
        return;
    }
    const std::lock_guard lock(mutex_);
    const auto found = unapplied_.find({event.message->topic, event.message->partition, event.message->position});
    if (found == unapplied_.end()) {
        return;
    }
    for (const store::Change &change : result.changes) {
        const std::string &table = schema_.tables[change.table].name;
        if (contains(names_, table) && !contains(found->second.tables, table)) {
            reject(
                result, "table_was_kept",
                "it changes table " + table +
                    ", whose rows a rebuild leaves as they are, because routes change them too: replay it, which applies it to all tables");
            return;
        }
    }
}

} // namespace weir::engine
