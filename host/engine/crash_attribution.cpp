// SPDX-License-Identifier: Apache-2.0
#include "engine/crash_attribution.hpp"

#include "engine/crash_marks.hpp"
#include "log/log.hpp"

#include <map>
#include <vector>

namespace weir::engine {

void attribute_crashes(const std::filesystem::path &marks, const DomainSpec &spec, store::Session &session) {
    const CrashMarks::Turn turn(marks, spec.name);
    const std::vector<CrashMarks::Found> found = CrashMarks::find(marks, spec.name);
    if (!found.empty()) {
        std::map<event::Uuid, store::Attempts> known;
        for (const store::Attempts &entry : session.attempts()) {
            known[entry.event_id] = entry;
        }
        std::vector<store::Attempts> changed;
        for (const CrashMarks::Found &mark : found) {
            store::Attempts &entry = known[mark.event_id];
            entry.event_id = mark.event_id;
            ++entry.crashes;
            entry.last_error =
                "host died in " + mark.handler + " of " + mark.plugin + (mark.signal ? ", signal " + std::to_string(mark.signal) : "");
            std::erase_if(changed, [&](const store::Attempts &other) { return other.event_id == entry.event_id; });
            changed.push_back(entry);
            log::error("handler.crashed", "A host died while a handler ran",
                       {{"domain", spec.name},
                        {"plugin", mark.plugin},
                        {"handler", mark.handler},
                        {"event_id", mark.event_id.text()},
                        {"topic", mark.topic},
                        {"position", mark.position},
                        {"signal", mark.signal},
                        {"crashes", entry.crashes},
                        {"crash_limit", spec.options.crash_limit}});
        }
        session.save_attempts(changed);
    }
    CrashMarks::forget(marks, spec.name);
}

} // namespace weir::engine
