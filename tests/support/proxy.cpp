// SPDX-License-Identifier: Apache-2.0
#include "proxy.hpp"

#include "proxy_filter.hpp"
#include "server_process.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <condition_variable>
#include <fcntl.h>
#include <functional>
#include <list>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdexcept>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace weir::test {

namespace {

using Clock = std::chrono::steady_clock;

sockaddr_in address_of(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int index(Way way) { return static_cast<int>(way); }

/// One connection. The socket of index 0 is the server's, of index 1 the client's: the one at the end of a way.
struct Link {
    struct Piece {
        Clock::time_point due;
        std::string bytes;
    };
    struct Stream {
        std::list<Piece> pieces;
        std::size_t size = 0;
        bool ended = false; ///< nothing comes any more
        bool shut = false;  ///< nothing is passed on any more
    };
    int sockets[2] = {-1, -1};
    Stream streams[2];
    std::unique_ptr<ProxyFilter> filter;
    bool doomed = false;

    Link() = default;
    Link(const Link &) = delete;
    Link &operator=(const Link &) = delete;
    ~Link() {
        for (const int socket : sockets) {
            if (doomed && socket >= 0) {
                const linger reset{1, 0};
                ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            }
            ::close(socket);
        }
    }
};

constexpr std::size_t kQueued = 4 << 20; ///< bytes of one stream that wait; at more the sender is not read

} // namespace

class TcpProxy::Loop {
public:
    Loop(std::uint16_t target_port, Protocol protocol, std::string mark)
        : target_port_(target_port), protocol_(protocol), mark_(std::move(mark)), port_(free_port()),
          waker_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        listen();
        thread_ = std::thread([this] { run(); });
    }
    ~Loop() {
        change([this] { ending_ = true; });
        thread_.join();
        ::close(listener_);
        ::close(waker_);
    }
    Loop(const Loop &) = delete;
    Loop &operator=(const Loop &) = delete;

    std::uint16_t port() const noexcept { return port_; }

