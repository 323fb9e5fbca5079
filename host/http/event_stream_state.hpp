// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/event_stream.hpp"

#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace weir::http {

/// What one client's stream holds between those who send and the connection.
struct EventStream::State {
    explicit State(const EventStreamOptions &how) : options(how) {}

    bool send(const ServerEvent &event);
    void end();

    struct Taken {
        std::string bytes;
        bool ended = false;
    };
    /// What waits; the connection is told again of what comes after this.
    Taken take();

    /// From now on `call` says that there is something to take; at once where there is already.
    void attach(std::function<void()> call);

    const EventStreamOptions options;
    mutable std::mutex mutex;
    std::string waiting;
    std::function<void()> notify; ///< the connection's; must not block
    bool notified = false;
    bool ended = false;
    std::vector<std::function<void()>> at_end;
};

} // namespace weir::http
