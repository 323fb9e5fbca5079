// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/server.hpp"

#include <memory>
#include <mutex>
#include <utility>

namespace weir::http {

/// What is in force for a request: taken when its header was read, and kept until it is answered.
struct InForce {
    std::shared_ptr<const Routes> routes; ///< null before the first table
    std::shared_ptr<const ListenerOptions> options;
    std::shared_ptr<const Limits> limits;
};

/// One address with its table. Thread-safe.
class Listener {
public:
    Listener(ListenerOptions options, const Limits &limits)
        : now_{nullptr, std::make_shared<const ListenerOptions>(std::move(options)), std::make_shared<const Limits>(limits)} {}

    InForce now() const {
        const std::lock_guard lock(mutex_);
        return now_;
    }
    void set_routes(std::shared_ptr<const Routes> routes) {
        const std::lock_guard lock(mutex_);
        now_.routes.swap(routes); // the old one goes when the lock has been left
    }
    void reconfigure(std::shared_ptr<const ListenerOptions> options, std::shared_ptr<const Limits> limits) {
        const std::lock_guard lock(mutex_);
        now_.options = std::move(options);
        now_.limits = std::move(limits);
    }

private:
    mutable std::mutex mutex_;
    InForce now_;
};

} // namespace weir::http
