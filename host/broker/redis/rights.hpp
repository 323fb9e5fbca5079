// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"

#include "health/finding.hpp"

#include <string>
#include <vector>

namespace weir::broker::redis {

/**
 * Whether the connection's user may run what Weir runs, on the streams of these topics. Asks with commands that have a wrong argument: the
 * server refuses who may not before it looks at arguments, so nothing is done either way, and the user needs no right to ask for rights
 * (ACL is an administrator's command, and ACL DRYRUN is not in 6.2). Closes the connection.
 */
std::vector<health::Finding> examine_rights(Connection &connection, const std::vector<std::string> &topics);

} // namespace weir::broker::redis
