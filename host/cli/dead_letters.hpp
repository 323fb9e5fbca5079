// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/domain.hpp"
#include "operations/letters.hpp"
#include "store/store.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

/// Which dead letters a command means.
struct LetterChoice {
    std::vector<std::string> ids; ///< of dead letters or of events; then nothing else counts
    bool all = false;
    std::string event_type; ///< empty: any
    std::string error_type;
    std::string topic;
    std::optional<store::DeadLetterStatus> status = store::DeadLetterStatus::pending;
};

using operations::drop_letter;
using operations::status_name;
using operations::status_named;

/// Says so where the domain doesn't read the topic that was named, with the one that was probably meant.
void note_foreign_topic(const std::string &topic, const engine::DomainSpec &domain);

/// The dead letter of that id, or of that event's id; nothing where there is none. Throws Failure for a text that is no id.
std::optional<store::DeadLetter> find_letter(store::Session &session, const std::string &id);

/// Calls `take` for each, in the order of their ids, until it returns false. Reads page by page, so letters may be settled meanwhile.
/// Throws Failure for an id that isn't there.
void each_letter(store::Session &session, const LetterChoice &choice, const std::function<bool(store::DeadLetter)> &take);

} // namespace weir::cli
