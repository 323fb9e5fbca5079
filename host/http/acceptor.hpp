// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/loop.hpp"

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string_view>
#include <vector>

namespace weir::http {

/// Listens at one address and hands connections to loops in turn. Its first loop's thread alone uses it, once that runs.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
public:
    /// Binds. @throws ListenFailure
    Acceptor(std::vector<std::shared_ptr<Loop>> loops, std::shared_ptr<Listener> listener, const ListenerOptions &options,
             const ServerOptions &server);

    void accept();
    void close();
    std::uint16_t port() const { return port_; }

private:
    void accepted(boost::asio::ip::tcp::socket socket, const std::shared_ptr<Loop> &loop);
    void take_reserved(boost::asio::ip::tcp::socket socket, Loop &of, Peer peer, std::size_t most, std::string_view full_key);
    bool make_room();
    void say_full(std::string_view key, std::string_view address);
    void pause(std::string_view reason);

    std::vector<std::shared_ptr<Loop>> loops_;
    std::shared_ptr<Listener> listener_;
    std::function<void(std::string_view)> trouble_;
    std::function<void(std::string_view, std::string_view)> full_;
    std::list<std::weak_ptr<Connection>> reserve_; ///< all of the first loop's; the oldest first
    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::steady_timer timer_;
    std::chrono::steady_clock::time_point said_{};
    std::chrono::steady_clock::time_point said_full_{};
    std::uint16_t port_ = 0;
    std::size_t next_ = 0;
    bool closed_ = false;
};

} // namespace weir::http
