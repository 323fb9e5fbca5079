// SPDX-License-Identifier: Apache-2.0
#include "plugin/module.hpp"

#include <catch2/catch.hpp>

#include <cstring>
#include <string>
#include <vector>

using namespace weir;

namespace {

weir_view view(const char *text) { return {text, std::strlen(text)}; }

/// A descriptor whose parts a test can spoil.
struct Parts {
    weir_view topics[1]{view("identity.user.v1")};
    weir_alias_v1 aliases[1]{{view("UserCreated"), view("user.created.v1")}};
    weir_binding_v1 bindings[1]{};
    weir_domain_v1 domains[2]{};
    weir_column_v1 columns[2]{};
    uint32_t primary_key[1]{0};
    weir_table_v1 tables[1]{};
    weir_view pointers[1]{view("/event_id")};
    weir_read_v1 reads[1]{};
    weir_plugin_descriptor_v1 descriptor{};

    Parts() {
        bindings[0].topic = view("identity.user.v1");
        bindings[0].aliases = aliases;
        bindings[0].alias_count = 1;
        bindings[0].alias_stride = sizeof(weir_alias_v1);
        domains[0].name = view("one");
        domains[0].schema = view("one");
        domains[0].group = view("one_group");
        domains[0].topics = topics;
        domains[0].topic_count = 1;
        domains[0].bindings = bindings;
        domains[0].binding_count = 1;
        domains[0].binding_stride = sizeof(weir_binding_v1);
        domains[1] = domains[0];
        domains[1].name = view("two");
        columns[0].name = view("id");
        columns[0].type = WEIR_TYPE_UUID;
        columns[1].name = view("amount");
        columns[1].type = WEIR_TYPE_DECIMAL;
        columns[1].precision = 10;
        columns[1].scale = 2;
        columns[1].default_kind = WEIR_DEFAULT_LITERAL;
        columns[1].default_text = view("1.50");
        tables[0].name = view("things");
        tables[0].columns = columns;
        tables[0].column_count = 2;
        tables[0].column_stride = sizeof(weir_column_v1);
        tables[0].primary_key = primary_key;
        tables[0].primary_key_count = 1;
        reads[0] = {view("user.created.v1"), 0, 1, pointers};
        descriptor.size = sizeof(descriptor);
        descriptor.name = view("parts");
        descriptor.version = view("1.0.0");
        descriptor.tables = tables;
        descriptor.table_count = 1;
        descriptor.table_stride = sizeof(weir_table_v1);
        descriptor.reads = reads;
        descriptor.read_count = 1;
        descriptor.read_stride = sizeof(weir_read_v1);
        descriptor.domains = domains;
        descriptor.domain_count = 2;
        descriptor.domain_stride = sizeof(weir_domain_v1);
    }

