// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/schema.hpp"

#include <compare>
#include <cstdint>
#include <vector>

namespace weir::store {

/// How keys of one table are compared, hashed and ordered: citext without ASCII case, everything else by its value. The order is that of
/// comparable keys, the same in every process, so that locks are taken in one order everywhere. Immutable.
class KeyRules {
public:
    explicit KeyRules(const Table &table);

    std::uint64_t hash(const Key &key) const noexcept;
    bool equal(const Key &left, const Key &right) const noexcept;
    bool less(const Key &left, const Key &right) const noexcept;
    Key comparable(Key key) const;

private:
    std::vector<bool> folded_; ///< of each key column: whether it is citext
};

} // namespace weir::store
