// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/redis/redis_broker.hpp"

#include <memory>
#include <string>
#include <sys/types.h>

namespace weir::broker::redis {

/// The bytes of a connection: as they go over its socket, or as TLS makes them of what goes over it. Never blocks. Used by one thread at a
/// time; the socket has to live as long, and stays the caller's.
class Channel {
public:
    virtual ~Channel() = default;

    /// To be called until it returns true, each time when the socket is ready for `wanted`, before anything is sent. Throws `Misconfigured`
    /// or `Unavailable`.
    virtual bool begin() = 0;
    virtual short wanted() const = 0; ///< for poll(2)

    /// As send(2) and recv(2) with a socket that doesn't block: -1 and EAGAIN where it has to wait; 0 from `receive` is the end.
    virtual ssize_t send(const char *bytes, std::size_t size) = 0;
    virtual ssize_t receive(char *bytes, std::size_t size) = 0;

    /// Whether nothing has come: neither bytes that nobody asked for, nor the end.
    virtual bool is_quiet() = 0;

    /// Throws what the last failure of `send` or `receive` means where it is a refusal that somebody has to mend.
    virtual void check() const = 0;
    virtual std::string problem() const = 0; ///< of that failure, in words
};

/// What the options ask for, on a connected socket. Throws `Misconfigured` where a file that they name can't be used.
std::unique_ptr<Channel> open_channel(const RedisOptions &options, int file);

/// With TLS; files are read anew each time, so that renewed ones are used from the next connection on.
std::unique_ptr<Channel> open_tls_channel(const RedisOptions &options, int file);

} // namespace weir::broker::redis
