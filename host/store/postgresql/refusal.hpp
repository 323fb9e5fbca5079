// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::store::postgresql {

/// DataRefused with what the server said of the row, values included: for whoever wrote it, and for no one else. Its message has none.
class RefusedByServer : public DataRefused {
public:
    struct Said {
        std::string state;                    ///< SQLSTATE
        std::string message;                  ///< its first part
        std::string detail;                   ///< with values of the row
        std::size_t from_last = 0;            ///< which command of the exchange was refused; 0: the last one
        std::vector<std::uint64_t> touched{}; ///< how many rows each command before it did, which has yet to be rolled back
    };
    RefusedByServer(const std::string &what, Said said) : DataRefused(what), said_(std::make_shared<const Said>(std::move(said))) {}
    const Said &said() const noexcept { return *said_; }

private:
    std::shared_ptr<const Said> said_; ///< shared, since errors are copied without throwing
};

} // namespace weir::store::postgresql
