// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::broker {

/// MurmurHash2, 32 bits, with the seed that Kafka's Java client uses, so that a key keeps its partition when a topic moves
/// between brokers (librdkafka: `partitioner=murmur2`).
std::uint32_t murmur2(std::string_view bytes) noexcept;

/// The partition of a key, the same for ever: `(murmur2(key) & 0x7fffffff) % partitions`. `partitions` is at least 1.
std::uint32_t partition_of(std::string_view key, std::uint32_t partitions) noexcept;

} // namespace weir::broker
