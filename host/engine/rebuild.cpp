// SPDX-License-Identifier: Apache-2.0
#include "engine/rebuild.hpp"

#include "engine/rebuild_run.hpp"
#include "log/log.hpp"

namespace weir::engine {

RebuildSurvey Rebuild::survey() const { return survey_rebuild(setup_); }

RebuildState Rebuild::state() const {
    RebuildState state;
    ShadowStore store(*setup_.store);
    state.exists = store.has_domain(setup_.spec.schema);
    if (state.exists) {
        const auto shadow = store.domain(setup_.spec.schema);
        shadow->migrate({}); // a kill may have come before its first tables
        ShadowKeeper keeper(*shadow);
        state.running = !keeper.take(setup_.holder);
        if (const auto made_with = keeper.made_with()) {
            state.made_with = made_with->fingerprint;
        }
        state.decided = keeper.decided();
    }
    return state;
}

bool Rebuild::cancel() const {
    ShadowStore store(*setup_.store);
    if (!store.has_domain(setup_.spec.schema)) {
        return false;
    }
    {
        const auto shadow = store.domain(setup_.spec.schema);
        shadow->migrate({});
        ShadowKeeper keeper(*shadow);
        if (!keeper.take(setup_.holder)) {
            throw RebuildRefused(rebuilt_already(setup_.spec.name));
        }
    }
    setup_.store->remove_shadow(setup_.spec.schema);
    return true;
}

RebuildResult Rebuild::run(const RebuildHooks &hooks, bool from_what_is_kept) const {
    if (!setup_.store->has_domain(setup_.spec.schema)) {
        survey(); // says so
    }
    RebuildRun run(setup_, hooks);
    run.begin(from_what_is_kept);
    RebuildResult result = run.go();
    if (result.outcome == RebuildOutcome::swapped) {
        try {
            run.remove_shadow();
        } catch (const std::exception &failure) {
            log::warn("rebuild.shadow_left", "The rebuild is done, but its shadow could not be removed; 'weir rebuild --cancel' removes it",
                      {{"domain", setup_.spec.name}, {"reason", failure.what()}});
        }
    }
    return result;
}

} // namespace weir::engine
