// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/domain_service.hpp"

namespace weir::engine {

struct DomainService::LateBox {
    std::mutex mutex;
    const plugin::Module *serving = nullptr; // null: the domain is gone
    Wakeup *bell = nullptr;                  // looked at only where `serving` is set
    std::vector<std::pair<WorkPtr, std::shared_ptr<const HandlerResult>>> arrived;
};

} // namespace weir::engine
