// SPDX-License-Identifier: Apache-2.0
#include "http/loop.hpp"

#include "http/answer.hpp"
#include "http/connection.hpp"

#include <boost/asio/post.hpp>

#include <pthread.h>
#include <utility>

namespace weir::http {

namespace {
constexpr auto kLookEvery = std::chrono::milliseconds(100); // how exact time limits are
}

Loop::~Loop() { stop(); }

void Loop::start() {
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "weir-http-io");
        io_.run();
    });
}

void Loop::stop() {
    if (!thread_.joinable()) {
        return;
    }
    post([this] {
        each([](Connection &connection) { connection.close(); });
        busy_.reset();
        timer_.cancel();
        io_.stop();
    });
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
    }
    thread_.join();
    // What was posted but never ran may hold connections, and they this.
    io_.restart();
    io_.poll();
}

void Loop::post(std::function<void()> call) {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
        boost::asio::post(io_, std::move(call));
    }
}

std::shared_ptr<Connection> Loop::add(boost::asio::ip::tcp::socket socket, std::shared_ptr<Listener> listener, Peer peer) {
    auto connection = std::make_shared<Connection>(*this, std::move(listener), std::move(socket), std::move(peer));
    connection->place = connections_.insert(connections_.end(), connection);
    connection->start();
    if (shared_->draining.load()) {
        connection->drain();
    }
    if (!looking_) {
        looking_ = true;
        look_later();
    }
    return connection;
}

void Loop::remove(const std::shared_ptr<Connection> &connection) { connections_.erase(connection->place); }

void Loop::each(const std::function<void(Connection &)> &call) {
    for (auto next = connections_.begin(); next != connections_.end();) {
        const std::shared_ptr<Connection> connection = *next++; // the call may take this one from the list
        call(*connection);
    }
}

const std::string &Loop::date(Clock::time_point now) {
    if (now >= date_until_) {
        const auto wall = std::chrono::system_clock::now();
        date_ = http_date(wall);
        const auto left = std::chrono::seconds(1) - (wall.time_since_epoch() % std::chrono::seconds(1));
        date_until_ = now + std::chrono::duration_cast<Clock::duration>(left);
    }
    return date_;
}

void Loop::look_later() {
    timer_.expires_after(kLookEvery);
    timer_.async_wait([this](const boost::system::error_code &failure) {
        if (!failure) {
            look();
        }
    });
}

void Loop::look() {
    const auto now = Clock::now();
    each([now](Connection &connection) { connection.look(now); });
    const bool some_run = shared_->workers.relieve(now);
    const bool operations_run = shared_->reserve.relieve(now);
    looking_ = !connections_.empty() || some_run || operations_run;
    if (looking_) {
        look_later();
    }
}

} // namespace weir::http
