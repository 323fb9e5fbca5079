// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "events.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weir::test {

/// Appends messages to Redis streams in their order, each once, though the server dies in between: the only writer asks how many are there.
class StreamPublisher {
public:
    /// @param socket the server's Unix socket
    explicit StreamPublisher(std::filesystem::path socket);
    ~StreamPublisher();
    StreamPublisher(const StreamPublisher &) = delete;
    StreamPublisher &operator=(const StreamPublisher &) = delete;

    /// Publishes them; returns when the server has answered for each. Throws std::runtime_error where it is away for more than five
    /// minutes.
    void publish(const std::vector<ChaosMessage> &messages);

private:
    struct Connection;
    bool append(const std::vector<const ChaosMessage *> &messages);
    bool connect();

    const std::filesystem::path socket_;
    std::unique_ptr<Connection> connection_;
    std::map<std::string, std::size_t> appended_; ///< by stream, all that it ever held
};

} // namespace weir::test
