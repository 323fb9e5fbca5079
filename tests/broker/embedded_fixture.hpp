// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/embedded/embedded_broker.hpp"
#include "support.hpp"

namespace weir::test {

inline broker::EmbeddedOptions embedded_options(const TemporaryDirectory &directory) {
    broker::EmbeddedOptions options;
    options.file = directory / "broker.db";
    return options;
}

} // namespace weir::test
