// SPDX-License-Identifier: Apache-2.0
#include "postgresql_store.hpp"

namespace weir::store::postgresql {

std::unique_ptr<Store> open_postgresql_store(const PostgresqlOptions &options) {
    throw Unavailable("the store " + options.name + " can't be opened by this build");
}

PoolCounts pool_counts(const Store &) { return {}; }

} // namespace weir::store::postgresql
