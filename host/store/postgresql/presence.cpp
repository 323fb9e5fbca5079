// SPDX-License-Identifier: Apache-2.0
#include "presence.hpp"

namespace weir::store::postgresql {

namespace {

std::int64_t key_of(const Place &place, const std::string &holder) { return place.lock_key("holder/" + holder); }

} // namespace

void Presence::keep_alive(const Place &place, const std::string &holder) {
    const std::lock_guard lock(mutex_);
    if (connection_ && (connection_->is_broken() || connection_->was_closed())) {
        connection_.reset();
    }
    if (!connection_) {
        held_.clear();
        connection_ = std::make_unique<Connection>(pool_.options(), pool_.watch());
    }
    const std::int64_t key = key_of(place, holder);
    if (held_.contains(key)) {
        return;
    }
    // Tried, not waited for: where it can't be had, a standby is just looking, or an older connection of this process shows the same, which
    // a router forgot and the server still keeps. All domains of the process pass here; the next renewal tries again.
    connection_->guard([&] {
        connection_->query("select pg_try_advisory_lock(cast(:a as bigint))", 1, 1).integer(0, key).each([&](Query &row) {
            if (row.take_boolean(0)) {
                held_.insert(key);
            }
        });
    });
}

bool Presence::is_gone(Connection &connection, const Place &place, const std::string &holder) {
    bool gone = false;
    connection.guard([&] {
        connection.query("select pg_try_advisory_xact_lock_shared(cast(:a as bigint))", 1, 1)
            .integer(0, key_of(place, holder))
            .each([&](Query &row) { gone = row.take_boolean(0); });
    });
    return gone;
}

} // namespace weir::store::postgresql
