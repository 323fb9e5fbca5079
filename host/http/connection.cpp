// SPDX-License-Identifier: Apache-2.0
// Bytes in and out, and deadlines. What is answered is in exchange.cpp, event streams are in connection_stream.cpp.
#include "http/connection.hpp"

#include "http/exchange.hpp"
#include "http/problem_types.hpp"

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace weir::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {
constexpr std::size_t kUnsentMax = 64u << 10; // beyond, no further request of the connection is begun
constexpr std::size_t kReadAhead = 16u << 10;
constexpr std::size_t kThrownAwayMax = 1u << 20;
constexpr std::size_t kBytesPerMillisecond = 16; // the slowest client that may take a long answer
constexpr auto kLinger = std::chrono::seconds(2);
} // namespace

Connection::Connection(Loop &loop, std::shared_ptr<Listener> listener, asio::ip::tcp::socket socket, Peer peer)
    : loop_(loop.shared_from_this()), listener_(std::move(listener)), socket_(std::move(socket)), peer_(std::move(peer)) {}

Connection::~Connection() = default;

void Connection::start() {
    error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    deadline_ = Clock::now() + std::chrono::milliseconds(listener_->now().limits->idle_timeout_ms);
    wait_to_read();
}

void Connection::wait_to_read() {
    if (waiting_to_read_ || state_ == State::closed) {
        return;
    }
    waiting_to_read_ = true;
    socket_.async_wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this()](error_code failure) {
        self->waiting_to_read_ = false;
        if (self->state_ == State::closed) {
            return;
        }
        if (failure) {
            self->close();
        } else if (self->state_ != State::running && !self->resuming_) {
            self->readable();
        }
    });
}

void Connection::wait_to_write() {
    if (waiting_to_write_ || state_ == State::closed) {
        return;
    }
    waiting_to_write_ = true;
    socket_.async_wait(asio::ip::tcp::socket::wait_write, [self = shared_from_this()](error_code failure) {
        self->waiting_to_write_ = false;
        if (self->state_ == State::closed) {
            return;
        }
        if (failure) {
            self->close();
        } else {
            self->flush();
        }
    });
}

void Connection::readable() {
    auto &scratch = loop_->scratch();
    error_code failure;
    const std::size_t count = socket_.read_some(asio::buffer(scratch.data(), std::min(scratch.size(), may_read())), failure);
    if (failure == asio::error::would_block || failure == asio::error::try_again) {
        return wait_to_read();
    }
    if (failure) {
        const bool last_answer_waits = failure == asio::error::eof && state_ == State::reading && unsent() > 0;
        if (!last_answer_waits) {
            return close();
        }
        state_ = State::closing;
        return;
    }
    if (state_ == State::reading) {
        if (input_.empty()) {
            process({scratch.data(), count});
        } else {
            input_.append(scratch.data(), count);
            const std::string bytes = std::exchange(input_, {});
            process(bytes);
        }
        return;
    }
    thrown_away_ += count;
    if (thrown_away_ > kThrownAwayMax) {
        return close();
    }
    wait_to_read();
}

// What is read beyond the end of a request is kept until that is answered: not more than this of it.
std::size_t Connection::may_read() const {
    if (state_ != State::reading || !parser_ || parser_->stage() != RequestParser::Stage::body) {
        return kReadAhead;
    }
    return std::max<std::size_t>(parser_->body_left().value_or(0), kReadAhead);
}

bool Connection::may_begin() const {
    // What is written to `output_` goes out before `body_`: nothing may be until that is sent.
    return state_ == State::reading && !resuming_ && !body_ && unsent() <= kUnsentMax;
}

// Takes requests from the bytes until one has to wait for its answer; what is left is kept.
void Connection::process(std::string_view bytes) {
    processing_ = true;
    while (may_begin() && !bytes.empty() && step(bytes)) {
    }
    processing_ = false;
    if (state_ == State::closed) {
        return;
    }
    if (state_ == State::reading || state_ == State::running) {
        input_ = bytes;
    }
    flush();
    if (may_begin()) {
        wait_to_read();
    }
}

/// Goes on with what is kept, in a turn of its own: others have theirs between, and the stack doesn't grow with what was sent ahead.
void Connection::resume() {
    if (std::exchange(resuming_, true)) {
        return;
    }
    loop_->post([self = shared_from_this()] {
        self->resuming_ = false;
        if (self->state_ == State::reading) {
            const std::string bytes = std::exchange(self->input_, {});
            self->process(bytes);
        }
    });
}

