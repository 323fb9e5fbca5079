// SPDX-License-Identifier: Apache-2.0
#include "engine/rebuild_reading.hpp"

#include "engine/horizon.hpp"
#include "event/decoder.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace weir::engine {

namespace {

constexpr std::size_t kPage = 1000;
const std::string kGivenUp = "$given_up"; // no topic is called so

// Calls `use` with the letters that fit.
template <typename Use> void each_letter(store::Session &session, store::DeadLetterFilter filter, Use use) {
    filter.limit = kPage;
    for (std::vector<store::DeadLetter> page = session.dead_letters(filter); !page.empty(); page = session.dead_letters(filter)) {
        filter.after_id = page.back().id;
        std::for_each(page.begin(), page.end(), use);
    }
}

std::optional<store::StoredPosition> entry_given_up(store::Session &session) {
    for (store::StoredPosition &entry : session.positions()) {
        if (entry.topic == kGivenUp) {
            return std::move(entry);
        }
    }
    return std::nullopt;
}

std::uint64_t number_of(const std::optional<store::StoredPosition> &entry) {
    std::uint64_t number = 0;
    if (entry) {
        std::from_chars(entry->incarnation.data(), entry->incarnation.data() + entry->incarnation.size(), number);
    }
    return number;
}

class Look {
public:
    Look(const RebuildSetup &setup, store::Session &session) : setup_(setup), session_(session) {
        store::DeadLetterFilter dropped;
        dropped.status = store::DeadLetterStatus::dropped;
        each_letter(session, dropped, [&](const store::DeadLetter &letter) { dropped_.insert(letter.event_id); });
    }

    void through(const broker::Partition &partition) {
        const event::Decoder decoder(binding_for(setup_.spec, partition.topic), *setup_.contracts);
        const auto newest = setup_.broker->newest(partition, 1);
        if (newest.empty()) {
            return;
        }
        const event::Position end = newest.front().position;
        for (std::optional<event::Position> after; !after || *after < end;) {
            std::vector<event::Event> events;
            for (event::Message &message : setup_.broker->browse(partition, after, kPage)) {
                events.push_back(decoder.decode(std::make_shared<const event::Message>(std::move(message))));
            }
            if (events.empty()) {
                return;
            }
            after = events.back().message->position;
            look_at(events);
        }
    }

    KeptEvents found() {
        std::sort(decided_.begin(), decided_.end());
        const std::size_t messages = decided_.size();
        decided_.erase(std::unique(decided_.begin(), decided_.end()), decided_.end());
        found_.decided = decided_.size();
        found_.duplicates = messages - decided_.size();
        return std::move(found_);
    }

private:
    void look_at(const std::vector<event::Event> &events) {
        std::vector<event::Uuid> ids;
        for (const event::Event &event : events) {
            ids.push_back(event.id);
        }
        std::sort(ids.begin(), ids.end());
        ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
        const std::vector<event::Uuid> known = session_.decided(ids);
        const std::vector<store::PrunedRange> &pruned = session_.pruned();
        for (const event::Event &event : events) {
            const event::Message &message = *event.message;
            const bool decided = std::binary_search(known.begin(), known.end(), event.id) ||
                                 std::any_of(pruned.begin(), pruned.end(), [&](const store::PrunedRange &range) {
                                     return range.topic == message.topic && range.partition == message.partition &&
                                            range.incarnation == message.incarnation && message.position <= range.position &&
                                            message.appended_at <= range.appended_through; // decided and forgotten
                                 });
            if (!decided || dropped_.contains(event.id)) {
                ++(decided ? found_.dropped : found_.undecided);
                continue;
            }
            decided_.push_back(std::hash<event::Uuid>{}(event.id));
            if (!event.refusal) {
                const plugin::HandlerLookup lookup = setup_.module->handler(event.type);
                found_.without_handler[event.type] += !lookup.handler && lookup.other_version.empty() ? 1 : 0;
            }
        }
    }

    const RebuildSetup &setup_;
    store::Session &session_;
    std::set<event::Uuid> dropped_;
    std::vector<std::size_t> decided_; // hashes of ids: among ten million, that two are alike by chance is one in a hundred thousand
    KeptEvents found_;
};

} // namespace

KeptEvents look_through_kept(const RebuildSetup &setup, store::Session &session, const std::vector<broker::Partition> &partitions) {
    Look look(setup, session);
    for (const broker::Partition &partition : partitions) {
        look.through(partition);
    }
    KeptEvents found = look.found();
    std::erase_if(found.without_handler, [](const auto &entry) { return entry.second == 0; });
    return found;
}

std::uint64_t events_given_up(store::Session &session) {
    std::uint64_t number = number_of(entry_given_up(session));
    store::DeadLetterFilter twice;
    twice.error_type = kBeyondHorizon;
    each_letter(session, twice, [&](const store::DeadLetter &) { ++number; });
    return number;
}

// The number stands where an incarnation does, which another one replaces whatever the position.
void save_events_given_up(store::Session &session, std::uint64_t events) {
    const auto entry = entry_given_up(session);
    if (events != number_of(entry)) {
        const store::StoredPosition saved{kGivenUp, 0, std::to_string(events), {1, 0}};
        session.save_positions(std::span(&saved, 1));
    }
}

bool is_of_topic(const store::StoredPosition &entry) { return !entry.topic.starts_with('$'); }

} // namespace weir::engine
