// SPDX-License-Identifier: Apache-2.0
#include "plugin_text.hpp"

namespace weir::cli {

namespace {

OrderedJson names_of(const store::Table &table, const std::vector<std::uint32_t> &columns) {
    OrderedJson names = OrderedJson::array();
    for (const std::uint32_t column : columns) {
        names.push_back(table.columns[column].name);
    }
    return names;
}

std::string type_text(const store::Column &column) {
    std::string text(store::type_name(column.type));
    if (column.type == store::Type::decimal) {
        text += "(" + std::to_string(column.precision) + "," + std::to_string(column.scale) + ")";
    }
    return text;
}

OrderedJson table_json(const store::Schema &schema, const store::Table &table) {
    OrderedJson columns = OrderedJson::array();
    for (const store::Column &column : table.columns) {
        columns.push_back({{"name", column.name}, {"type", type_text(column)}, {"nullable", column.nullable}});
    }
    OrderedJson indexes = OrderedJson::array();
    for (const store::Index &index : table.indexes) {
        indexes.push_back({{"name", index.name}, {"columns", names_of(table, index.columns)}, {"unique", index.unique}});
    }
    OrderedJson references = OrderedJson::array();
    for (const store::Reference &reference : table.references) {
        const store::Table &target = schema.tables[reference.target_table];
        references.push_back({{"columns", names_of(table, reference.columns)},
                              {"table", target.name},
                              {"target_columns", names_of(target, reference.target_columns)}});
    }
    return {{"name", table.name},
            {"columns", std::move(columns)},
            {"primary_key", names_of(table, table.primary_key)},
            {"indexes", std::move(indexes)},
            {"references", std::move(references)}};
}

std::string joined(const OrderedJson &list) {
    std::string text;
    for (const OrderedJson &item : list) {
        text += (text.empty() ? "" : ", ") + item.get<std::string>();
    }
    return text;
}

} // namespace

OrderedJson module_json(const plugin::Module &module) {
    const plugin::Description &about = module.description();
    OrderedJson domains = OrderedJson::array();
    for (const plugin::DomainDefaults &domain : about.domains) {
        OrderedJson bindings = OrderedJson::array();
        for (const event::Binding &binding : domain.bindings) {
            bindings.push_back({{"topic", binding.topic}, {"envelope_required", binding.envelope_required}, {"keys", binding.keys}});
        }
        domains.push_back({{"name", domain.name},
                           {"schema", domain.schema},
                           {"group", domain.group},
                           {"topics", domain.topics},
                           {"order", domain.parallel ? "parallel" : "ordered"},
                           {"bindings", std::move(bindings)}});
    }
    OrderedJson tables = OrderedJson::array();
    for (const store::Table &table : about.schema.tables) {
        tables.push_back(table_json(about.schema, table));
    }
    OrderedJson routes = OrderedJson::array();
    for (const plugin::Route &route : about.routes) {
        routes.push_back({{"route", plugin::route_name(route)}, {"summary", route.summary}});
    }
    OrderedJson counters = OrderedJson::array();
    for (const store::Counter &counter : about.schema.counters) {
        counters.push_back(counter.name);
    }
    return {{"plugin", about.name},
            {"version", about.version},
            {"summary", about.summary},
            {"file", module.origin()},
            {"domains", std::move(domains)},
            {"handlers", module.handler_symbols()},
            {"tables", std::move(tables)},
            {"routes", std::move(routes)},
            {"counters", std::move(counters)},
            {"settings", about.settings.empty() ? OrderedJson() : OrderedJson::parse(about.settings, nullptr, false)}};
}

std::string module_text(const plugin::Module &module) {
    const OrderedJson about = module_json(module);
    const auto text = [&](const char *name) { return printable(about[name].get<std::string>()); };
    std::string out = text("plugin") + " " + text("version") + ": " + text("summary") + "\n" + text("file") + "\n";
    for (const OrderedJson &domain : about["domains"]) {
        out += "\ndomain " + domain["name"].get<std::string>() + ": schema " + domain["schema"].get<std::string>() + ", group " +
               domain["group"].get<std::string>() + ", " + domain["order"].get<std::string>() + "\n  topics: " + joined(domain["topics"]) +
               "\n";
        for (const OrderedJson &binding : domain["bindings"]) {
            out += "  " + binding["topic"].get<std::string>() +
                   (binding["envelope_required"].get<bool>() ? ": in an envelope" : ": bare or in an envelope") +
                   (binding["keys"].empty() ? "" : ", ordered by " + joined(binding["keys"])) + "\n";
        }
    }
    for (const OrderedJson &table : about["tables"]) {
        out += "\ntable " + table["name"].get<std::string>() + " (primary key: " + joined(table["primary_key"]) + ")\n";
        for (const OrderedJson &column : table["columns"]) {
            out += "  " + column["name"].get<std::string>() + " " + column["type"].get<std::string>() +
                   (column["nullable"].get<bool>() ? "" : " not null") + "\n";
        }
    }
    out += about["routes"].empty() ? "" : "\nroutes\n";
    for (const OrderedJson &route : about["routes"]) {
        const std::string summary = route["summary"].get<std::string>();
        out += "  " + route["route"].get<std::string>() + (summary.empty() ? "" : ": " + printable(summary)) + "\n";
    }
    out += "\nhandlers: " + joined(about["handlers"]) + "\n";
    if (!about["settings"].is_null()) {
        out += "settings: " + about["settings"].dump() + "\n";
    }
    return out;
}

OrderedJson refusal_json(const plugin::PluginRefusal &refusal) {
    return {
        {"ok", false}, {"file", refusal.file.string()}, {"code", refusal.code}, {"message", refusal.message}, {"remedy", refusal.remedy}};
}

} // namespace weir::cli
