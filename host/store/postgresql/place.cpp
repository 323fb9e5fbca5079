// SPDX-License-Identifier: Apache-2.0
#include "place.hpp"

#include "event/uuid.hpp"

namespace weir::store::postgresql {

namespace {

constexpr std::size_t kNameMax = 63; // PostgreSQL cuts longer ones off

} // namespace

std::string Place::role() const {
    if (!pool->options().roles) {
        return {};
    }
    std::string role = "weir_" + schema;
    if (role.size() > kNameMax) {
        role = role.substr(0, kNameMax - 9) + "_" + event::Uuid::v5(event::weir_namespace(), schema).text().substr(0, 8);
    }
    return role;
}

std::int64_t Place::lock_key(const std::string &purpose) const {
    const event::Uuid id = event::Uuid::v5(event::weir_namespace(), "postgresql/" + schema + "/" + purpose);
    std::uint64_t key = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        key = (key << 8) | id.bytes[i];
    }
    return static_cast<std::int64_t>(key);
}

} // namespace weir::store::postgresql
