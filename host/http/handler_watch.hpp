// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/response.hpp"

namespace weir::http {

struct Route;

/// Whoever owns some routes, and wants to know which of their handlers run past their deadline. Such a handler keeps its thread, which is
/// replaced, until the owner says that it has no allowance for another. Called by any thread.
class HandlerWatch {
public:
    HandlerWatch() = default;
    virtual ~HandlerWatch() = default;
    HandlerWatch(const HandlerWatch &) = delete;
    HandlerWatch &operator=(const HandlerWatch &) = delete;

    /// A handler is past its deadline and still runs; its client has been answered. Told once a run. May be told after `returned` of the
    /// same run, where that comes just then.
    virtual void left_behind(const Route &route) = 0;
    /// One of these has returned.
    virtual void returned(const Route &route) = 0;

    /// Whether no further handler may begin.
    virtual bool full() const = 0;
    /// What requests are answered with then.
    virtual Response refusal() const = 0;

    /// Equal for routes that share an allowance.
    virtual const void *group() const noexcept = 0;
};

} // namespace weir::http
