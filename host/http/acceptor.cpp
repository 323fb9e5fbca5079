// SPDX-License-Identifier: Apache-2.0
#include "http/acceptor.hpp"

#include "http/access.hpp"
#include "http/answer.hpp"
#include "http/connection.hpp"
#include "http/problem.hpp"
#include "http/problem_types.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <utility>

namespace weir::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kPause = std::chrono::milliseconds(100);
constexpr auto kSayEvery = std::chrono::seconds(10);
constexpr int kBacklog = 4096;

std::string too_many() {
    Problem full;
    full.status = 503;
    full.type = problem_types::kOverloaded;
    full.detail = "There are as many connections as http.max_connections, or http.max_connections_per_address, allows";
    full.retry_after = std::chrono::seconds(5);
    const ListenerOptions nobody; // what is asked for isn't read, from which origin neither
    const std::string date = http_date(std::chrono::system_clock::now());
    AnswerContext context;
    context.listener = &nobody;
    context.date = date;
    context.close = true;
    const Answer answer = make_answer({std::make_shared<const Response>(full.response()), std::chrono::steady_clock::now()}, context);
    return answer.head + *answer.body;
}

[[noreturn]] void fail(const ListenerOptions &options, const std::string &why) {
    throw ListenFailure(options.config_key + ": can't listen on " + options.address + ": " + why);
}

tcp::endpoint endpoint_of(asio::io_context &io, const ListenerOptions &options) {
    const std::string &text = options.address;
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon + 1 == text.size() || text.find_first_not_of("0123456789", colon + 1) != std::string::npos) {
        fail(options, "write it as address:port, such as 127.0.0.1:8080 or [::]:8080");
    }
    std::string host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    error_code failure;
    const auto found =
        tcp::resolver(io).resolve(host, text.substr(colon + 1), tcp::resolver::passive | tcp::resolver::numeric_service, failure);
    if (failure || found.empty()) {
        fail(options, failure ? failure.message() : "the name has no address");
    }
    return found.begin()->endpoint();
}

} // namespace

Acceptor::Acceptor(std::vector<std::shared_ptr<Loop>> loops, std::shared_ptr<Listener> listener, const ListenerOptions &options,
                   const ServerOptions &server)
    : loops_(std::move(loops)), listener_(std::move(listener)), trouble_(server.trouble), full_(server.full),
      acceptor_(loops_.front()->io()), timer_(loops_.front()->io()) {
    const tcp::endpoint endpoint = endpoint_of(loops_.front()->io(), options);
    error_code failure;
    acceptor_.open(endpoint.protocol(), failure);
    if (!failure) {
        acceptor_.set_option(asio::socket_base::reuse_address(true), failure);
    }
    if (!failure) {
        acceptor_.bind(endpoint, failure);
    }
    if (!failure) {
        acceptor_.listen(kBacklog, failure);
    }
    if (failure == asio::error::address_in_use) {
        fail(options, "the port is in use; stop what has it, or choose another one (port 0: any that is free)");
    }
    if (failure == asio::error::access_denied) {
        fail(options, "permission denied; ports below 1024 need CAP_NET_BIND_SERVICE");
    }
    if (failure) {
        fail(options, failure.message());
    }
    port_ = acceptor_.local_endpoint().port();
}

void Acceptor::accept() {
    if (closed_) {
        return;
    }
    const std::shared_ptr<Loop> loop = loops_[next_++ % loops_.size()];
    acceptor_.async_accept(loop->io(), [self = shared_from_this(), loop](error_code failure, tcp::socket socket) {
        if (self->closed_ || failure == asio::error::operation_aborted) {
            return;
        }
        if (failure == asio::error::connection_aborted) {
            return self->accept();
        }
        if (failure) {
            return self->pause(failure.message());
        }
        try {
            self->accepted(std::move(socket), loop);
        } catch (const std::exception &shortage) { // out of descriptors or memory: this connection is gone, and no other
            return self->pause(shortage.what());
        }
        self->accept();
    });
}

void Acceptor::accepted(tcp::socket socket, const std::shared_ptr<Loop> &loop) {
    Shared &shared = loop->shared();
    ++shared.accepted;
    error_code failure;
    const tcp::endpoint endpoint = socket.remote_endpoint(failure);
    if (failure) {
        return; // it has left already
    }
    Peer peer{endpoint.address().to_string(failure), endpoint.port(), {}};
    const InForce now = listener_->now();
    if (now.options->reserve_only) {
        return take_reserved(std::move(socket), *loop, std::move(peer), now.options->reserve_connections, {});
    }
    peer.share = share_of(peer.address);
    const Shares::Entry entry = shared.enter(peer.share, *now.limits);
    if (entry != Shares::Entry::taken) {
        peer.share.clear();
        return take_reserved(std::move(socket), *loop, std::move(peer), now.options->reserve_connections,
                             entry == Shares::Entry::full ? "http.max_connections" : "http.max_connections_per_address");
    }
    auto moved = std::make_shared<tcp::socket>(std::move(socket));
    loop->post([loop = loop.get(), moved, listener = listener_, peer = std::move(peer)]() mutable {
        loop->add(std::move(*moved), std::move(listener), std::move(peer));
    });
}

/// @param full_key the bound that it is beyond; empty: none, the listener has nothing but its reserve
void Acceptor::take_reserved(tcp::socket socket, Loop &of, Peer peer, std::size_t most, std::string_view full_key) {
    Loop &first = *loops_.front();
    if (!full_key.empty()) {
        say_full(full_key, peer.address);
    }
    reserve_.remove_if([](const std::weak_ptr<Connection> &one) { return one.expired(); });
    error_code failure;
    if (reserve_.size() >= most && !make_room()) {
        ++first.shared().refused;
        socket.non_blocking(true, failure);
        socket.write_some(asio::buffer(too_many()), failure);
        socket.shutdown(tcp::socket::shutdown_send, failure);
        return;
    }
    if (&of != &first) {
        const auto protocol = acceptor_.local_endpoint(failure).protocol();
        const auto descriptor = socket.release(failure);
        if (failure) {
            return;
        }
        socket = tcp::socket(first.io(), protocol, descriptor);
    }
    first.shared().enter_reserve();
    reserve_.push_back(first.add(std::move(socket), listener_, std::move(peer)));
}

/// Ends the connection of the reserve that has waited longest. @return false where there is none, or each has a request that is handled
bool Acceptor::make_room() {
    for (auto place = reserve_.begin(); place != reserve_.end(); ++place) {
        const auto oldest = place->lock();
        if (oldest && oldest->give_way(too_many())) {
            reserve_.erase(place);
            return true;
        }
    }
    return false;
}

void Acceptor::say_full(std::string_view key, std::string_view address) {
    const auto now = std::chrono::steady_clock::now();
    if (full_ && now >= said_full_ + kSayEvery) {
        said_full_ = now;
        full_(key, address);
    }
}

// Out of descriptors or memory: connections wait in the backlog, and the next look is a little later.
void Acceptor::pause(std::string_view reason) {
    const auto now = std::chrono::steady_clock::now();
    if (trouble_ && now >= said_ + kSayEvery) {
        said_ = now;
        trouble_(reason);
    }
    timer_.expires_after(kPause);
    timer_.async_wait([self = shared_from_this()](error_code failure) {
        if (!failure) {
            self->accept();
        }
    });
}

void Acceptor::close() {
    closed_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    timer_.cancel();
}

} // namespace weir::http
