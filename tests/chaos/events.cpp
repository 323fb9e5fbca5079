// SPDX-License-Identifier: Apache-2.0
#include "events.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace weir::test {

namespace {

using Kind = ChaosEvent::Kind;

constexpr std::int64_t kBegin = 1767225600000000; // 2026-01-01T00:00:00Z
constexpr std::size_t kRecent = 3000;

std::string member(const std::string &name, const std::string &value) { return "\"" + name + "\":\"" + value + "\""; }
std::string or_null(const std::optional<std::string> &value) { return value ? "\"" + *value + "\"" : "null"; }

std::string time_text(std::int64_t microseconds) {
    const std::time_t seconds = microseconds / 1'000'000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[64];
    const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text + size, sizeof text - size, ".%06dZ", static_cast<int>(microseconds % 1'000'000));
    return text;
}

std::string stream_of(const std::string &topic, const std::string &key) {
    return topic + "." + std::to_string(std::hash<std::string>{}(key) % ChaosEvents::kPartitions);
}

std::string envelope(const ChaosEvent &event, const std::string &type, const std::string &payload) {
    const std::string tenant = event.tenant.empty() ? "" : member("tenant_id", event.tenant) + ",";
    return "{" + member("event_id", event.id) + "," + member("event_type", type) + "," + tenant +
           member("occurred_at", time_text(event.occurred_at)) + ",\"schema_version\":1,\"payload\":{" + payload + "}}";
}

std::string type_of(Kind kind) {
    switch (kind) {
    case Kind::updated:
    case Kind::bad_email:
    case Kind::no_tenant:
        return "user.updated.v1";
    case Kind::disabled:
        return "user.disabled.v1";
    case Kind::renamed:
        return "user.renamed.v1";
    case Kind::wrong_version:
        return "user.updated.v7";
    default:
        return "user.created.v1";
    }
}

std::string failing(const ChaosEvent &event) {
    return (event.retries > 0 ? ",\"retries\":" + std::to_string(event.retries) : "") + (event.reject ? ",\"reject\":true" : "");
}

} // namespace

