// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace weir::store {

/// A row that a store refuses.
struct RefusedRow {
    std::uint32_t table = 0;
    Key key;
};

/// DataRefused by a flush whose store can tell which row it seems to be. A guess, which spares a search where it is right. The row is not
/// for logs: keys are payload.
class RowRefused : public DataRefused {
public:
    RowRefused(const std::string &what, RefusedRow row) : DataRefused(what), row_(std::make_shared<const RefusedRow>(std::move(row))) {}
    const RefusedRow &row() const noexcept { return *row_; }

private:
    std::shared_ptr<const RefusedRow> row_; ///< shared, since errors are copied without throwing
};

/// What came of `Session::flush_around`.
struct FlushedAround {
    std::optional<DataRefused> doubtful; ///< why it was refused; nothing: it was taken
    std::optional<DataRefused> last;     ///< why that was refused, of which nothing is left then
    std::optional<RefusedRow> last_row;  ///< which row of it that seems to be
};

} // namespace weir::store
