// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/answer.hpp"
#include "http/event_stream_state.hpp"
#include "http/loop.hpp"
#include "http/parser.hpp"

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::http {

/// One client. Reads a request, has it answered, and only then reads the next: what a client sends ahead stays in its socket. While nothing
/// is under way it holds no buffers. Everything on its loop's thread.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    using Clock = std::chrono::steady_clock;

    Connection(Loop &loop, std::shared_ptr<Listener> listener, boost::asio::ip::tcp::socket socket, Peer peer);

    ~Connection();
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    void start();
    void look(Clock::time_point now); ///< at its deadlines
    void close();
    /// Closes for the sake of another one, after these bytes where the client is in want of an answer. @return false, and it stays, where
    /// a request is being answered
    bool give_way(std::string_view last_words);
    void drain();                                                        ///< the server stops: idle ones close, streams end
    void routes_changed(const Listener &listener, const Routes *routes); ///< streams of other tables end

    std::list<std::shared_ptr<Connection>>::iterator place; ///< the loop's

private:
    enum class State : std::uint8_t {
        reading,   ///< a request, or waiting for one
        running,   ///< a request is being answered
        streaming, ///< events are sent until the stream ends
        closing,   ///< the last answer is written, then what the client still sends is thrown away for a moment, so that it can read the
                   ///< answer
        closed
    };
    /// Of the request under way.
    struct Exchange;

    void wait_to_read();
    void wait_to_write();
    void readable();
    std::size_t may_read() const;
    bool may_begin() const; ///< another request of the connection
    void process(std::string_view bytes);
    void resume();
    bool step(std::string_view &bytes);
    std::size_t unsent() const;
    void begin_to_write();
    void flush();
    void flushed();
    void expired(Clock::time_point now);

    /// @return false where the request was answered without its body, and the parser is gone
    bool headed(bool more_has_come);
    void refuse(const Refusal &refusal);
    void dispatch();
    void dispatch_cached();
    Reply reply();
    void run(Reply reply);
    void handler_timed_out();
    void answer(std::uint64_t number, const KeptResponse &kept);
    void answer_now(Response response);
    bool only_for_operations() const;
    std::optional<Response> refuse_stream();
    bool hold_body();
    /// From any thread.
    static void deliver(const std::weak_ptr<Connection> &weak, Loop &loop, std::uint64_t number, const KeptResponse &kept);

    void begin_stream(const std::shared_ptr<EventStream::State> &stream);
    void pump_stream();
    void end_stream();
    void forget_stream();
    void append_chunk(std::string_view bytes);

    static constexpr std::size_t kSmallBody = 4096; ///< copied behind the header; greater ones are sent from where they are

    std::shared_ptr<Loop> loop_;
    std::shared_ptr<Listener> listener_;
    boost::asio::ip::tcp::socket socket_;
    Peer peer_;
    State state_ = State::reading;
    bool waiting_to_read_ = false;
    bool waiting_to_write_ = false;
    bool processing_ = false;
    bool resuming_ = false;               ///< a turn is posted that takes `input_`
    bool shut_ = false;                   ///< our side of the connection
    bool chunked_ = false;                ///< the stream is
    Clock::time_point deadline_;          ///< of the state
    Clock::time_point write_deadline_;    ///< of what is unsent
    Clock::time_point progress_deadline_; ///< of some of it
    std::uint64_t number_ = 0;            ///< of the request
    std::unique_ptr<RequestParser> parser_;
    std::unique_ptr<Exchange> exchange_;
    std::shared_ptr<EventStream::State> stream_;
    std::string input_; ///< read, not yet taken by the parser
    std::string output_;
    std::size_t output_sent_ = 0;
    std::shared_ptr<const std::string> body_; ///< after `output_`
    std::size_t body_sent_ = 0;
    std::size_t thrown_away_ = 0;
};

} // namespace weir::http
