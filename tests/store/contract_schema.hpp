// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store.hpp"
#include "store_contract.hpp"

#include <cstdint>
#include <string>

namespace weir::test {

// A schema with every type, a unique and a plain index, and references, for the contract.

namespace all_types {
inline constexpr std::uint32_t kTable = 0;
inline constexpr std::uint32_t kId = 0;     ///< text, the key with kPart
inline constexpr std::uint32_t kPart = 1;   ///< int64
inline constexpr std::uint32_t kCitext = 2; ///< nullable from here on
inline constexpr std::uint32_t kInteger = 3;
inline constexpr std::uint32_t kNumber = 4;
inline constexpr std::uint32_t kDecimal = 5; ///< decimal(18,4)
inline constexpr std::uint32_t kBoolean = 6;
inline constexpr std::uint32_t kUuid = 7;
inline constexpr std::uint32_t kTime = 8;
inline constexpr std::uint32_t kJson = 9;
inline constexpr std::uint32_t kBytes = 10;
inline constexpr std::uint32_t kColumns = 11;
} // namespace all_types

namespace people {
inline constexpr std::uint32_t kTable = 1;
inline constexpr std::uint32_t kName = 0;  ///< text, the key
inline constexpr std::uint32_t kEmail = 1; ///< citext, nullable, unique
inline constexpr std::uint32_t kAge = 2;   ///< int64, indexed
inline constexpr std::uint32_t kBoss = 3;  ///< text, nullable, refers to kName
inline constexpr std::uint32_t kByAge = 1; ///< index
} // namespace people

namespace pets {
inline constexpr std::uint32_t kTable = 2;
inline constexpr std::uint32_t kName = 0;
inline constexpr std::uint32_t kOwner = 1; ///< refers to people
} // namespace pets

store::Schema contract_schema();

/// A domain called "contract", migrated to contract_schema.
std::unique_ptr<store::DomainStore> contract_domain(store::Store &store);

store::Row full_row(const std::string &id);
store::Row person(const std::string &name, const store::Value &email, std::int64_t age, const store::Value &boss = {});

event::Uuid id_of(std::uint64_t number);

/// Runs `work` in a transaction of its own.
template <class Work> void transact(store::Session &session, Work work) {
    session.begin({});
    work();
    session.commit();
}

store::TableFlush created(std::uint32_t table, std::vector<store::Row> rows);

} // namespace weir::test