    std::string wrong() const {
        plugin::Description description;
        return plugin::describe(descriptor, description).value_or("");
    }
};

bool mentions(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("a descriptor is copied in full") {
    Parts parts;
    plugin::Description description;
    const auto wrong = plugin::describe(parts.descriptor, description);
    INFO(wrong.value_or(""));
    REQUIRE_FALSE(wrong);
    CHECK(description.domains.at(1).name == "two");
    CHECK(description.domains.at(0).bindings.at(0).aliases.at(0) == std::pair<std::string, std::string>("UserCreated", "user.created.v1"));
    CHECK(description.schema.tables.at(0).columns.at(1).default_value == store::Value(std::int64_t{150}));
    CHECK(description.reads.at(0).key_pointers == std::vector<std::string>{"/event_id"});
}

TEST_CASE("elements of a later minor are read by their stride") {
    struct LaterDomain {
        weir_domain_v1 known;
        std::uint64_t added[3];
    };
    Parts parts;
    LaterDomain later[2] = {{parts.domains[0], {~0ull, ~0ull, ~0ull}}, {parts.domains[1], {~0ull, ~0ull, ~0ull}}};
    parts.descriptor.domains = &later[0].known;
    parts.descriptor.domain_stride = sizeof(LaterDomain);
    plugin::Description description;
    REQUIRE_FALSE(plugin::describe(parts.descriptor, description));
    CHECK(description.domains.at(1).name == "two");
}

TEST_CASE("counters are read where the descriptor is long enough to have them, and checked") {
    Parts parts;
    weir_column_v1 columns[3] = {parts.columns[0], parts.columns[1], parts.columns[1]};
    columns[1].name = view("amount");
    columns[1].type = WEIR_TYPE_INT64;
    columns[1].flags = columns[1].precision = columns[1].scale = 0;
    columns[1].default_kind = WEIR_DEFAULT_NONE;
    columns[2] = columns[1];
    columns[2].name = view("at");
    columns[2].type = WEIR_TYPE_TIMESTAMP;
    parts.tables[0].columns = columns;
    parts.tables[0].column_count = 3;
    weir_counter_v1 counters[2] = {{view("count_one"), 0, 1, 2, 0}, {view("count_other"), 0, 1, WEIR_NO_COLUMN, 0}};
    columns[2].flags = WEIR_COLUMN_NULLABLE;
    parts.descriptor.counters = counters;
    parts.descriptor.counter_count = 2;
    parts.descriptor.counter_stride = sizeof(weir_counter_v1);
    plugin::Description description;
    REQUIRE(plugin::describe(parts.descriptor, description).value_or("") == "");
    REQUIRE(description.schema.counters.size() == 2);
    CHECK(description.schema.counters[0].time_column == 2u);
    CHECK_FALSE(description.schema.counters[1].time_column);

    parts.descriptor.size = offsetof(weir_plugin_descriptor_v1, counters); // as 1.0 made it: what lies behind isn't the plugin's
    REQUIRE_FALSE(plugin::describe(parts.descriptor, description));
    CHECK(description.schema.counters.empty());
    parts.descriptor.size = sizeof(weir_plugin_descriptor_v1);

    const auto wrong = [&](auto change) {
        const weir_counter_v1 before = counters[1];
        change(counters[1]);
        const std::string reason = parts.wrong();
        counters[1] = before;
        return reason;
    };
    CHECK(mentions(wrong([](auto &counter) { counter.table = 1; }), "count_other"));
    CHECK(mentions(wrong([](auto &counter) { counter.count_column = 0; }), "int64"));
    CHECK(mentions(wrong([](auto &counter) { counter.count_column = 9; }), "int64"));
    CHECK(mentions(wrong([](auto &counter) { counter.time_column = 1; }), "timestamp"));
    CHECK(mentions(wrong([](auto &counter) { counter.name = view("count_one"); }), "two"));
    CHECK(mentions(wrong([](auto &counter) { counter.name = view("Count"); }), "counter Count"));
    columns[2].flags = 0; // nobody would fill it in
    CHECK(mentions(parts.wrong(), "neither nullable"));
}

TEST_CASE("what is wrong with a descriptor is said with its place") {
    using Spoil = void (*)(Parts &);
    const std::vector<std::pair<std::string, Spoil>> cases{
        {"name", [](Parts &p) { p.descriptor.name = view("Upper"); }},
        {"name",
         [](Parts &p) {
             p.descriptor.name = {nullptr, 5};
         }},
        {"name", [](Parts &p) { p.descriptor.name.size = ~0ull; }},
        {"version",
         [](Parts &p) {
             p.descriptor.version = {"a\0b", 3};
         }},
        {"tables", [](Parts &p) { p.descriptor.tables = nullptr; }},
        {"tables", [](Parts &p) { p.descriptor.table_count = 0xFFFFFFFF; }},
        {"tables", [](Parts &p) { p.descriptor.table_stride = 4; }},
        {"things", [](Parts &p) { p.columns[0].type = 99; }},
        {"things", [](Parts &p) { p.columns[0].flags = 0x80; }},
        {"things", [](Parts &p) { p.columns[1].default_text = view("much"); }},
        {"things", [](Parts &p) { p.columns[1].default_kind = 9; }},
        {"things", [](Parts &p) { p.columns[1].precision = 19; }},
        {"things", [](Parts &p) { p.primary_key[0] = 2; }},
        {"things", [](Parts &p) { p.tables[0].column_count = 65; }},
        {"event_ledger", [](Parts &p) { p.tables[0].name = view("event_ledger"); }},
        {"reads/0", [](Parts &p) { p.reads[0].table = 1; }},
        {"reads/0", [](Parts &p) { p.reads[0].key_count = 0; }},
        {"reads/0", [](Parts &p) { p.reads[0].event_type = view("user created"); }},
        {"reads/0", [](Parts &p) { p.pointers[0] = view("event_id"); }},
        {"domains/1/name", [](Parts &p) { p.domains[1].name = view("one"); }},
        {"domains/0/schema", [](Parts &p) { p.domains[0].schema = view("a-b"); }},
        {"domains/0/group", [](Parts &p) { p.domains[0].group = view(""); }},
        {"domains/0/order", [](Parts &p) { p.domains[0].order = 7; }},
        {"domains/0/topics", [](Parts &p) { p.topics[0] = view(""); }},
        {"domains/0/bindings/0", [](Parts &p) { p.bindings[0].event_id = view("id"); }},
        {"domains/0/bindings/0", [](Parts &p) { p.aliases[0].event_type = view("created"); }},
        {"domains/0/bindings/0", [](Parts &p) { p.bindings[0].flags = 2; }},
        {"settings", [](Parts &p) { p.descriptor.settings = view("[]"); }},
        {"settings", [](Parts &p) { p.descriptor.settings = view("{"); }},
        {"size", [](Parts &p) { p.descriptor.size = 8; }},
        {"1.7", [](Parts &p) { p.descriptor.abi_minor = 7; }},
    };
    for (std::size_t index = 0; index < cases.size(); ++index) {
        Parts parts;
        cases[index].second(parts);
        const std::string wrong = parts.wrong();
        INFO("case " << index << ": \"" << wrong << "\" should mention " << cases[index].first);
        CHECK(mentions(wrong, cases[index].first));
    }
}
