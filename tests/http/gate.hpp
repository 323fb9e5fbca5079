// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "serving.hpp"

#include <future>
#include <string>
#include <utility>

namespace weir::http::test {

/// Routes whose handlers wait until the gate opens. To be made before the server, so that it closes nobody in.
class Gate {
public:
    ~Gate() { open(); }
    void open() {
        if (!opened_) {
            opened_ = true;
            promise_.set_value();
        }
    }
    Route route(const std::string &pattern, RouteOptions how = {}) {
        return test::route(
            Method::get, pattern,
            [gone = future_](const Request &) {
                gone.wait();
                return Response::json(200, "\"late\"");
            },
            std::move(how));
    }

private:
    std::promise<void> promise_;
    std::shared_future<void> future_ = promise_.get_future().share();
    bool opened_ = false;
};

} // namespace weir::http::test
