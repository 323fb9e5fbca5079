// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pthread.h>
#include <string>

namespace weir::engine {

/// Names the calling thread for `top -H`, debuggers and profiles; the system keeps 15 characters.
inline void name_thread(const std::string &role, const std::string &domain) {
    pthread_setname_np(pthread_self(), (role + "-" + domain).substr(0, 15).c_str());
}

} // namespace weir::engine
