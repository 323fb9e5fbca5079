// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/config.hpp"

#include <mutex>
#include <vector>

namespace weir::engine {
class Supervisor;
}

namespace weir::cli {

class HttpService;

/// Takes over a changed configuration, where it is right, but for keys that need a restart of the process; says in the log what came of it.
/// @param running as the host was started
/// @return why it is not in force: then all of the one before is; empty: it is
std::vector<config::Problem> take_over(engine::Supervisor &supervisor, HttpService &http, const config::HostConfig &running,
                                       const config::Loaded &changed);

/// What was wrong with the configuration that was read last: the host goes on with the one before, and would not start with this one. Set
/// by the thread that watches, asked by others. Thread-safe.
class RefusedConfiguration {
public:
    void set(std::vector<config::Problem> problems);
    std::vector<config::Problem> now() const;

private:
    mutable std::mutex mutex_;
    std::vector<config::Problem> problems_;
};

} // namespace weir::cli
