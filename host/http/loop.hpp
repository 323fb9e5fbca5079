// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/listener.hpp"
#include "http/peer.hpp"
#include "http/shared.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace weir::http {

class Connection;

/// One thread that reads and writes connections, and looks at their deadlines. Connections belong to their loop's thread; only `post` is
/// for others.
class Loop : public std::enable_shared_from_this<Loop> {
public:
    using Clock = std::chrono::steady_clock;

    explicit Loop(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
    ~Loop();

    void start();
    /// Closes every connection and ends the thread.
    void stop();

    /// Runs the call on the loop's thread; drops it where the loop has ended. Any thread.
    void post(std::function<void()> call);

    boost::asio::io_context &io() { return io_; }
    Shared &shared() { return *shared_; }
    const std::shared_ptr<Shared> &shared_pointer() const { return shared_; }

    // On the loop's thread from here on.
    std::shared_ptr<Connection> add(boost::asio::ip::tcp::socket socket, std::shared_ptr<Listener> listener, Peer peer);
    void remove(const std::shared_ptr<Connection> &connection);
    void each(const std::function<void(Connection &)> &call);
    bool is_this_thread() const { return thread_.get_id() == std::this_thread::get_id(); }
    std::array<char, 65536> &scratch() { return scratch_; } ///< to read into; no connection keeps it
    const std::string &date(Clock::time_point now);

private:
    void look();
    void look_later();

    std::shared_ptr<Shared> shared_;
    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> busy_{io_.get_executor()};
    boost::asio::steady_timer timer_{io_};
    bool looking_ = false;
    std::list<std::shared_ptr<Connection>> connections_;
    std::array<char, 65536> scratch_{};
    std::string date_;
    Clock::time_point date_until_{};
    std::mutex mutex_; ///< guards `closed_`
    bool closed_ = false;
    std::thread thread_;
};

} // namespace weir::http
