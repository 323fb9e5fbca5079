// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a user saved, over HTTP: read and replaced as a whole, under a version that is its entity tag.
#pragma once

#include <identity/projection.hpp>
#include <weir/http.hpp>

namespace identity {

/// The entity tag of a version (RFC 9110, section 8.8.3). Version 0 is the defaults of a user who has saved nothing.
inline std::string tag_of(std::int64_t version) { return "\"" + std::to_string(version) + "\""; }

/// Whether If-Match names the tag, or is "*" where something is there (RFC 9110, section 13.1.1: compared strongly).
inline bool matches(std::string_view if_match, std::int64_t version) {
    while (!if_match.empty()) {
        const std::size_t end = std::min(if_match.find(','), if_match.size());
        std::string_view one = if_match.substr(0, end);
        if_match.remove_prefix(std::min(end + 1, if_match.size()));
        one.remove_prefix(std::min(one.find_first_not_of(" \t"), one.size()));
        one = one.substr(0, one.find_last_not_of(" \t") + 1);
        if (one == tag_of(version) || (one == "*" && version > 0)) {
            return true;
        }
    }
    return false;
}

/// Throws where nothing is known of the user: preferences belong to somebody.
inline void expect_known(weir::Call &call, const weir::Uuid &tenant_id, const weir::Uuid &user_id) {
    if (!call.read(projection, tenant_id, user_id)) {
        throw weir::Problem(404, "unknown_user", "no user with this id is known in this tenant");
    }
}

/// Throws unless a request may replace what is there.
/// @param version of what is stored; 0 where nothing is
inline void expect_current(const weir::Request &request, std::int64_t version) {
    const auto if_match = request.header("If-Match");
    if (!if_match && version > 0) {
        throw weir::Problem(428, "version_required", "If-Match: name the version that this replaces; GET says it in ETag");
    }
    if (if_match && *if_match != "*" && if_match->find('"') == std::string_view::npos) {
        throw weir::Problem(400, "invalid_if_match", "If-Match: an entity tag stands in quotes, as GET says it in ETag: \"2\"");
    }
    const bool wants_none = request.header("If-None-Match") == "*";
    if ((if_match && !matches(*if_match, version)) || (wants_none && version > 0)) {
        throw weir::Problem(412, "version_differs", "If-Match: what is stored is of another version by now; GET it again");
    }
}

} // namespace identity