/// @return false where more bytes are needed
bool Connection::step(std::string_view &bytes) {
    const InForce in_force = parser_ ? InForce{} : listener_->now();
    if (!parser_) {
        parser_ = std::make_unique<RequestParser>(in_force.limits->max_header_bytes);
        deadline_ = Clock::now() + std::chrono::milliseconds(in_force.limits->header_timeout_ms);
    }
    const std::size_t taken = parser_->feed(bytes);
    bytes.remove_prefix(taken);
    if (parser_->stage() == RequestParser::Stage::headed && !headed(!bytes.empty())) {
        return false;
    }
    if (exchange_ && !hold_body()) {
        return false;
    }
    switch (parser_->stage()) {
    case RequestParser::Stage::refused:
        refuse(parser_->refusal());
        return false;
    case RequestParser::Stage::complete:
        dispatch();
        return true;
    default:
        return taken > 0;
    }
}

std::size_t Connection::unsent() const { return output_.size() - output_sent_ + (body_ ? body_->size() - body_sent_ : 0); }

void Connection::flush() {
    while (unsent() > 0 && state_ != State::closed) {
        const std::array<asio::const_buffer, 2> buffers{asio::const_buffer(output_.data() + output_sent_, output_.size() - output_sent_),
                                                        body_ ? asio::const_buffer(body_->data() + body_sent_, body_->size() - body_sent_)
                                                              : asio::const_buffer()};
        error_code failure;
        const std::size_t count = socket_.write_some(buffers, failure);
        if (failure == asio::error::would_block || failure == asio::error::try_again) {
            return wait_to_write();
        }
        if (failure) {
            return close();
        }
        const std::size_t of_output = std::min(count, output_.size() - output_sent_);
        output_sent_ += of_output;
        body_sent_ += count - of_output;
        if (unsent() > 0) {
            progress_deadline_ = Clock::now() + std::chrono::milliseconds(listener_->now().limits->write_timeout_ms);
        }
    }
    if (state_ != State::closed) {
        output_ = {}; // idle connections hold nothing
        output_sent_ = 0;
        body_.reset();
        body_sent_ = 0;
        flushed();
    }
}

void Connection::flushed() {
    if (state_ == State::closing && !shut_) {
        shut_ = true;
        error_code ignored;
        socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
        deadline_ = Clock::now() + kLinger;
        wait_to_read();
    } else if (state_ == State::streaming) {
        pump_stream();
    } else if (state_ == State::reading && !processing_) {
        if (!input_.empty() && !parser_) {
            resume();
        } else {
            wait_to_read();
        }
    }
}

/// Sets how long the client has to take what is unsent now: all of it, and something of it.
void Connection::begin_to_write() {
    const auto timeout = std::chrono::milliseconds(listener_->now().limits->write_timeout_ms);
    progress_deadline_ = Clock::now() + timeout;
    write_deadline_ = progress_deadline_ + std::chrono::milliseconds(unsent() / kBytesPerMillisecond);
}

void Connection::look(Clock::time_point now) {
    if (state_ == State::closed) {
        return;
    }
    if (unsent() > 0 && now > std::min(write_deadline_, progress_deadline_)) {
        return close();
    }
    if (now > deadline_) {
        expired(now);
    }
}

void Connection::expired(Clock::time_point now) {
    switch (state_) {
    case State::reading:
        if (parser_) {
            const InForce in_force = listener_->now();
            const bool body = parser_->stage() == RequestParser::Stage::body;
            refuse({408,
                    body ? "The body was not there within http.body_timeout_ms (" + std::to_string(in_force.limits->body_timeout_ms) + ")"
                         : "The header was not there within http.header_timeout_ms (" + std::to_string(in_force.limits->header_timeout_ms) +
                               ")",
                    problem_types::kTooSlow});
        } else if (unsent() == 0) {
            close();
        }
        break;
    case State::running:
        handler_timed_out();
        break;
    case State::streaming:
        deadline_ = now + stream_->options.keep_alive;
        if (unsent() == 0) {
            append_chunk(":\n\n");
            begin_to_write();
            flush();
        }
        break;
    case State::closing:
        if (unsent() == 0) {
            close();
        }
        break;
    case State::closed:
        break;
    }
}

void Connection::drain() {
    if (state_ == State::streaming) {
        end_stream();
        flush();
    } else if (state_ == State::reading && !parser_ && !resuming_ && unsent() == 0) {
        close();
    }
}

void Connection::close() {
    if (state_ == State::closed) {
        return;
    }
    const auto self = shared_from_this();
    forget_stream();
    state_ = State::closed;
    error_code ignored;
    socket_.close(ignored);
    parser_.reset();
    exchange_.reset();
    body_.reset();
    loop_->remove(self);
    loop_->shared().leave(peer_.share);
}

bool Connection::give_way(std::string_view last_words) {
    if (state_ == State::running || state_ == State::streaming) {
        return false;
    }
    if (state_ == State::reading && unsent() == 0 && (parser_ || number_ == 0)) { // else there was an answer, and nothing was asked since
        ++loop_->shared().refused;
        error_code ignored;
        socket_.write_some(asio::buffer(last_words), ignored);
    }
    close();
    return true;
}

} // namespace weir::http
