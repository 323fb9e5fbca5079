// SPDX-License-Identifier: Apache-2.0
#include "engine/rebuild_shadow.hpp"

namespace weir::engine {

namespace {

// No topic is called so: these share the table of positions with the topics' own.
const std::string kLeaseName = "$rebuild";
const std::string kMadeWith = "$made_with";
const std::string kFloor = "$floor:";

constexpr auto kTimeToLive = std::chrono::milliseconds(10000);

} // namespace

ShadowKeeper::~ShadowKeeper() {
    if (lease_) {
        try {
            session_->release_leases(std::span(&*lease_, 1));
        } catch (const std::exception &) { // it expires
        }
    }
}

bool ShadowKeeper::take(const std::string &holder) {
    lease_ = session_->acquire_lease(kLeaseName, 0, holder, kTimeToLive);
    renew_at_ = std::chrono::steady_clock::now() + kTimeToLive / 3;
    return lease_.has_value();
}

void ShadowKeeper::renew() {
    const auto now = std::chrono::steady_clock::now();
    if (lease_ && now >= renew_at_) {
        session_->renew_leases(std::span(&*lease_, 1), kTimeToLive);
        renew_at_ = now + kTimeToLive / 3;
    }
}

void ShadowKeeper::reopen() { session_ = shadow_.open(); }

std::optional<ShadowKeeper::MadeWith> ShadowKeeper::made_with() {
    for (const store::StoredPosition &entry : session_->positions()) {
        if (entry.topic == kMadeWith) {
            return MadeWith{entry.incarnation, entry.position.high == 1};
        }
    }
    return std::nullopt;
}

void ShadowKeeper::save_made_with(const MadeWith &made_with) {
    const store::StoredPosition entry{kMadeWith, 0, made_with.fingerprint, {made_with.from_what_is_kept ? 1U : 0U, 0}};
    session_->save_positions(std::span(&entry, 1));
}

std::vector<store::StoredPosition> ShadowKeeper::floors() {
    std::vector<store::StoredPosition> result;
    for (store::StoredPosition &entry : session_->positions()) {
        if (entry.topic.starts_with(kFloor)) {
            entry.topic.erase(0, kFloor.size());
            result.push_back(std::move(entry));
        }
    }
    return result;
}

void ShadowKeeper::save_floors(std::vector<store::StoredPosition> floors) {
    for (store::StoredPosition &floor : floors) {
        floor.topic.insert(0, kFloor);
    }
    session_->save_positions(floors);
}

store::LedgerCounts ShadowKeeper::outcomes() { return session_->ledger_counts(); }

std::uint64_t ShadowKeeper::decided() {
    const store::LedgerCounts counts = session_->ledger_counts();
    return counts.applied + counts.ignored + counts.dead;
}

} // namespace weir::engine
