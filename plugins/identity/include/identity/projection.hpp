// SPDX-License-Identifier: Apache-2.0
/// @file
/// The identity projection: who the users of a tenant are, kept from the events of identity.user.v1. Plugins that need it include this.
#pragma once

#include <weir/plugin.hpp>

namespace identity {

/// A user, as the newest event told of it.
struct Projection : weir::Table<Projection> {
    Uuid tenant_id{this, "tenant_id"};
    Uuid user_id{this, "user_id"};
    Nullable<Text> email{this, "email"};
    Nullable<Text> display_name{this, "display_name"};
    Text status{this, "status"};
    Timestamp updated_at{this, "updated_at"};

    constexpr Projection() : Table("identity_projection") {}
    constexpr auto primary_key() const { return weir::key(tenant_id, user_id); }
};
inline constexpr Projection projection;

/// How messages of identity.user.v1 are read: in an envelope, in order for each user.
inline weir::Binding binding() {
    return {.topic = "identity.user.v1", .envelope_required = true, .keys = {"/tenant_id", "/payload/user_id"}};
}

/// Declares the rows that the functions below read.
inline void declare_reads(weir::Plugin &plugin) {
    // Guards look at the row as well as handlers that read it: so said, all rows of a batch come in one statement.
    for (const char *type : {"user.created.v1", "user.updated.v1", "user.disabled.v1"}) {
        plugin.reads(type, projection, "/tenant_id", "/payload/user_id");
    }
}

/// user.created.v1 sets the whole row, on a known user as well.
inline void user_created(const weir::Event &event, weir::Call &call) {
    call.upsert(projection, event.tenant_uuid(), event.uuid("/user_id"))
        .set(projection.email, event.optional_text("/email"))
        .set(projection.display_name, event.optional_text("/display_name"))
        .set(projection.status, "active")
        .set(projection.updated_at, event.occurred_at())
        .unless_later(projection.updated_at, event.occurred_at());
}

/// user.updated.v1 sets what it carries. A disabled user takes no personal data until an update says "status": "active".
inline void user_updated(const weir::Event &event, weir::Call &call) {
    const auto tenant_id = event.tenant_uuid();
    const auto user_id = event.uuid("/user_id");
    const auto email = event.carried_text("/email");
    const auto display_name = event.carried_text("/display_name");
    const auto status = event.optional_text("/status");

    const auto row = call.read(projection, tenant_id, user_id);
    if (row && (*row)[projection.status] == "disabled" && status != "active") {
        call.update(projection, tenant_id, user_id)
            .set(projection.updated_at, event.occurred_at())
            .unless_later(projection.updated_at, event.occurred_at());
        return;
    }

    auto change = call.upsert(projection, tenant_id, user_id);
    change.set(projection.updated_at, event.occurred_at()).unless_later(projection.updated_at, event.occurred_at());
    if (email) {
        change.set(projection.email, *email);
    }
    if (display_name) {
        change.set(projection.display_name, *display_name);
    }
    if (status) {
        change.set(projection.status, *status);
    } else {
        change.keep(projection.status, "active"); // only where the user is unknown
    }
}

/// user.disabled.v1 takes the personal data away.
inline void user_disabled(const weir::Event &event, weir::Call &call) {
    call.upsert(projection, event.tenant_uuid(), event.uuid("/user_id"))
        .set(projection.email, std::nullopt)
        .set(projection.display_name, std::nullopt)
        .set(projection.status, "disabled")
        .set(projection.updated_at, event.occurred_at())
        .unless_later(projection.updated_at, event.occurred_at());
}

} // namespace identity
