// SPDX-License-Identifier: Apache-2.0
#include "http/response_cache.hpp"

#include <utility>

namespace weir::http {

namespace {
constexpr std::size_t kEntriesMax = 1024;
constexpr std::size_t kBytesMax = 16u << 20;
} // namespace

ResponseCache::Asked ResponseCache::ask(const std::string &key, Clock::time_point now, Waiter waiter) {
    const std::lock_guard lock(mutex_);
    Entry &entry = entries_[key];
    if (entry.kept.response && now < entry.until) {
        return {entry.kept, false};
    }
    entry.waiters.push_back(std::move(waiter));
    return {std::nullopt, !std::exchange(entry.filling, true)};
}

void ResponseCache::put(const std::string &key, std::shared_ptr<const Response> response, std::chrono::milliseconds max_age) {
    const KeptResponse kept{std::move(response), Clock::now()};
    std::vector<Waiter> waiters;
    {
        const std::lock_guard lock(mutex_);
        Entry &entry = entries_[key];
        waiters = std::move(entry.waiters);
        if (entry.kept.response) {
            bytes_ -= entry.kept.response->body.size() + key.size();
        }
        if (max_age.count() > 0 && kept.response->body.size() <= kBytesMax / 4) {
            entry = Entry{kept, kept.made + max_age, false, {}};
            bytes_ += kept.response->body.size() + key.size();
            make_room();
        } else {
            entries_.erase(key);
        }
    }
    for (const Waiter &waiter : waiters) {
        waiter(kept);
    }
}

// Looks at all entries; rare, as it runs only where answers are made, and frees an eighth at once.
void ResponseCache::make_room() {
    if (bytes_ <= kBytesMax && entries_.size() <= kEntriesMax) {
        return;
    }
    while (bytes_ > kBytesMax - kBytesMax / 8 || entries_.size() > kEntriesMax - kEntriesMax / 8) {
        auto oldest = entries_.end();
        for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
            if (!entry->second.filling && (oldest == entries_.end() || entry->second.until < oldest->second.until)) {
                oldest = entry;
            }
        }
        if (oldest == entries_.end()) {
            return; // what is being filled ends by itself
        }
        bytes_ -= oldest->second.kept.response->body.size() + oldest->first.size();
        entries_.erase(oldest);
    }
}

} // namespace weir::http
