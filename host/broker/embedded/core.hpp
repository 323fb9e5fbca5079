// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"
#include "doorbell.hpp"

#include <memory>

namespace weir::broker::embedded {

/// What a broker and its consumers share.
struct Core {
    explicit Core(const EmbeddedOptions &given) : options(given), doorbell(given.file) {}
    EmbeddedOptions options;
    WriteLock write_lock;
    Doorbell doorbell;
};

std::unique_ptr<Consumer> make_consumer(std::shared_ptr<Core> core, const Subscription &subscription);

} // namespace weir::broker::embedded
