// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/handler_call.hpp"
#include "event/event.hpp"
#include "store/store.hpp"

#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

namespace weir::engine {

/// The effects of an event that are in a domain's rows although it is a dead letter: a rebuild left those rows as they were.
struct EffectsLeft {
    std::vector<std::string> tables;  ///< in these, all that it has
    std::vector<std::string> rows_of; ///< in some rows of these, perhaps
};

/// What the context of a dead letter says of it.
EffectsLeft effects_left(const std::string &letter_context);

/// What a replay's handler stated, without what is in the rows already; refused where that can't be told.
void leave_out(const EffectsLeft &left, const store::Schema &schema, HandlerResult &result);

/**
 * The tables whose rows a rebuild leaves as they are, because routes change them. An event that the domain has not applied has no effect in
 * them, so that it may not be applied in the shadow: it is a dead letter there too, whole as it is, and a replay applies it to all tables.
 * Thread-safe.
 */
class KeptTables {
public:
    /// @param schema outlives this
    KeptTables(const store::Schema &schema, std::vector<std::string> names) : schema_(schema), names_(std::move(names)) {}

    const std::vector<std::string> &names() const { return names_; }

    /// Of a message that is about to be handed out, or is decided. @param unapplied null: its event is applied in the domain
    void know(const event::Message &message, const store::UnappliedEvent *unapplied);
    void forget(const event::Message &message) { know(message, nullptr); }

    /// Looks over what a handler stated, before anything is done with it.
    void review(const event::Event &event, HandlerResult &result) const;

private:
    using Place = std::tuple<std::string, std::uint32_t, event::Position>;

    const store::Schema &schema_;
    const std::vector<std::string> names_;
    mutable std::mutex mutex_;
    std::map<Place, EffectsLeft> unapplied_; // of messages under way
};

} // namespace weir::engine
