// SPDX-License-Identifier: Apache-2.0
/// @file
/// As much of the protocols of PostgreSQL (version 3) and Redis as the benchmarks speak, on plain sockets: a limit that is measured through
/// a client library would be that library's. Errors end the process with a message.
#pragma once

#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace weir::bench {

[[noreturn]] inline void give_up(const std::string &why) {
    std::fprintf(stderr, "bench: %s\n", why.c_str());
    std::exit(1);
}

/// A connection to a server on this machine.
class Socket {
public:
    explicit Socket(std::uint16_t port) : descriptor_(socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int on = 1;
        if (descriptor_ < 0 || connect(descriptor_, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 ||
            setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
            give_up("port " + std::to_string(port) + ": " + std::strerror(errno));
        }
    }
    ~Socket() { close(descriptor_); }
    Socket(const Socket &) = delete;
    Socket &operator=(const Socket &) = delete;

    void write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno != EINTR) {
                give_up(std::string("send: ") + std::strerror(errno));
            }
            bytes.remove_prefix(sent < 0 ? 0 : static_cast<std::size_t>(sent));
        }
    }

    /// The next `size` bytes; valid until the next call.
    std::string_view read(std::size_t size) {
        if (end_ - begin_ < size) {
            std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
            end_ -= begin_;
            begin_ = 0;
            if (buffer_.size() < size) {
                buffer_.resize(size * 2);
            }
        }
        while (end_ - begin_ < size) {
            const ssize_t got = recv(descriptor_, buffer_.data() + end_, buffer_.size() - end_, 0);
            if (got == 0 || (got < 0 && errno != EINTR)) {
                give_up("the server closed the connection");
            }
            end_ += got < 0 ? 0 : static_cast<std::size_t>(got);
        }
        begin_ += size;
        return {buffer_.data() + begin_ - size, size};
    }

private:
    int descriptor_;
    std::vector<char> buffer_ = std::vector<char>(1 << 18);
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

inline std::uint32_t big_endian(std::string_view bytes) {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data(), 4);
    return ntohl(value);
}

inline void append_big_endian(std::string &to, std::uint32_t value) {
    value = htonl(value);
    to.append(reinterpret_cast<const char *>(&value), 4);
}

/// A session with PostgreSQL that needs no password.
class PostgresSession {
public:
    PostgresSession(std::uint16_t port, const std::string &user, const std::string &database) : socket_(port) {
        std::string body;
        append_big_endian(body, 196608); // protocol 3.0
        for (const std::string &word : {std::string("user"), user, std::string("database"), database}) {
            body.append(word).push_back('\0');
        }
        body.push_back('\0');
        std::string packet;
        append_big_endian(packet, static_cast<std::uint32_t>(body.size() + 4));
        socket_.write(packet + body);
        while (receive().type != 'Z') {
        }
    }

    struct Message {
        char type = 0;
        std::string_view body; ///< valid until the next call
    };
    /// The next message of the server. An error of the server ends the process.
    Message receive() {
        const std::string_view head = socket_.read(5);
        const char type = head[0];
        const std::string_view body = socket_.read(big_endian(head.substr(1)) - 4);
        if (type == 'E') {
            std::string text(body);
            for (char &c : text) {
                c = c == '\0' ? ' ' : c;
            }
            give_up("PostgreSQL: " + text);
        }
        return {type, body};
    }
    void send(std::string_view bytes) { socket_.write(bytes); }

    /// Runs one statement; `row` gets the columns of each row as text.
    template <typename Row> void query(const std::string &sql, Row row) {
        std::string packet = "Q";
        append_big_endian(packet, static_cast<std::uint32_t>(sql.size() + 5));
        send(packet.append(sql) + '\0');
        for (Message message = receive(); message.type != 'Z'; message = receive()) {
            if (message.type != 'D') {
                continue;
            }
            std::vector<std::string_view> columns;
            std::string_view rest = message.body.substr(2);
            while (rest.size() >= 4) {
                const std::uint32_t size = big_endian(rest);
                const std::size_t bytes = size == 0xFFFFFFFF ? 0 : size;
                columns.push_back(rest.substr(4, bytes));
                rest.remove_prefix(4 + bytes);
            }
            row(columns);
        }
    }

private:
    Socket socket_;
};

} // namespace weir::bench
