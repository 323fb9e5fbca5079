// SPDX-License-Identifier: Apache-2.0
#include "store.hpp"

namespace weir::store {

std::string_view outcome_name(Outcome outcome) noexcept {
    switch (outcome) {
    case Outcome::stale:
        return "stale";
    case Outcome::ignored:
        return "ignored";
    case Outcome::dead:
        return "dead";
    case Outcome::applied:
        break;
    }
    return "applied";
}

} // namespace weir::store
