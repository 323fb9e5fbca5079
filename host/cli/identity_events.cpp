// SPDX-License-Identifier: Apache-2.0
#include "identity_events.hpp"

#include "event/time.hpp"
#include "event/uuid.hpp"

#include <algorithm>

namespace weir::cli {

namespace {

constexpr std::int64_t kBegin = 1767225600000000; // 2026-01-01T00:00:00Z: a fixed day, so that a seed says everything
constexpr std::int64_t kStep = 250000;            // a quarter of a second on the average
constexpr std::size_t kRecent = 200;

std::string member(const std::string &name, const std::string &value) { return "\"" + name + "\":\"" + value + "\""; }

} // namespace

IdentityEvents::IdentityEvents(const IdentityOptions &options) : options_(options), random_(options.seed), clock_(kBegin) {
    constexpr std::uint64_t kMostUsers = 10'000'000; // some 150 bytes each
    if (options_.users == 0) {
        options_.users = options_.count / 10;
    }
    options_.users = std::clamp<std::uint64_t>(options_.users, 1, kMostUsers);
    options_.tenants = std::clamp<std::uint64_t>(options_.tenants, 1, options_.users);
    for (std::uint64_t at = 0; at < options_.tenants; ++at) {
        tenants_.push_back(uuid());
    }
    users_.resize(options_.users);
}

std::string IdentityEvents::next() {
    ++made_;
    if (chance(options_.broken_percent)) {
        return broken();
    }
    if (!recent_.empty() && chance(options_.duplicates_percent)) {
        return recent_[below(recent_.size())];
    }
    recent_.push_back(fresh());
    if (recent_.size() > kRecent) {
        recent_.pop_front();
    }
    return recent_.back();
}

// std::uniform_int_distribution differs between standard libraries; the small bias of a remainder does no harm here.
std::uint64_t IdentityEvents::below(std::uint64_t limit) { return random_() % limit; }

bool IdentityEvents::chance(unsigned percent) { return percent > 0 && below(100) < percent; }

std::string IdentityEvents::uuid() {
    event::Uuid id;
    for (std::size_t half = 0; half < 2; ++half) {
        const std::uint64_t bits = random_();
        for (std::size_t at = 0; at < 8; ++at) {
            id.bytes[half * 8 + at] = static_cast<std::uint8_t>(bits >> (8 * at));
        }
    }
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0F) | 0x40); // version 4, of the usual variant
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3F) | 0x80);
    return id.text();
}

std::string IdentityEvents::envelope(const User &user, const std::string &type, const std::string &payload) {
    clock_ += static_cast<std::int64_t>(below(2 * kStep));
    const std::int64_t late = chance(options_.late_percent) ? static_cast<std::int64_t>(below(3'600'000'000)) : 0;
    return "{" + member("event_id", uuid()) + "," + member("event_type", type) + "," + member("tenant_id", user.tenant_id) + "," +
           member("correlation_id", uuid()) + "," + member("occurred_at", event::format_time(clock_ - late)) +
           ",\"schema_version\":1,\"payload\":{" + member("user_id", user.user_id) + payload + "}}";
}

std::string IdentityEvents::fresh() {
    User &user = users_[below(users_.size())];
    if (user.user_id.empty()) {
        user.number = static_cast<std::uint64_t>(&user - users_.data()) + 1;
        user.user_id = uuid();
        user.tenant_id = tenants_[below(tenants_.size())];
    }
    const std::string number = std::to_string(user.number);
    const std::string email = "," + member("email", "user" + number + "@example.org");
    const std::string name = "," + member("display_name", "User " + number);
    if (chance(options_.unknown_percent)) {
        return envelope(user, "user.renamed.v1", name);
    }
    if (!user.created) {
        user.created = true;
        return envelope(user, "user.created.v1", email + name);
    }
    if (!user.disabled && chance(8)) {
        user.disabled = true;
        return envelope(user, "user.disabled.v1", "");
    }
    if (user.disabled && chance(30)) {
        user.disabled = false;
        return envelope(user, "user.updated.v1", email + name + "," + member("status", "active"));
    }
    const std::string change = std::to_string(made_);
    switch (below(3)) {
    case 0:
        return envelope(user, "user.updated.v1", "," + member("email", "user" + number + "." + change + "@example.org"));
    case 1:
        return envelope(user, "user.updated.v1", "," + member("display_name", "User " + number + " (" + change + ")"));
    default:
        return envelope(user, "user.updated.v1", email + name);
    }
}

std::string IdentityEvents::broken() {
    const std::string whole = fresh();
    const auto without = [&](const std::string &from, const std::string &to, const std::string &instead) {
        const auto begin = whole.find(from);
        const auto end = whole.find(to, begin);
        return whole.substr(0, begin) + instead + whole.substr(end);
    };
    switch (below(8)) {
    case 0:
        return whole.substr(0, 1 + below(whole.size() - 1)); // cut off
    case 1:
        return without("\"event_id\"", "\"event_type\"", "");
    case 2:
        return without("\"tenant_id\"", "\"correlation_id\"", "\"tenant_id\":\"not-a-uuid\",");
    case 3:
        return without("\"occurred_at\"", "\"schema_version\"", "\"occurred_at\":\"yesterday\",");
    case 4:
        return without("\"payload\"", "}", "\"payload\":null");
    case 5:
        return whole.substr(0, whole.find("\"user_id\"")) + "\"user_id\":17}}";
    case 6:
        return whole.substr(0, whole.size() - 2) + ",\"note\":\"\xC3\x28\"}}"; // not UTF-8
    default:
        return "\"just a text\"";
    }
}

} // namespace weir::cli
