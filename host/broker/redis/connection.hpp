// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/redis/redis_broker.hpp"
#include "reply.hpp"

#include <chrono>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::broker::redis {

using Clock = std::chrono::steady_clock;

class Channel;

/// Commands in the server's protocol, to be sent in one go.
class Commands {
public:
    Commands &add(std::initializer_list<std::string_view> words);
    /// Begins a command of so many words, which `word` then gives.
    Commands &begin(std::size_t words);
    Commands &word(std::string_view text);

    std::size_t count() const { return count_; }
    const std::string &bytes() const { return bytes_; }
    void clear();

private:
    std::string bytes_;
    std::size_t count_ = 0;
};

/// Ends a wait from another thread, and stays rung until it is heard.
class Bell {
public:
    Bell();
    ~Bell();
    Bell(const Bell &) = delete;
    Bell &operator=(const Bell &) = delete;
    void ring() const noexcept;
    bool heard() const noexcept; ///< whether it was rung since the last time
    /// Waits until it is rung; false at the deadline.
    bool wait_until(Clock::time_point deadline) const;
    int file() const { return file_; }

private:
    int file_;
};

/// One connection to the server, made where it is needed and again after it was lost. Used by one thread at a time. Whatever goes wrong
/// with it is `Unavailable`, or `Misconfigured` where logging in is refused, and closes it.
class Connection {
public:
    /// @param name what CLIENT LIST shows
    Connection(const RedisOptions &options, std::string name);
    ~Connection();
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    /// Connects and logs in where it is not. @return false where `bell` rang first
    bool open(const Bell *bell = nullptr);
    void close() noexcept;
    bool is_open() const { return file_ >= 0; }

    /// Sends, and waits for all the answers, which are valid until the next call. A connection that was lost while nothing was under way is
    /// made anew first.
    std::span<const Reply *const> execute(const Commands &commands);
    /// The same for a single command.
    const Reply &execute(std::initializer_list<std::string_view> words);

    /// Sends without waiting; `receive` gets the answers.
    void send(const Commands &commands);
    bool awaits_answers() const { return answers_.size() < awaited_; }
    /// Waits for the answers to what was sent: until they are there (true), `until` or the bell (false; then it may be called again). No
    /// answer by `overdue` closes the connection.
    bool receive(Clock::time_point until, Clock::time_point overdue, const Bell *bell);
    std::span<const Reply *const> answers() const { return answers_; }

    std::int64_t client_id() const { return client_id_; } ///< as the server numbers it
    int major_version() const { return major_version_; }  ///< of the server
    const RedisOptions &options() const { return options_; }

private:
    void log_in(Clock::time_point deadline);
    void check_server(const Reply &hello);
    bool wait_for(int file, short events, Clock::time_point deadline, const Bell *bell);
    bool transfer(); ///< false where nothing could be sent or received
    [[noreturn]] void fail(const std::string &what);
    [[noreturn]] void lose(const std::string &what);

    const RedisOptions options_;
    const std::string name_;
    int file_ = -1;
    struct Socket;
    std::unique_ptr<Socket> socket_;
    std::unique_ptr<Channel> channel_; ///< on the socket, and gone before it
    std::unique_ptr<ReplyReader> reader_;
    std::string unsent_;
    std::size_t sent_ = 0;
    std::vector<const Reply *> answers_;
    std::size_t awaited_ = 0;
    bool greeted_ = false; ///< something that speaks the protocol has answered
    bool demoted_ = false; ///< a replica by now: the next call connects anew, perhaps to the master
    std::int64_t client_id_ = 0;
    int major_version_ = 0;
};

} // namespace weir::broker::redis
