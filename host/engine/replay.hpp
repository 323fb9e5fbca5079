// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/domain.hpp"
#include "event/contracts.hpp"
#include "plugin/module.hpp"
#include "store/store.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace weir::engine {

enum class ReplayOutcome : std::uint8_t {
    replayed,    ///< decided under its own id, and marked, in one transaction; `decided` says how
    would_apply, ///< dry run: it would be; `decided` says how
    failed,      ///< it would become a dead letter again; the reason is noted on it
    not_pending, ///< somebody replayed or dropped it meanwhile; nothing was done
};

struct ReplayResult {
    ReplayOutcome outcome = ReplayOutcome::not_pending;
    event::Refusal reason;                            ///< for `failed`
    store::Outcome decided = store::Outcome::applied; ///< applied, stale (a guard turned a change away) or ignored
};

/// Applies dead letters of one domain again, beside a host that may be running. One thread.
class Replayer {
public:
    /// Migrates the schema to the plugin's, as a start would. Throws what the store throws, and std::runtime_error where the plugin
    /// declines.
    Replayer(DomainSpec spec, std::shared_ptr<const plugin::Module> module, store::Store &store, const event::Contracts &contracts,
             const std::filesystem::path &state_directory);
    ~Replayer();

    /// Locks the dead letter, decodes its message as the domain does today, runs its handler, and commits effect and mark together.
    /// Contended transactions are run again. Throws what the store throws; then nothing was changed.
    ReplayResult replay(const store::DeadLetter &letter, bool dry_run);

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace weir::engine
