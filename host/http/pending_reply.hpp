// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/route.hpp"

#include <atomic>
#include <functional>
#include <utility>

namespace weir::http {

struct Reply::Pending {
    explicit Pending(std::function<void(Response)> to) : sink(std::move(to)) {}
    ~Pending(); ///< answers with a 500 where nobody has
    Pending(const Pending &) = delete;
    Pending &operator=(const Pending &) = delete;

    std::function<void(Response)> sink; ///< any thread; called once; does not throw
    std::atomic<bool> answered{false};
};

} // namespace weir::http
