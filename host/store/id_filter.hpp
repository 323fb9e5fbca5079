// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/uuid.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::store {

/**
 * A Bloom filter over event ids: says of an id that it is certainly not in a set, or that it may be (about one in two hundred of those that
 * aren't). All bits of an id lie in one block of half a cache line, so that a question costs one look at memory. One and a half bytes an
 * id. Reading is thread-safe; adding isn't.
 */
class IdFilter {
public:
    explicit IdFilter(std::size_t expected_ids);

    void add(const event::Uuid &id) noexcept;
    bool may_contain(const event::Uuid &id) const noexcept;

    /// The filter as bytes, the same on every machine, and back. Nothing where they are no filter of this form.
    std::string bytes() const;
    static std::optional<IdFilter> from_bytes(std::string_view bytes);

private:
    IdFilter() = default;
    std::vector<std::uint64_t> words_; // four a block
};

} // namespace weir::store
