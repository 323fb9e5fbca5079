// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store.hpp"

namespace weir::store {

/// What a domain of a store can tell of a migration before anybody asks for it. The domains of every store here can.
class MigrationPreview {
public:
    virtual ~MigrationPreview() = default;

    /// What `DomainStore::migrate` would do now, without doing it; empty: nothing, so that it would change nothing either. Throws
    /// SchemaWrong where it would, with everything that doesn't fit. The domain's schema has to be there.
    virtual MigrationSteps preview(const Schema &schema) = 0;
};

/// The same of a domain whose store isn't known. Throws std::logic_error where it has no such thing.
inline MigrationSteps preview_migration(DomainStore &domain, const Schema &schema) {
    auto *preview = dynamic_cast<MigrationPreview *>(&domain);
    if (preview == nullptr) {
        throw std::logic_error("this store can't tell what a migration would do");
    }
    return preview->preview(schema);
}

} // namespace weir::store
