// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/module.hpp"

#include <map>
#include <memory>
#include <string>

namespace weir::test {

/// A plugin that lives in the test program: a description and handlers by event type.
class TestModule : public plugin::Module {
public:
    TestModule(plugin::Description description, std::map<std::string, weir_handler_v1, std::less<>> handlers, std::uint32_t generation = 1)
        : description_(std::move(description)), handlers_(std::move(handlers)), generation_(generation) {
        descriptor_.size = sizeof descriptor_;
    }
    const plugin::Description &description() const override { return description_; }
    const weir_plugin_descriptor_v1 &descriptor() const override { return descriptor_; }
    std::uint32_t generation() const override { return generation_; }
    std::string origin() const override { return "the test program"; }
    plugin::HandlerLookup handler(std::string_view event_type) const override {
        plugin::HandlerLookup lookup;
        lookup.symbol = plugin::handler_symbol(description_.name, event_type);
        if (const auto found = handlers_.find(event_type); found != handlers_.end()) {
            lookup.handler = found->second;
        }
        return lookup;
    }

    /// Its instances decline to be made from now on.
    void decline() {
        descriptor_.create = [](const weir_host_v1 *host, const weir_setup_v1 *, void **) -> weir_status {
            host->error(host, {"not today", 9});
            return WEIR_FATAL;
        };
    }

private:
    plugin::Description description_;
    std::map<std::string, weir_handler_v1, std::less<>> handlers_;
    std::uint32_t generation_;
    weir_plugin_descriptor_v1 descriptor_{};
};

/// The table that most engine tests write: items(id text, count int64, trail text, seen timestamp null).
/// Handlers append to `trail`, so that it shows in which order, and how often, events took effect.
inline plugin::Description items_plugin() {
    plugin::Description description;
    description.name = "items";
    description.version = "1.0.0";
    store::Table items;
    items.name = "items";
    items.columns = {{"id", store::Type::text, false, 0, 0, store::Default::none, {}},
                     {"count", store::Type::int64, false, 0, 0, store::Default::literal, std::int64_t{0}},
                     {"trail", store::Type::text, false, 0, 0, store::Default::literal, std::string()},
                     {"seen", store::Type::timestamp, true, 0, 0, store::Default::none, {}}};
    items.primary_key = {0};
    description.schema.tables.push_back(items);
    plugin::DomainDefaults domain;
    domain.name = "items";
    domain.schema = "items";
    domain.group = "items_group";
    domain.topics = {"items.v1"};
    event::Binding binding;
    binding.topic = "items.v1";
    binding.envelope_required = true;
    binding.keys = {"/payload/id"};
    domain.bindings = {binding};
    description.domains = {domain};
    return description;
}

/// States of a test's handlers are global: a handler is a plain C function.
namespace handlers {

inline weir_view view(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view text(weir_view value) { return {value.data, value.size}; }
inline std::string_view item_id(const weir_event_v1 *event) {
    weir_view id{};
    event->text(event, view("/id"), &id);
    return text(id);
}

/// Reads the item, appends /mark to its trail, counts one up.
inline weir_status append(void *, const weir_event_v1 *event, const weir_call_v1 *call) {
    weir_view id{};
    weir_view mark{};
    if (event->text(event, view("/id"), &id) != WEIR_FOUND || event->text(event, view("/mark"), &mark) != WEIR_FOUND) {
        call->error(call, view("missing"), view("/payload/id and /payload/mark are needed"));
        return WEIR_REJECT;
    }
    weir_cell_v1 key{};
    key.text = id;
    const weir_row_v1 *row = nullptr;
    std::string trail;
    if (call->read(call, 0, &key, 1, sizeof key, &row) == WEIR_FOUND) {
        trail = std::string(text(row->cells[2].text));
    }
    trail += text(mark);
    weir_cell_v1 cells[3]{};
    cells[0].operation = WEIR_CELL_SET;
    cells[0].text = id;
    cells[1].column = 1;
    cells[1].operation = WEIR_CELL_ADD;
    cells[1].integer = 1;
    cells[2].column = 2;
    cells[2].operation = WEIR_CELL_SET;
    cells[2].text = view(trail);
    weir_change_v1 change{};
    change.size = sizeof change;
    change.kind = WEIR_CHANGE_UPSERT;
    change.cells = cells;
    change.cell_count = 3;
    change.cell_stride = sizeof(weir_cell_v1);
    call->change(call, &change);
    return WEIR_OK;
}

/// Asks for a retry as often as /times says, then appends.
inline weir_status fail_first(void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
    std::int64_t times = 0;
    event->integer(event, view("/times"), &times);
    if (event->attempt <= times) {
        call->error(call, view("not_yet"), view("this attempt fails on purpose"));
        return WEIR_RETRY;
    }
    return append(instance, event, call);
}

} // namespace handlers

} // namespace weir::test
