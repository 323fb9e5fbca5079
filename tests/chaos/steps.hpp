// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "events.hpp"

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

// Events of the domains chain and tally as small tests want them.
namespace weir::test {

inline std::string id_of(const std::string &kind, int number) {
    char text[40];
    std::snprintf(text, sizeof text, "%08zx-0000-4000-8000-%012x", std::hash<std::string>{}(kind)&0xffffffff,
                  static_cast<unsigned>(number));
    return text;
}

/// @param more further members of the payload, each with a comma before it @param type of the domain chain, or "amount.counted.v1"
inline std::string event_text(const std::string &id, const std::string &key, int number, const std::string &more = "",
                              const std::string &type = "step.taken.v1") {
    return R"({"event_id":")" + id + R"(","event_type":")" + type + R"(","occurred_at":"2026-01-01T00:00:00Z","payload":{"key":")" + key +
           R"(","subject":")" + key + R"(","number":)" + std::to_string(number) + R"(,"amount":)" + std::to_string(number) + more + "}}";
}

inline ChaosMessage on_chain(const std::string &body, int partition = 0) { return {"chaos.chain.v1." + std::to_string(partition), body}; }
inline ChaosMessage on_tally(const std::string &body) { return {"chaos.count.v1.0", body}; }

/// Steps of twenty keys in turn.
inline std::vector<ChaosMessage> steps(const std::string &kind, int count, int partition = 0) {
    std::vector<ChaosMessage> result;
    for (int i = 0; i < count; ++i) {
        result.push_back(on_chain(event_text(id_of(kind, i), "key " + std::to_string(i % 20), i), partition));
    }
    return result;
}

inline std::vector<ChaosMessage> counts(const std::string &kind, int count) {
    std::vector<ChaosMessage> result;
    for (int i = 0; i < count; ++i) {
        result.push_back(on_tally(event_text(id_of(kind, i), "counter", 1, "", "amount.counted.v1")));
    }
    return result;
}

/// In turn: no JSON, refused by the handler, unknown to the plugin in this version, refused by the store; and, where the domain is
/// entangled, refused by its unique index (somebody has the badge "gold").
inline constexpr int kPoisonKinds = 4;
inline constexpr int kTakenBadge = 4;
inline ChaosMessage poison_step(int number, const std::string &kind, int of_kind = -1) {
    const int which = of_kind >= 0 ? of_kind : number % kPoisonKinds;
    const std::string more = which == 1             ? R"(,"reject":true)"
                             : which == 3           ? R"(,"clash":true)"
                             : which == kTakenBadge ? R"(,"badge":"gold")"
                                                    : "";
    std::string body =
        event_text(id_of(kind, number), kind + std::to_string(number), number, more, which == 2 ? "step.taken.v8" : "step.taken.v1");
    if (which == 0) {
        body.pop_back();
    }
    return on_chain(body);
}

} // namespace weir::test
