// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/route_service.hpp"
#include "event/uuid.hpp"

#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace weir::engine {

/*
 * What is kept of requests under an Idempotency-Key: which body a key came with, what was answered, and what was to be published. A table
 * of the domain's schema behind the plugin's own, so that it commits with them.
 */

/// The table, as it is declared to the store.
store::Table request_table();

/// Whether the header's value can be a key: 1 to 255 visible ASCII characters.
bool is_idempotency_key(std::string_view key);

/// The id of a request under a key: the same in every repetition, another in another route or domain.
event::Uuid request_id(const DomainSpec &spec, const plugin::Route &route, std::string_view key);
/// What tells one request under a key from another: path, query and body.
event::Uuid request_fingerprint(const RouteRequest &request);

/// A request that is decided: whatever its route would make of it now, it is answered as then.
struct KeptRequest {
    event::Uuid fingerprint;
    RouteAnswer answer;
    /// What the broker has to have before the answer is given; whether it has is not known, and once more is harmless. Topic, key, headers
    /// and envelope alone. Empty: what was changed is committed.
    std::vector<store::OutboxEntry> published;
};

/// 422: another request came with the key.
RouteAnswer key_reused();

/// The requests that are kept of these ids, in their order, locked until the transaction ends. Ids are sorted and unique.
std::vector<std::optional<KeptRequest>> fetch_requests(store::Session &session, std::uint32_t table, std::span<const event::Uuid> ids);

/// A row that keeps a request. See KeptRequest.
store::Row request_row(const event::Uuid &id, const event::Uuid &fingerprint, const RouteAnswer &answer,
                       std::span<const store::OutboxEntry> published, event::Micros now);

/// Forgets requests that came before `until`, many at a time, each time in a transaction of its own, while there are any and `goes_on` says
/// so. @return how many
std::uint64_t forget_requests(store::Session &session, std::uint32_t table, event::Micros until, const std::function<bool()> &goes_on);

} // namespace weir::engine
