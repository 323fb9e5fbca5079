// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::test {

/// An answer as it came.
struct HttpAnswer {
    int status = 0; ///< 0: none came
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;

    /// The first header of the name, without regard to case; nothing where there is none.
    std::optional<std::string> header(std::string_view name) const;
};

/// A client that sends exactly the bytes it is given, and reads answers. Every wait ends at a deadline.
class RawClient {
public:
    /// @param source the address that it comes from; empty: the system's choice
    explicit RawClient(std::uint16_t port, const std::string &address = "127.0.0.1", const std::string &source = {});
    ~RawClient();
    RawClient(RawClient &&other) noexcept;
    RawClient &operator=(RawClient &&) = delete;
    RawClient(const RawClient &) = delete;

    bool connected() const { return socket_ >= 0; }

    /// False where the other side has closed.
    bool send(std::string_view bytes);
    void finish_sending();

    /// The next answer, with its body by Content-Length or chunks. Status 0 where the connection ends first, or at the deadline.
    /// @param head the request was HEAD
    HttpAnswer answer(bool head = false, std::chrono::milliseconds deadline = std::chrono::seconds(20));

    /// Status line and fields alone; the body, or the stream, is left to `read_until`.
    HttpAnswer header(std::chrono::milliseconds deadline = std::chrono::seconds(20));

    /// Everything that comes until the text is in it, with it; what came by then where the connection ends or the time is over.
    std::string read_until(std::string_view text, std::chrono::milliseconds deadline = std::chrono::seconds(20));

    /// Whether the other side closes within the time; what comes meanwhile is thrown away.
    bool closed_within(std::chrono::milliseconds time);

private:
    bool fill(std::chrono::steady_clock::time_point deadline);

    int socket_ = -1;
    std::string buffer_;
};

/// One request over a connection of its own. Host, Content-Length and Connection: close are added.
HttpAnswer http(std::uint16_t port, const std::string &method, const std::string &target, const std::string &body = {},
                const std::vector<std::pair<std::string, std::string>> &headers = {},
                std::chrono::milliseconds deadline = std::chrono::seconds(20));

} // namespace weir::test
