// SPDX-License-Identifier: Apache-2.0
#include "http/connection.hpp"

#include "http/exchange.hpp"

#include <array>
#include <cstdio>
#include <utility>

namespace weir::http {

namespace {
constexpr auto kCloseWithin = std::chrono::seconds(5);
}

void Connection::begin_stream(const std::shared_ptr<EventStream::State> &stream) {
    stream_ = stream;
    state_ = State::streaming;
    chunked_ = !exchange_->http_1_0;
    ++loop_->shared().streams;
    append_chunk("retry: " + std::to_string(stream->options.retry.count()) + "\n\n");
    deadline_ = Clock::now() + stream->options.keep_alive;
    begin_to_write();
    stream->attach([weak = weak_from_this(), loop = loop_] {
        loop->post([weak] {
            if (const auto self = weak.lock()) {
                self->pump_stream();
            }
        });
    });
    wait_to_read(); // only to see that the client has left
}

// Takes from the stream only what the client has taken before: what waits is bounded by the stream.
void Connection::pump_stream() {
    if (state_ != State::streaming || unsent() > 0) {
        return;
    }
    const EventStream::State::Taken taken = stream_->take();
    if (!taken.bytes.empty()) {
        append_chunk(taken.bytes);
        deadline_ = Clock::now() + stream_->options.keep_alive;
    }
    if (taken.ended) {
        end_stream();
    }
    if (unsent() > 0) {
        begin_to_write();
        flush();
    } else if (state_ == State::closing) {
        flushed();
    }
}

void Connection::append_chunk(std::string_view bytes) {
    if (chunked_) {
        std::array<char, 24> size{};
        std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
        output_ += size.data();
    }
    output_ += bytes;
    if (chunked_) {
        output_ += "\r\n";
    }
}

/// Ends the answer; the caller flushes.
void Connection::end_stream() {
    if (state_ != State::streaming) {
        return;
    }
    forget_stream();
    if (chunked_) {
        output_ += "0\r\n\r\n";
    }
    state_ = State::closing;
    deadline_ = Clock::now() + kCloseWithin;
    begin_to_write();
}

void Connection::forget_stream() {
    if (stream_) {
        exchange_.reset();
        --loop_->shared().streams;
        std::exchange(stream_, nullptr)->end();
    }
}

void Connection::routes_changed(const Listener &listener, const Routes *routes) {
    if (state_ == State::streaming && listener_.get() == &listener && exchange_->in_force.routes.get() != routes) {
        end_stream();
        flush();
    }
}

} // namespace weir::http
