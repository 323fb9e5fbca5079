// SPDX-License-Identifier: Apache-2.0
#include "store/store.hpp"

namespace weir::store {

namespace {
constexpr std::string_view kSuffix = "__rebuild";
constexpr std::size_t kNameMax = 63; // of PostgreSQL
constexpr std::size_t kHashDigits = 8;
} // namespace

std::string shadow_schema_name(const std::string &schema_name) {
    if (schema_name.size() + kSuffix.size() <= kNameMax) {
        return schema_name + std::string(kSuffix);
    }
    const std::string hash = event::Uuid::v5(event::weir_namespace(), schema_name).text().substr(0, kHashDigits);
    return schema_name.substr(0, kNameMax - kSuffix.size() - kHashDigits - 1) + "_" + hash + std::string(kSuffix);
}

bool is_shadow_schema(const std::string &schema_name) { return schema_name.ends_with(kSuffix); }

std::unique_ptr<Replacement> Store::replace_by_shadow(const std::string &, const Schema &) {
    throw SchemaWrong("this store can't make a domain anew (store.url)");
}

void Store::remove_shadow(const std::string &) { throw SchemaWrong("this store can't make a domain anew (store.url)"); }

} // namespace weir::store
