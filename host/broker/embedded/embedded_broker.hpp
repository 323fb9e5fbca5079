// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::broker {

/// The largest message: key, headers and body together.
inline constexpr std::size_t kMaxMessageBytes = 16u << 20;

/// A topic's partitions and what it keeps. Limits are per partition; 0: none. Messages that some group has not acknowledged are never
/// removed: `max_age` and `max_messages` clear away what all groups are done with, and where `max_bytes` can't be kept that way, publishing
/// is refused (`Unavailable`, naming the setting and the slowest group) until the group has caught up.
struct TopicOptions {
    std::uint32_t partitions = 1; ///< 1..1024, fixed when the topic is made
    std::chrono::milliseconds max_age{0};
    std::uint64_t max_messages = 0;
    std::uint64_t max_bytes = 0; ///< of keys, headers and bodies
};

/// How long a publish waits for the disk. Acknowledgements never do: losing one to a power cut is a redelivery.
enum class Synchronous : std::uint8_t {
    full,  ///< each publish is on the disk before it returns
    normal ///< survives any kill of any process; a power cut may take the last moments
};

struct EmbeddedOptions {
    std::filesystem::path file; ///< made with its directories (mode 0700; the file 0600) where missing
    Synchronous synchronous = Synchronous::full;
    std::chrono::milliseconds busy_timeout{10000}; ///< how long to wait for another process's transaction
    TopicOptions new_topics;                       ///< for topics that `publish` makes
};

/// Reads `embedded://FILE[?synchronous=full|normal&busy_timeout_ms=N&partitions=N&max_age_s=N&max_messages=N&max_bytes=N]`. FILE may hold
/// %XX escapes. @return what is wrong, naming the key; `out` is then unchanged
std::optional<std::string> parse_embedded_url(std::string_view url, EmbeddedOptions &out);

/// The embedded broker: a log in one SQLite file that many processes may use at once. Thread-safe.
class EmbeddedBroker : public Broker {
public:
    /// Makes a topic, or changes the limits of one that is there. Another number of partitions is refused (`Misconfigured`).
    virtual void configure_topic(const std::string &topic, const TopicOptions &options) = 0;

    /// Removes a topic with its messages and groups' positions. One made later under the name has another incarnation. False: there was
    /// none.
    virtual bool drop_topic(const std::string &topic) = 0;

    /// Forgets a group on a topic. False: there was none.
    virtual bool drop_group(const std::string &topic, const std::string &group) = 0;

    /// Applies the limits of all topics, in short transactions. `publish` does as much as it adds; this is for quiet topics.
    /// @return messages removed
    virtual std::uint64_t trim() = 0;
    void maintain() override { trim(); }
};

/// Opens or makes the file. Throws `Unavailable` where it can't be reached or written, `Misconfigured` where it isn't Weir's or is damaged.
/// A consumer may outlive its broker. Neither is to be used across `fork`.
std::unique_ptr<EmbeddedBroker> open_embedded_broker(const EmbeddedOptions &options);

} // namespace weir::broker
