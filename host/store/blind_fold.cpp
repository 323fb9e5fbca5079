// SPDX-License-Identifier: Apache-2.0
#include "blind_fold.hpp"

#include <algorithm>

namespace weir::store {

void BlindFold::restart() {
    std::fill(operations_.begin(), operations_.end(), CellOperation::keep);
    made_.reset();
}

/// Adds what a cell does to an existing row to what was done to it before.
bool BlindFold::compose(const Cell &cell) {
    CellOperation &operation = operations_[cell.column];
    Integer &operand = operands_[cell.column];
    if (cell.operation == CellOperation::set) {
        operation = CellOperation::set;
        return true;
    }
    if (operation == CellOperation::set) {
        return true; // on top of what was set, this does the same in both stories, and the made row has it
    }
    if (operation == CellOperation::keep) {
        operation = cell.operation;
        operand = integer_of(cell.value);
        return true;
    }
    if (operation != cell.operation) {
        return false;
    }
    if (operation == CellOperation::add) {
        operand = add_cells(table_.columns[cell.column], operand, integer_of(cell.value));
        return operand.has_value();
    }
    operand = extreme_of_cells(operation, operand, integer_of(cell.value));
    return true;
}

bool BlindFold::take(const Change &change, const Origin &origin) {
    const bool makes = change.kind == ChangeKind::upsert || change.kind == ChangeKind::insert;
    if (change.guard || change.kind == ChangeKind::erase || (!makes && !made_)) {
        return false;
    }
    bool stale = false;
    if (apply_change(table_, change, origin, made_, stale)) {
        return false;
    }
    if (change.kind == ChangeKind::insert) {
        return true;
    }
    return std::all_of(change.cells.begin(), change.cells.end(),
                       [this](const Cell &cell) { return cell.operation == CellOperation::keep || compose(cell); });
}

bool BlindFold::agrees() const {
    for (std::size_t i = 0; i < operations_.size(); ++i) {
        const bool has_operand = operations_[i] != CellOperation::keep && operations_[i] != CellOperation::set;
        if (has_operand && integer_of((*made_)[i]) != operands_[i]) {
            return false;
        }
    }
    return true;
}

Row BlindFold::take_row() {
    Row row = std::move(*made_);
    made_.reset();
    return row;
}

} // namespace weir::store
