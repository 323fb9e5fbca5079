// SPDX-License-Identifier: Apache-2.0
#include "engine/crash_attribution.hpp"

#include "engine/crash_marks.hpp"
#include "log/log.hpp"

#include <chrono>
#include <map>
#include <vector>

namespace weir::engine {

namespace {
constexpr auto kPatience = std::chrono::seconds(1);
} // namespace

void CrashAttribution::count(store::Session &session) {
    // A process that stands still, or waits for a stalled store, is not waited for: leases would run out behind it. What it has claimed is
    // its own all the same; two that count an event at once may take two of its crashes for one.
    const CrashMarks::Turn turn(marks_, spec_.name, is_patient_ ? kPatience : std::chrono::seconds(0));
    is_patient_ = turn.is_mine();
    CrashMarks::Left left(marks_, spec_.name);
    if (!left.found().empty()) {
        std::map<event::Uuid, store::Attempts> known;
        for (const store::Attempts &entry : session.attempts()) {
            known[entry.event_id] = entry;
        }
        std::vector<store::Attempts> changed;
        for (const CrashMarks::Found &mark : left.found()) {
            store::Attempts &entry = known[mark.event_id];
            entry.event_id = mark.event_id;
            ++entry.crashes;
            entry.last_error =
                "host died in " + mark.handler + " of " + mark.plugin + (mark.signal ? ", signal " + std::to_string(mark.signal) : "");
            std::erase_if(changed, [&](const store::Attempts &other) { return other.event_id == entry.event_id; });
            changed.push_back(entry);
            log::error("handler.crashed", "A host died while a handler ran",
                       {{"domain", spec_.name},
                        {"plugin", mark.plugin},
                        {"handler", mark.handler},
                        {"event_id", mark.event_id.text()},
                        {"topic", mark.topic},
                        {"position", mark.position},
                        {"signal", mark.signal},
                        {"crashes", entry.crashes},
                        {"crash_limit", spec_.options.crash_limit}});
        }
        session.save_attempts(changed);
    }
    left.forget();
}

} // namespace weir::engine
