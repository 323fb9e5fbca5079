// SPDX-License-Identifier: Apache-2.0
// What a rebuild's feed asks the live domain.
#include "engine/rebuild_feed.hpp"

#include <algorithm>

namespace weir::engine {

// Which are to be handed out, and which of the others only have to wait.
std::vector<bool> RebuildFeed::wanted(const std::vector<std::shared_ptr<const event::Message>> &page, std::vector<bool> &undecided) {
    std::vector<bool> result(page.size(), false);
    undecided.assign(page.size(), false);
    std::vector<std::optional<event::Uuid>> ids(page.size()); // of those about which the ledger is asked
    std::vector<event::Uuid> asked;
    for (std::size_t i = 0; i < page.size(); ++i) {
        const event::Message &message = *page[i];
        const bool through = std::any_of(through_.begin(), through_.end(), [&](const store::StoredPosition &entry) {
            return entry.topic == message.topic && entry.partition == message.partition && entry.incarnation == message.incarnation &&
                   message.position <= entry.position;
        });
        if (through && left_out_.empty()) {
            result[i] = true;
            continue;
        }
        const event::Uuid id = decoders_.at(message.topic)->decode(page[i]).id;
        if (left_out_.contains(id)) {
            continue;
        }
        result[i] = through;
        if (!through) {
            ids[i] = id;
            asked.push_back(id);
        }
    }
    if (asked.empty()) {
        return result;
    }
    std::sort(asked.begin(), asked.end());
    asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
    const Known known = lookup_.known(asked);
    // What is that old and unknown was decided and forgotten: it was applied, or the ledger would not have been pruned there.
    const auto forgotten = [&](const event::Message &message) {
        return std::any_of(known.pruned.begin(), known.pruned.end(), [&](const store::PrunedRange &range) {
            return range.topic == message.topic && range.partition == message.partition && range.incarnation == message.incarnation &&
                   message.position <= range.position && message.appended_at <= range.appended_through;
        });
    };
    for (std::size_t i = 0; i < page.size(); ++i) {
        if (ids[i]) {
            result[i] = std::binary_search(known.decided.begin(), known.decided.end(), *ids[i]) || forgotten(*page[i]);
            undecided[i] = !result[i];
        }
    }
    return result;
}

// Before they are handed out: what an operator changes afterwards only makes events applied, or gives them up.
void RebuildFeed::tell_of(const std::vector<std::shared_ptr<const event::Message>> &messages) {
    if (!kept_ || messages.empty()) {
        return;
    }
    std::vector<event::Uuid> ids;
    for (const auto &message : messages) {
        ids.push_back(decoders_.at(message->topic)->decode(message).id);
    }
    std::vector<event::Uuid> asked = ids;
    std::sort(asked.begin(), asked.end());
    asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
    const std::vector<store::UnappliedEvent> unapplied = lookup_.unapplied(asked);
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const auto found = std::lower_bound(unapplied.begin(), unapplied.end(), ids[i],
                                            [](const store::UnappliedEvent &entry, const event::Uuid &id) { return entry.event_id < id; });
        kept_->know(*messages[i], found != unapplied.end() && found->event_id == ids[i] ? &*found : nullptr);
    }
}

} // namespace weir::engine