    /// Changes what holds, and waits until the loop has seen it.
    void change(const std::function<void()> &what) {
        std::unique_lock lock(mutex_);
        what();
        const std::uint64_t one = 1;
        const std::uint64_t now = turns_;
        if (::write(waker_, &one, sizeof one) < 0) {
            return; // it has been woken already
        }
        turned_.wait(lock, [&] { return turns_ > now; });
    }
    template <typename Result> Result look(const std::function<Result()> &what) const {
        const std::lock_guard lock(mutex_);
        return what();
    }
    void listen() {
        const int yes = 1;
        const sockaddr_in address = address_of(port_);
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        if (listener_ < 0 || ::bind(listener_, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 ||
            ::listen(listener_, 64) != 0) {
            throw std::runtime_error("the proxy cannot listen on port " + std::to_string(port_));
        }
    }
    void doom_all() {
        for (const auto &link : links_) {
            link->doomed = true;
        }
    }
    void shut_all(Way way) {
        for (const auto &link : links_) {
            shut(*link, way);
        }
    }
    void refuse(bool refused) {
        if (refused && listener_ >= 0) {
            ::close(listener_);
            listener_ = -1;
        } else if (!refused && listener_ < 0) {
            listen();
        }
    }

    // What the controlling functions change, in change().
    bool stalled_[2] = {false, false};
    std::chrono::milliseconds delay_{0};
    FaultPlan plan_;
    std::list<std::unique_ptr<Link>> links_;

private:
    void run() {
        std::unique_lock lock(mutex_);
        while (!ending_) {
            std::vector<pollfd> polled{{waker_, POLLIN, 0}, {listener_, POLLIN, 0}};
            for (const auto &link : links_) {
                for (const Way way : {Way::to_server, Way::to_client}) {
                    const short events = events_of(*link, way);
                    polled.push_back(
                        {events != 0 ? link->sockets[index(way)] : -1, events, 0}); // else a hang-up would be told again and again
                }
            }
            const int patience = patience_ms();
            ++turns_;
            turned_.notify_all();
            lock.unlock();
            ::poll(polled.data(), polled.size(), patience);
            lock.lock();
            std::uint64_t ignored = 0;
            (void)!::read(waker_, &ignored, sizeof ignored);
            std::size_t at = 2;
            for (const auto &link : links_) {
                serve(*link, polled[at + 1].revents, polled[at].revents);
                at += 2;
            }
            links_.remove_if([](const auto &link) { return link->doomed || (link->streams[0].shut && link->streams[1].shut); });
            accept_clients();
        }
        links_.clear();
        ++turns_;
        turned_.notify_all();
    }

    /// What to wait for at the socket at the end of this way.
    short events_of(const Link &link, Way way) const {
        const Link::Stream &out = link.streams[index(way)];
        const Link::Stream &in = link.streams[1 - index(way)];
        const bool reads = !in.ended && in.size < kQueued && !stalled_[1 - index(way)];
        const bool writes = !out.pieces.empty() && out.pieces.front().due <= Clock::now() && !stalled_[index(way)];
        return static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
    }
    int patience_ms() const {
        int result = 1000;
        for (const auto &link : links_) {
            for (const Link::Stream &stream : link->streams) {
                if (!stream.pieces.empty() && stream.pieces.front().due > Clock::now()) {
                    const auto left =
                        std::chrono::duration_cast<std::chrono::milliseconds>(stream.pieces.front().due - Clock::now()).count();
                    result = std::min(result, static_cast<int>(left) + 1);
                }
            }
        }
        return result;
    }
    void serve(Link &link, short client, short server) {
        if (((client | server) & POLLERR) != 0) {
            link.doomed = true;
        }
        if ((client & (POLLIN | POLLHUP)) != 0) {
            pull(link, Way::to_server);
        }
        if ((server & (POLLIN | POLLHUP)) != 0) {
            pull(link, Way::to_client);
        }
        push(link, Way::to_server);
        push(link, Way::to_client);
    }
    void pull(Link &link, Way way) {
        Link::Stream &stream = link.streams[index(way)];
        if (link.doomed || stream.ended || stalled_[index(way)] || stream.size >= kQueued) {
            return;
        }
        char buffer[65536];
        const ssize_t size = ::recv(link.sockets[1 - index(way)], buffer, sizeof buffer, 0);
        if (size < 0) {
            link.doomed = link.doomed || (errno != EAGAIN && errno != EINTR);
            return;
        }
        std::string passed;
        if (size == 0) {
            stream.ended = true;
        } else if (!link.filter->feed(way, {buffer, static_cast<std::size_t>(size)}, passed)) {
            link.doomed = true;
        }
        if (!passed.empty() && !stream.shut) {
            stream.size += passed.size();
            stream.pieces.push_back({Clock::now() + delay_, std::move(passed)});
        }
    }
    void push(Link &link, Way way) {
        Link::Stream &stream = link.streams[index(way)];
        while (!link.doomed && !stalled_[index(way)] && !stream.pieces.empty() && stream.pieces.front().due <= Clock::now()) {
            std::string &bytes = stream.pieces.front().bytes;
            const ssize_t size = ::send(link.sockets[index(way)], bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (size < 0) {
                link.doomed = errno != EAGAIN && errno != EINTR;
                return;
            }
            stream.size -= static_cast<std::size_t>(size);
            bytes.erase(0, static_cast<std::size_t>(size));
            if (bytes.empty()) {
                stream.pieces.pop_front();
            }
        }
        if (stream.ended && stream.pieces.empty() && !stalled_[index(way)]) {
            shut(link, way);
        }
    }
    static void shut(Link &link, Way way) {
        Link::Stream &stream = link.streams[index(way)];
        if (!stream.shut) {
            stream.shut = true;
            stream.pieces.clear();
            stream.size = 0;
            ::shutdown(link.sockets[index(way)], SHUT_WR);
        }
    }
    void accept_clients() {
        for (;;) {
            const int client = listener_ < 0 ? -1 : ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (client < 0) {
                return;
            }
            auto link = std::make_unique<Link>();
            const sockaddr_in address = address_of(target_port_);
            const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            link->sockets[index(Way::to_client)] = client;
            link->sockets[index(Way::to_server)] = server;
            link->filter = protocol_ == Protocol::postgresql ? make_postgres_filter(plan_) : make_text_filter(plan_, mark_);
            link->doomed = ::connect(server, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0;
            const int yes = 1;
            for (const int socket : link->sockets) {
                ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            }
            ::fcntl(server, F_SETFL, O_NONBLOCK);
            if (!link->doomed) { // otherwise it is reset here
                links_.push_back(std::move(link));
            }
        }
    }

    const std::uint16_t target_port_;
    const Protocol protocol_;
    const std::string mark_;
    const std::uint16_t port_;
    int listener_ = -1;
    const int waker_;
    mutable std::mutex mutex_;
    std::condition_variable turned_;
    std::uint64_t turns_ = 0;
    bool ending_ = false;
    std::thread thread_;
    friend class TcpProxy;
};

TcpProxy::TcpProxy(std::uint16_t target_port, Protocol protocol, const std::string &mark)
    : loop_(std::make_unique<Loop>(target_port, protocol, mark)) {}
TcpProxy::~TcpProxy() = default;

std::uint16_t TcpProxy::port() const noexcept { return loop_->port(); }

void TcpProxy::cut() {
    loop_->change([this] { loop_->doom_all(); });
}
void TcpProxy::stall(Way way) {
    loop_->change([&] { loop_->stalled_[index(way)] = true; });
}
void TcpProxy::resume() {
    loop_->change([this] { loop_->stalled_[0] = loop_->stalled_[1] = false; });
}
void TcpProxy::half_close(Way way) {
    loop_->change([&] { loop_->shut_all(way); });
}
void TcpProxy::refuse(bool refused) {
    loop_->change([&] { loop_->refuse(refused); });
}
void TcpProxy::delay(std::chrono::milliseconds delay) {
    loop_->change([&] { loop_->delay_ = delay; });
}

void TcpProxy::arm(Fault fault, int times) {
    const bool is_postgres = loop_->protocol_ == Protocol::postgresql;
    if (!is_postgres && (loop_->mark_.empty() || fault == Fault::rolled_back || fault == Fault::refused)) {
        throw std::invalid_argument("this proxy recognises no such mark");
    }
    loop_->change([&] { loop_->plan_.armed.insert(loop_->plan_.armed.end(), static_cast<std::size_t>(times), fault); });
}
void TcpProxy::disarm() {
    loop_->change([this] { loop_->plan_.armed.clear(); });
}
int TcpProxy::armed() const {
    return loop_->look<int>([this] { return static_cast<int>(loop_->plan_.armed.size()); });
}
int TcpProxy::fired(Fault fault) const {
    return loop_->look<int>([&] { return loop_->plan_.fired[fault]; });
}
int TcpProxy::marks() const {
    return loop_->look<int>([this] { return loop_->plan_.marks; });
}
std::size_t TcpProxy::connections() const {
    return loop_->look<std::size_t>([this] { return loop_->links_.size(); });
}

} // namespace weir::test
