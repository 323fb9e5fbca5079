// SPDX-License-Identifier: Apache-2.0
#include "engine/settlement.hpp"

#include <algorithm>

namespace weir::engine {

Settlement::Settlement(store::Session &session, const plugin::Description &description, HandlerLanes &lanes)
    : session_(session), description_(description), lanes_(lanes) {}

std::vector<Ran> Settlement::settle(std::span<const WorkPtr> work) {
    work_ = work;
    ran_.assign(work.size(), Ran{});
    stale_.assign(work.size(), false);
    settle_range(0, work.size(), 1);
    return std::move(ran_);
}

// Keys that wait because of what has been settled so far.
std::unordered_set<std::string> Settlement::blocked_before(std::size_t index) const {
    std::unordered_set<std::string> blocked;
    for (std::size_t i = 0; i < index; ++i) {
        const bool waits = ran_[i].state != Ran::State::finished || ran_[i].result.status == WEIR_RETRY;
        if (waits && !work_[i]->order_key.empty()) {
            blocked.insert(work_[i]->order_key);
        }
    }
    return blocked;
}

void Settlement::prefetch(store::BatchRows &rows, std::size_t first, std::size_t last) const {
    for (const plugin::Read &read : description_.reads) {
        const store::Table &table = description_.schema.tables[read.table];
        std::vector<store::Key> keys;
        for (std::size_t i = first; i < last; ++i) {
            const event::Event &event = *work_[i]->event;
            if (event.refusal || event.type != read.event_type || !event.envelope) {
                continue;
            }
            store::Key key;
            for (std::size_t part = 0; part < read.key_pointers.size(); ++part) {
                const auto text = event.envelope->text(read.key_pointers[part]);
                const auto integer = text ? std::nullopt : event.envelope->integer(read.key_pointers[part]);
                store::Value value = text ? store::Value(std::string(*text)) : integer ? store::Value(*integer) : store::Value();
                // A key that isn't one is the handler's to refuse; here it is only not fetched.
                if ((!text && !integer) || store::canonicalise(table.columns[table.primary_key[part]], value)) {
                    break;
                }
                key.push_back(std::move(value));
            }
            if (key.size() == read.key_pointers.size()) {
                keys.push_back(std::move(key));
            }
        }
        if (!keys.empty()) {
            rows.prefetch(read.table, std::move(keys));
        }
    }
}

void Settlement::bury(std::size_t index, std::string type, std::string reason) {
    ran_[index] = Ran{};
    ran_[index].state = Ran::State::finished;
    ran_[index].result.status = WEIR_REJECT;
    ran_[index].result.error = {std::move(type), std::move(reason)};
}

void Settlement::settle_range(std::size_t first, std::size_t last, int depth) {
    while (first < last) {
        const Verdict verdict = try_range(first, last, depth);
        if (verdict.kind == Verdict::Kind::settled) {
            return;
        }
        if (verdict.kind == Verdict::Kind::culprit) {
            settle_range(first, verdict.culprit, depth);
            bury(verdict.culprit, "invalid_change", verdict.reason);
            first = verdict.culprit + 1;
        } else if (last - first == 1) {
            bury(first, "data_refused", verdict.reason);
            return;
        } else {
            const std::size_t middle = first + (last - first) / 2;
            settle_range(first, middle, depth + 1);
            first = middle;
        }
    }
}

// Settles the range in a savepoint of its own, or leaves nothing of it.
Settlement::Verdict Settlement::try_range(std::size_t first, std::size_t last, int depth) {
    session_.savepoint(depth);
    store::BatchRows rows(description_.schema,
                          [this](std::uint32_t table, std::span<const store::Key> keys) { return session_.fetch(table, keys); });
    prefetch(rows, first, last);
    std::unordered_set<std::string> blocked = blocked_before(first);
    std::vector<Ran> ran = lanes_.run(work_.subspan(first, last - first), rows, blocked);
    const std::vector<store::TableFlush> flush = rows.finish();
    Verdict verdict;
    if (rows.failure()) {
        verdict = {Verdict::Kind::culprit, first + rows.failure()->event, rows.failure()->reason};
    } else {
        try {
            session_.flush(flush);
        } catch (const store::DataRefused &refused) {
            verdict = {Verdict::Kind::refused, 0, refused.what()};
        }
    }
    if (verdict.kind != Verdict::Kind::settled) {
        session_.rollback_to(depth);
        session_.release(depth);
        return verdict;
    }
    session_.release(depth);
    std::move(ran.begin(), ran.end(), ran_.begin() + static_cast<std::ptrdiff_t>(first));
    for (const std::size_t index : rows.stale()) {
        stale_[first + index] = true;
    }
    return verdict;
}

} // namespace weir::engine
