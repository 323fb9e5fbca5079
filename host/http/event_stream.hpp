// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace weir::http {

/// One event as a browser's EventSource gets it (HTML standard, "Server-sent events"). Lines of `data` are sent as such.
struct ServerEvent {
    std::string data;
    std::string type; ///< empty: "message"
    std::string id;   ///< empty: none; a browser sends the last one back as Last-Event-ID
};

struct EventStreamOptions {
    std::size_t max_bytes = 64u << 10;           ///< waiting for one client; beyond it see `latest_only`
    bool latest_only = false;                    ///< beyond the bound: true drops what waits in favour of the newest, false ends the stream
    std::chrono::milliseconds keep_alive{15000}; ///< a comment after so long without an event, so that a dead client is found
    std::chrono::milliseconds retry{2000};       ///< told to the browser: when to come again after the stream has ended
};

/// The events of one client. A handler makes it, keeps a reference or gives it to somebody who does, and returns it in its response. Ends
/// when the client leaves, doesn't read, is replaced by a swap of routes, or the server stops. Thread-safe.
class EventStream {
public:
    explicit EventStream(EventStreamOptions options = {});
    ~EventStream();
    EventStream(const EventStream &) = delete;
    EventStream &operator=(const EventStream &) = delete;

    /// Queues an event, without waiting. False where the stream has ended, by now or because of this event: forget it then.
    bool send(const ServerEvent &event);

    /// Sends what waits and ends the response. Again: nothing.
    void end();

    bool ended() const;

    /// Called once, on any thread, when the stream has ended, whoever ended it; at once where it has already. Must not block.
    void when_ended(std::function<void()> call);

    struct State; ///< what the server and the owner share
    const std::shared_ptr<State> &state() const { return state_; }

private:
    std::shared_ptr<State> state_;
};

/// What an `EventChannel` asks its source for: the newest state, nothing where it hasn't changed since.
using Pull = std::function<std::optional<ServerEvent>()>;

struct EventChannelOptions {
    EventStreamOptions stream{.latest_only = true};
    std::size_t max_streams = 1000;        ///< beyond: `subscribe` gives nothing, which is a 503
    Pull pull;                             ///< empty: `publish` alone feeds the channel
    std::chrono::milliseconds every{1000}; ///< how often to pull while somebody listens
};

/// One source for many clients: what is published goes to each, and a new one begins with the newest event. With `pull`, the channel has
/// a thread of its own while it has clients; a pull that throws is tried again at the next turn. Thread-safe. Its destructor ends its
/// streams, and waits for a pull that runs.
class EventChannel {
public:
    explicit EventChannel(EventChannelOptions options = {});
    ~EventChannel();
    EventChannel(const EventChannel &) = delete;
    EventChannel &operator=(const EventChannel &) = delete;

    /// A stream that the channel feeds, to be put into a response; null where there are too many.
    std::shared_ptr<EventStream> subscribe();

    void publish(const ServerEvent &event);

    std::size_t streams() const;

private:
    struct Shared;
    std::unique_ptr<Shared> shared_;
};

} // namespace weir::http
