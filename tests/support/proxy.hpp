// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace weir::test {

/// A direction in which bytes go.
enum class Way { to_server, to_client };

/// What goes wrong at the mark: the one request that a proxy recognises (a PostgreSQL client's COMMIT; elsewhere a text, such as "XACK").
enum class Fault {
    cut_before, ///< the connection is cut, the request does not reach the server
    reply_lost, ///< PostgreSQL has committed, elsewhere the server has answered something; the connection is cut before the client hears of
                ///< it
    rolled_back, ///< PostgreSQL only: the server is asked for ROLLBACK instead, and its answer is passed on
    refused,     ///< PostgreSQL only: the same, and the answer is an error of SQLSTATE 40001, as a COMMIT that fails gives
};

/// A TCP proxy on 127.0.0.1 between clients and one server, with a thread of its own. It cuts, stalls, half-closes, refuses, and delays
/// connections, and acts at the mark. Functions may be called from any thread; they return when what they say is so. An encrypted
/// PostgreSQL connection passes, but has no marks.
class TcpProxy {
public:
    enum class Protocol { opaque, postgresql };

    /// @param target_port the server, on 127.0.0.1; it need not run yet. @param mark for the opaque protocol; empty: there is none.
    explicit TcpProxy(std::uint16_t target_port, Protocol protocol = Protocol::opaque, const std::string &mark = "");
    ~TcpProxy();
    TcpProxy(const TcpProxy &) = delete;
    TcpProxy &operator=(const TcpProxy &) = delete;

    /// The port to connect to; the same as long as this object lives.
    std::uint16_t port() const noexcept;

    /// Resets all connections that there are.
    void cut();
    /// Nothing goes this way any more on any connection, until `resume`; connections stay open.
    void stall(Way way);
    void stall() { stall(Way::to_server), stall(Way::to_client); }
    void resume();
    /// Those at the end of this way see the end of the stream on all connections that there are; the other way goes on.
    void half_close(Way way);
    /// New connections are refused as if nobody listened.
    void refuse(bool refused);
    /// Each piece is passed on this much later; order stays.
    void delay(std::chrono::milliseconds delay);

    /// Has this happen at the next @param times marks, after what was armed before. std::invalid_argument where the protocol knows no such
    /// fault.
    void arm(Fault fault, int times = 1);
    /// Forgets what is armed and has not happened yet.
    void disarm();
    int armed() const;
    /// Faults that have happened since the beginning.
    int fired(Fault fault) const;
    /// Marks that have passed, with and without faults.
    int marks() const;
    std::size_t connections() const;

private:
    class Loop;
    std::unique_ptr<Loop> loop_;
};

} // namespace weir::test
