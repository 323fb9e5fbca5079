// SPDX-License-Identifier: Apache-2.0
// What one crossing of the plugin ABI costs: host to plugin (a handler that does nothing) and plugin to host (an accessor, a change),
// through the same function tables that a loaded plugin uses. Prints one JSON line; each figure is the median of several rounds.
#include "engine/handler_call.hpp"
#include "event/decoder.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

using namespace weir;

namespace {

constexpr int kRounds = 15;
constexpr int kCalls = 20000;

weir_view view(std::string_view text) { return {text.data(), text.size()}; }

weir_status nothing(void *, const weir_event_v1 *, const weir_call_v1 *) { return WEIR_OK; }

weir_status read_texts(void *, const weir_event_v1 *event, const weir_call_v1 *) {
    weir_view out{};
    std::uint64_t bytes = 0;
    for (int i = 0; i < kCalls; ++i) {
        event->text(event, view("/email"), &out);
        bytes += out.size;
    }
    return bytes == 0 ? WEIR_REJECT : WEIR_OK;
}

weir_status read_kinds(void *, const weir_event_v1 *event, const weir_call_v1 *) {
    std::uint32_t sum = 0;
    for (int i = 0; i < kCalls; ++i) {
        sum += event->kind(event, view(""));
    }
    return sum == 0 ? WEIR_REJECT : WEIR_OK;
}

weir_status state_change(void *, const weir_event_v1 *, const weir_call_v1 *call) {
    weir_cell_v1 cells[2]{};
    cells[0].operation = WEIR_CELL_SET;
    cells[0].text = view("6b0d549b-6f03-475a-9600-a35a099950d8");
    cells[1].column = 1;
    cells[1].operation = WEIR_CELL_ADD;
    cells[1].integer = 1;
    weir_change_v1 change{};
    change.size = sizeof change;
    change.kind = WEIR_CHANGE_UPSERT;
    change.cells = cells;
    change.cell_count = 2;
    change.cell_stride = sizeof(weir_cell_v1);
    for (int i = 0; i < 1000; ++i) {
        call->change(call, &change);
    }
    return WEIR_OK;
}

template <typename Body> double median_ns(int calls, Body body) {
    std::vector<double> rounds;
    for (int i = 0; i < kRounds; ++i) {
        const auto start = std::chrono::steady_clock::now();
        body();
        rounds.push_back(std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / calls);
    }
    std::sort(rounds.begin(), rounds.end());
    return rounds[kRounds / 2];
}

} // namespace

int main() {
    plugin::Description description;
    description.name = "bench";
    store::Table table;
    table.name = "counts";
    table.columns = {{"id", store::Type::uuid, false, 0, 0, store::Default::none, {}},
                     {"count", store::Type::int64, false, 0, 0, store::Default::literal, std::int64_t{0}}};
    table.primary_key = {0};
    description.schema.tables.push_back(table);

    auto message = std::make_shared<event::Message>();
    message->topic = "identity.user.v1";
    message->body =
        R"({"event_id":"93bd04cf-0fd6-40f1-b29d-0da9953f48f1","event_type":"user.created.v1","tenant_id":"6b0d549b-6f03-475a-9600-a35a099950d8",)"
        R"("occurred_at":"2025-11-24T10:00:00.146498Z","schema_version":1,"payload":{"user_id":"90c192cf-d3ac-44af-8f21-ddb66cad4a26",)"
        R"("email":"u1@example.com","display_name":"A name"}})";
    const event::Contracts contracts = event::Contracts::built_in();
    event::Binding binding;
    binding.topic = message->topic;
    binding.envelope_required = true;
    const event::Decoder decoder(binding, contracts);
    const event::Event event = decoder.decode(message);
    if (event.refusal) {
        std::fprintf(stderr, "the benchmark's event is refused: %s\n", event.refusal->message.c_str());
        return 1;
    }
    engine::HandlerCall call(description, "bench");
    const engine::ReadRowFunction no_rows = [](std::uint32_t, const store::Key &) { return std::nullopt; };
    const auto run = [&](weir_handler_v1 handler) { call.run(handler, nullptr, event, 1, no_rows); };

    const double handler_ns = median_ns(kCalls, [&] {
        for (int i = 0; i < kCalls; ++i) {
            run(nothing);
        }
    });
    const double kind_ns = median_ns(kCalls, [&] { run(read_kinds); });
    const double text_ns = median_ns(kCalls, [&] { run(read_texts); });
    const double change_ns = median_ns(1000, [&] { run(state_change); });
    std::printf("{\"handler_call_ns\":%.1f,\"accessor_ns\":%.1f,\"text_accessor_ns\":%.1f,\"change_ns\":%.1f}\n", handler_ns, kind_ns,
                text_ns, change_ns);
    return 0;
}
