// SPDX-License-Identifier: Apache-2.0
#include "flush_fold.hpp"

#include "blind_fold.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace weir::store {

namespace {

/// The columns in the order in which blind writes state them: the key's first, in its order.
std::vector<std::uint32_t> blind_order(const Table &table) {
    std::vector<std::uint32_t> order = table.primary_key;
    for (std::uint32_t i = 0; i < table.columns.size(); ++i) {
        if (std::find(table.primary_key.begin(), table.primary_key.end(), i) == table.primary_key.end()) {
            order.push_back(i);
        }
    }
    return order;
}

/// Blind writes of one table, one for each combination of operations.
class BlindWrites {
public:
    BlindWrites(const Table &table, std::vector<BlindWrite> &writes) : table_(table), order_(blind_order(table)), writes_(writes) {
        std::vector<std::uint32_t> declared(order_.size());
        std::iota(declared.begin(), declared.end(), 0U);
        is_declared_order_ = order_ == declared;
    }

    void add(const std::vector<CellOperation> &operations, Row row) {
        const auto [found, is_new] = shapes_.try_emplace(operations, writes_.size());
        if (is_new) {
            writes_.push_back(BlindWrite{shape(operations), {}});
        }
        writes_[found->second].rows.push_back(is_declared_order_ ? std::move(row) : reordered(std::move(row)));
    }

private:
    BlindShape shape(const std::vector<CellOperation> &operations) const {
        BlindShape shape;
        shape.kind = ChangeKind::insert;
        shape.columns = order_;
        for (std::size_t i = 0; i < order_.size(); ++i) {
            const bool is_key = i < table_.primary_key.size();
            const CellOperation operation = is_key ? CellOperation::set : operations[order_[i]];
            shape.operations.push_back(operation);
            if (!is_key && operation != CellOperation::keep) {
                shape.kind = ChangeKind::upsert;
            }
        }
        return shape;
    }

    Row reordered(Row row) const {
        Row result;
        result.reserve(row.size());
        for (const std::uint32_t column : order_) {
            result.push_back(std::move(row[column]));
        }
        return result;
    }

    const Table &table_;
    std::vector<std::uint32_t> order_;
    bool is_declared_order_ = false;
    std::map<std::vector<CellOperation>, std::size_t> shapes_;
    std::vector<BlindWrite> &writes_;
};

} // namespace

std::vector<RowSlot *> fold_blind(BatchTable &table, const std::vector<RowSlot *> &slots, std::vector<BlindWrite> &blind) {
    std::vector<RowSlot *> unfolded;
    BlindWrites writes(table.table(), blind);
    BlindFold fold(table.table());
    for (RowSlot *slot : slots) {
        if (slot->known || slot->first_pending == kNone) {
            continue;
        }
        fold.restart();
        bool folds = true;
        for (std::uint32_t i = slot->first_pending; i != kNone && folds; i = table.stated(i).next) {
            folds = fold.take(table.stated(i).change, table.stated(i).origin);
        }
        if (folds && fold.agrees()) {
            writes.add(fold.operations(), fold.take_row());
        } else {
            unfolded.push_back(slot);
        }
    }
    return unfolded;
}

void fold_known(const BatchTable &table, const std::vector<RowSlot *> &slots, TableFlush &flush) {
    std::vector<bool> differs(table.table().columns.size());
    for (RowSlot *slot : slots) {
        if (!slot->known || !slot->touched || slot->fetched == slot->current) {
            continue;
        }
        if (!slot->current) {
            flush.erased.push_back(table.key_of(*slot->fetched));
        } else if (!slot->fetched) {
            flush.created.push_back(std::move(*slot->current));
        } else {
            for (std::size_t i = 0; i < differs.size(); ++i) {
                differs[i] = differs[i] || (*slot->fetched)[i] != (*slot->current)[i];
            }
            flush.changed.push_back(std::move(*slot->current));
        }
    }
    for (std::uint32_t i = 0; i < differs.size(); ++i) {
        if (differs[i]) {
            flush.changed_columns.push_back(i);
        }
    }
}

} // namespace weir::store
