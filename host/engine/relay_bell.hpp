// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/outbox_relay.hpp"

#include <mutex>

namespace weir::engine {

/// Rings a relay for those who may outlive it. Thread-safe.
class RelayBell {
public:
    /// @param relay null: there is none any more
    void hang(OutboxRelay *relay) {
        const std::lock_guard lock(mutex_);
        relay_ = relay;
    }
    void ring() {
        const std::lock_guard lock(mutex_);
        if (relay_) {
            relay_->ring();
        }
    }

private:
    std::mutex mutex_;
    OutboxRelay *relay_ = nullptr;
};

} // namespace weir::engine
