// SPDX-License-Identifier: Apache-2.0
#include "batch_table.hpp"

#include <algorithm>

namespace weir::store {

void Evaluation::note_failure(std::size_t event, std::string reason) {
    if (!failure || event < failure->event) {
        failure = ChangeFailure{event, std::move(reason)};
    }
}

void BatchTable::grow() {
    places_.assign(std::max<std::size_t>(64, places_.size() * 2), kNone);
    const std::size_t mask = places_.size() - 1;
    for (std::uint32_t i = 0; i < slots_.size(); ++i) {
        std::size_t at = slots_[i].hash & mask;
        while (places_[at] != kNone) {
            at = (at + 1) & mask;
        }
        places_[at] = i;
    }
}

/// Where the key's slot is noted, or is to be noted.
std::uint32_t *BatchTable::place(std::uint64_t hash, const Key &key) {
    if ((slots_.size() + 1) * 2 > places_.size()) {
        grow();
    }
    const std::size_t mask = places_.size() - 1;
    std::size_t at = hash & mask;
    while (places_[at] != kNone) {
        const RowSlot &slot = slots_[places_[at]];
        if (slot.hash == hash && rules_.equal(*slot.key, key)) {
            break;
        }
        at = (at + 1) & mask;
    }
    return &places_[at];
}

std::uint32_t BatchTable::make_slot(std::uint64_t hash, const Key *key) {
    RowSlot &slot = slots_.emplace_back();
    slot.hash = hash;
    slot.key = key;
    return static_cast<std::uint32_t>(slots_.size() - 1);
}

Key BatchTable::key_of(const Row &row) const {
    Key key;
    key.reserve(table_.primary_key.size());
    for (const std::uint32_t column : table_.primary_key) {
        key.push_back(row[column]);
    }
    return key;
}

template <class Given> std::uint32_t BatchTable::index(Given &&key) {
    const std::uint64_t hash = rules_.hash(key);
    std::uint32_t *at = place(hash, key);
    if (*at == kNone) {
        *at = make_slot(hash, &keys_.emplace_back(std::forward<Given>(key)));
    }
    return *at;
}

template std::uint32_t BatchTable::index(const Key &);
template std::uint32_t BatchTable::index(Key &);
template std::uint32_t BatchTable::index(Key &&);

template <class Given> void BatchTable::add(std::size_t event, const Origin &origin, Given &&change, Evaluation &evaluation) {
    const std::uint64_t hash = rules_.hash(change.key);
    std::uint32_t *at = place(hash, change.key);
    const std::uint32_t number = stated();
    StatedChange &kept = stated_.emplace_back(StatedChange{std::forward<Given>(change), event, origin, *at, kNone});
    if (*at == kNone) {
        *at = kept.slot = make_slot(hash, &kept.change.key);
    }
    again(number, evaluation);
}

template void BatchTable::add(std::size_t, const Origin &, const Change &, Evaluation &);
template void BatchTable::add(std::size_t, const Origin &, Change &&, Evaluation &);

void BatchTable::again(std::uint32_t number, Evaluation &evaluation) {
    StatedChange &change = stated_[number];
    RowSlot &slot = slots_[change.slot];
    if (slot.known) {
        evaluate(slot, change.event, change.origin, change.change, evaluation);
        return;
    }
    change.next = kNone;
    if (slot.last_pending == kNone) {
        slot.first_pending = number;
    } else {
        stated_[slot.last_pending].next = number;
    }
    slot.last_pending = number;
}

void BatchTable::restart() {
    for (RowSlot &slot : slots_) {
        slot.first_pending = slot.last_pending = kNone;
        slot.touched = false;
        slot.current.reset();
    }
}

void BatchTable::evaluate(RowSlot &slot, std::size_t event, const Origin &origin, const Change &change, Evaluation &evaluation) const {
    if (!slot.touched) {
        slot.current = slot.fetched;
        slot.touched = true;
    }
    bool stale = false;
    if (std::optional<std::string> reason = apply_change(table_, change, origin, slot.current, stale)) {
        evaluation.note_failure(event, "table " + table_.name + ": " + *reason);
    }
    if (stale) {
        evaluation.stale.push_back(event);
    }
}

void BatchTable::supply(RowSlot &slot, std::optional<Row> row, Evaluation &evaluation) {
    slot.fetched = std::move(row);
    slot.known = true;
    for (std::uint32_t i = slot.first_pending; i != kNone; i = stated_[i].next) {
        const StatedChange &pending = stated_[i];
        evaluate(slot, pending.event, pending.origin, pending.change, evaluation);
    }
    slot.first_pending = slot.last_pending = kNone;
}

std::vector<RowSlot *> BatchTable::sorted() {
    std::vector<RowSlot *> slots;
    slots.reserve(slots_.size());
    for (RowSlot &slot : slots_) {
        slots.push_back(&slot);
    }
    std::sort(slots.begin(), slots.end(),
              [this](const RowSlot *left, const RowSlot *right) { return rules_.less(*left->key, *right->key); });
    return slots;
}

} // namespace weir::store
