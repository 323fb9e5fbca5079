// SPDX-License-Identifier: Apache-2.0
#include "http/response_cache.hpp"

#include "http/request.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace weir::http {

namespace {

constexpr std::size_t kEntriesMax = 1024;
constexpr std::size_t kBytesMax = 16u << 20;

std::string whole(const ResponseCache::Key &key) { return key.path + '\n' + key.query; } // no path holds a line's end

// Whatever a text holds, it can't be taken for the end of itself.
void append_with_length(std::string &out, std::string_view text) { out.append(std::to_string(text.size())).append(1, ':').append(text); }

std::size_t size_of(const std::string &place, const KeptResponse &kept) {
    return kept.response ? kept.response->body.size() + place.size() : 0;
}

} // namespace

ResponseCache::Key ResponseCache::key_of(const std::string &path, const std::vector<Parameter> &parameters) {
    std::vector<const Parameter *> sorted;
    for (const Parameter &parameter : parameters) {
        sorted.push_back(&parameter);
    }
    std::stable_sort(sorted.begin(), sorted.end(), [](const Parameter *one, const Parameter *other) { return one->name < other->name; });
    Key key{path, {}};
    for (const Parameter *parameter : sorted) {
        append_with_length(key.query, parameter->name);
        append_with_length(key.query, parameter->value);
    }
    return key;
}

ResponseCache::Asked ResponseCache::ask(const Key &key, Clock::time_point now, Clock::time_point filled_by, Waiter waiter) {
    const std::lock_guard lock(mutex_);
    const auto for_any = entries_.find(key.path);
    const std::string place = for_any != entries_.end() ? key.path : whole(key);
    Entry &entry = for_any != entries_.end() ? for_any->second : entries_[place];
    if (entry.kept.response && now < entry.until) {
        entry.asked_again = true;
        return {entry.kept, std::nullopt};
    }
    entry.waiters.push_back({key.query, std::move(waiter)});
    if (entry.filling && now < entry.filled_by) {
        return {std::nullopt, std::nullopt};
    }
    entry.filling = true; // who was to fill it may hang
    entry.filled_by = filled_by;
    return {std::nullopt, place};
}

void ResponseCache::put(const std::string &fill, const Key &key, std::shared_ptr<const Response> response,
                        std::chrono::milliseconds max_age) {
    const bool for_any = response->for_any_query;
    const KeptResponse kept{std::move(response), Clock::now()};
    std::vector<Waiting> waiters;
    {
        const std::lock_guard lock(mutex_);
        if (const auto filled = entries_.find(fill); filled != entries_.end()) {
            waiters = std::exchange(filled->second.waiters, {});
            filled->second.filling = false;
            if (fill != key.path || !for_any) { // else it stays, also without an answer: the next one will be for any query as well
                forget(filled);
            }
        }
        if (max_age.count() > 0 && kept.response->body.size() <= kBytesMax / 4) {
            keep(for_any ? key.path : whole(key), kept, max_age);
            make_room();
        }
    }
    for (const Waiting &waiting : waiters) {
        waiting.call(for_any || waiting.query == key.query ? &kept : nullptr);
    }
}

std::size_t ResponseCache::entries() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

void ResponseCache::keep(const std::string &place, const KeptResponse &kept, std::chrono::milliseconds max_age) {
    Entry &entry = entries_[place];
    bytes_ -= size_of(place, entry.kept);
    entry.kept = kept;
    entry.until = kept.made + max_age;
    bytes_ += size_of(place, kept);
}

void ResponseCache::forget(Entries::iterator entry) {
    bytes_ -= size_of(entry->first, entry->second.kept);
    entries_.erase(entry);
}

// Looks at all entries; rare, as it runs only where answers are made, and frees an eighth at once.
void ResponseCache::make_room() {
    if (bytes_ <= kBytesMax && entries_.size() <= kEntriesMax) {
        return;
    }
    const auto sooner = [](const Entry &one, const Entry &other) {
        return one.asked_again != other.asked_again ? other.asked_again : one.until < other.until;
    };
    while (bytes_ > kBytesMax - kBytesMax / 8 || entries_.size() > kEntriesMax - kEntriesMax / 8) {
        auto first = entries_.end();
        for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
            if (!entry->second.filling && (first == entries_.end() || sooner(entry->second, first->second))) {
                first = entry;
            }
        }
        if (first == entries_.end()) {
            return; // what is being filled ends by itself
        }
        forget(first);
    }
}

} // namespace weir::http
