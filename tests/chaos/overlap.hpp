// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "servers.hpp"

#include <cstddef>
#include <map>
#include <string>

namespace weir::test {

/// Has the server write down of each batch that writes rows of the domains "linting", "chain", "tally" and "knot" when it began and when it
/// wrote. Before the first host: triggers are added to the tables as they are made. Hosts say who they are by the setting chaos.host.
void watch_batches(const PostgresServer &postgres);

/// What was written down of a domain's batches that were committed.
struct Overlap {
    std::size_t batches = 0;
    std::size_t side_by_side = 0; ///< began before the last one of the same host had written: another shard's
};
std::map<std::string, Overlap> overlap_by_domain(const PostgresServer &postgres);

} // namespace weir::test