ChaosEvents::ChaosEvents(std::uint64_t seed, std::size_t count) : random_(seed), spell_(std::max<std::size_t>(100, count / 30)) {
    for (int i = 0; i < 3; ++i) {
        tenants_.push_back(uuid());
    }
    users_.resize(std::max<std::size_t>(20, count / 60));
    for (User &user : users_) {
        user = {tenants_[below(tenants_.size())], uuid(), kBegin + static_cast<std::int64_t>(below(1'000'000'000)), false};
    }
}

std::vector<std::string> ChaosEvents::streams() {
    std::vector<std::string> result;
    for (const char *topic : {"identity.user.v1", "chaos.chain.v1", "chaos.count.v1", "chaos.knot.v1"}) {
        for (int i = 0; i < kPartitions; ++i) {
            result.push_back(std::string(topic) + "." + std::to_string(i));
        }
    }
    return result;
}

std::string ChaosEvents::uuid() {
    char text[40];
    const std::uint64_t a = random_();
    const std::uint64_t b = random_();
    std::snprintf(text, sizeof text, "%08x-%04x-4%03x-8%03x-%012llx", static_cast<unsigned>(a >> 32),
                  static_cast<unsigned>(a >> 16 & 0xffff), static_cast<unsigned>(a & 0xfff), static_cast<unsigned>(b >> 48 & 0xfff),
                  static_cast<unsigned long long>(b & 0xffffffffffff));
    return text;
}

ChaosEvents::Next ChaosEvents::next() {
    if (made_ % spell_ == 0) {
        constexpr Kind kMost[] = {Kind::created, Kind::stepped, Kind::counted, Kind::tied, Kind::tied, Kind::tied};
        most_ = kMost[below(std::size(kMost))];
    }
    ++made_;
    const Kind most = favourite_.value_or(most_);
    if (!recent_.empty() && chance(50)) {
        return recent_[below(recent_.size())];
    }
    Kind kind = most;
    if (most == Kind::tied || chance(100)) { // some of all, and few of those with one shard
        const std::uint64_t dice = below(10);
        kind = dice < 3 ? Kind::created : dice < 6 ? Kind::stepped : dice < 8 ? Kind::counted : Kind::tied;
    }
    Next made = kind == Kind::created ? identity() : kind == Kind::counted ? count() : step(kind);
    if (made.event.kind != Kind::cut_off && made.event.kind != Kind::stepped) { // each delivery of one without an id is an event of its own
        recent_.push_back(made);
        if (recent_.size() > kRecent) {
            recent_.pop_front();
        }
    }
    return made;
}

ChaosEvents::Next ChaosEvents::identity() {
    // Every fifth event is about one of a few users.
    User &user = users_[chance(200) ? below(5) : below(users_.size())];
    ChaosEvent event;
    event.id = uuid();
    event.tenant = user.tenant;
    event.user = user.id;
    event.subject = "number-" + std::to_string(made_);
    user.clock += chance(30) ? 0 : static_cast<std::int64_t>(1 + below(2'000'000));
    event.occurred_at = user.clock - (chance(40) ? static_cast<std::int64_t>(1 + below(30'000'000)) : 0);
    const std::string number = std::to_string(made_);
    const std::uint64_t dice = below(1000);
    event.kind = dice < 5                                      ? Kind::cut_off
                 : dice < 10                                   ? Kind::no_tenant
                 : dice < 15                                   ? Kind::bad_email
                 : dice < 20                                   ? Kind::wrong_version
                 : dice < 30                                   ? Kind::renamed
                 : dice < 100                                  ? Kind::disabled
                 : (!user.known && !chance(100)) || dice < 200 ? Kind::created
                                                               : Kind::updated;
    user.known = true;
    if (event.kind == Kind::no_tenant) {
        event.tenant.clear();
    }
    if (event.kind != Kind::disabled) {
        if (chance(600)) {
            event.email = chance(100) ? std::nullopt : std::optional("user" + number + "@example.org");
        }
        if (chance(600)) {
            event.display_name = chance(100) ? std::nullopt : std::optional("User " + number);
        }
        if (event.kind == Kind::updated && chance(250)) {
            event.status = chance(800) ? "active" : "away";
        }
    }
    if (event.kind == Kind::bad_email) {
        event.email = "no address";
    }
    std::string payload = member("user_id", user.id) + "," + member("note", event.subject);
    if (event.email) {
        payload += ",\"email\":" + or_null(*event.email);
    }
    if (event.display_name) {
        payload += ",\"display_name\":" + or_null(*event.display_name);
    }
    if (event.status) {
        payload += ",\"status\":" + or_null(event.status);
    }
    std::string body = envelope(event, type_of(event.kind), payload);
    if (event.kind == Kind::cut_off) {
        body.pop_back();
    }
    return {event, {stream_of("identity.user.v1", user.tenant + user.id), body}};
}

ChaosEvents::Next ChaosEvents::step(Kind kind) {
    const std::string domain = kind == Kind::tied ? "knot" : "chain";
    ChaosEvent event;
    event.kind = kind;
    event.id = uuid();
    event.occurred_at = kBegin + static_cast<std::int64_t>(made_);
    event.subject = domain + " " + std::to_string(chance(100) ? below(3) : below(200));
    event.number = ++steps_[event.subject];
    event.retries = chance(2) ? 9 : chance(4) ? 2 : 0;
    event.reject = chance(5);
    event.clash = chance(5) && event.retries == 0;
    const std::string payload = member("key", event.subject) + ",\"number\":" + std::to_string(event.number) + failing(event) +
                                (event.clash ? ",\"clash\":true" : "");
    return {event, {stream_of("chaos." + domain + ".v1", event.subject), envelope(event, "step.taken.v1", payload)}};
}

ChaosEvents::Next ChaosEvents::count() {
    ChaosEvent event;
    event.kind = Kind::counted;
    event.id = uuid();
    event.occurred_at = kBegin + static_cast<std::int64_t>(made_);
    event.subject = "counter " + std::to_string(below(50));
    event.number = static_cast<std::int64_t>(below(2001)) - 1000;
    event.reject = chance(5);
    const std::string payload = member("subject", event.subject) + ",\"amount\":" + std::to_string(event.number) + failing(event);
    return {event, {stream_of("chaos.count.v1", event.id), envelope(event, "amount.counted.v1", payload)}};
}

} // namespace weir::test
