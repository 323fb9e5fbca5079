// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace weir::http {

/// Who a connection is from, and for whom it counts.
struct Peer {
    std::string address; ///< "127.0.0.1", "::1"
    std::uint16_t port = 0;
    std::string share; ///< whose part of the connections it takes (`share_of`); empty: one of the listener's reserve

    bool is_reserve() const { return share.empty(); }
};

} // namespace weir::http
