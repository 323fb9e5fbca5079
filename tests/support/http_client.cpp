// SPDX-License-Identifier: Apache-2.0
#include "http_client.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cctype>
#include <cstdlib>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weir::test {

namespace {

bool same(std::string_view left, std::string_view right) {
    return left.size() == right.size() && std::equal(left.begin(), left.end(), right.begin(), [](unsigned char one, unsigned char other) {
               return std::tolower(one) == std::tolower(other);
           });
}

std::chrono::steady_clock::time_point in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

} // namespace

std::optional<std::string> HttpAnswer::header(std::string_view name) const {
    for (const auto &[key, value] : headers) {
        if (same(key, name)) {
            return value;
        }
    }
    return std::nullopt;
}

RawClient::RawClient(std::uint16_t port, const std::string &address, const std::string &source)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    inet_pton(AF_INET, address.c_str(), &to.sin_addr);
    sockaddr_in from{};
    from.sin_family = AF_INET;
    inet_pton(AF_INET, source.c_str(), &from.sin_addr);
    if (!source.empty() && ::bind(socket_, reinterpret_cast<const sockaddr *>(&from), sizeof from) != 0) {
        ::close(socket_);
        socket_ = -1;
    }
    if (socket_ >= 0 && ::connect(socket_, reinterpret_cast<const sockaddr *>(&to), sizeof to) != 0) {
        ::close(socket_);
        socket_ = -1;
    }
}

RawClient::~RawClient() {
    if (socket_ >= 0) {
        ::close(socket_);
    }
}

RawClient::RawClient(RawClient &&other) noexcept : socket_(std::exchange(other.socket_, -1)), buffer_(std::move(other.buffer_)) {}

bool RawClient::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count <= 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

void RawClient::finish_sending() { ::shutdown(socket_, SHUT_WR); }

bool RawClient::fill(std::chrono::steady_clock::time_point deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{socket_, POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0))) <= 0) {
        return false;
    }
    std::array<char, 65536> bytes{};
    const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (count <= 0) {
        return false;
    }
    buffer_.append(bytes.data(), static_cast<std::size_t>(count));
    return true;
}

std::string RawClient::read_until(std::string_view text, std::chrono::milliseconds deadline) {
    const auto until = in(deadline);
    std::size_t at = std::string::npos;
    while ((at = buffer_.find(text)) == std::string::npos) {
        if (!fill(until)) {
            return std::exchange(buffer_, {});
        }
    }
    std::string read = buffer_.substr(0, at + text.size());
    buffer_.erase(0, at + text.size());
    return read;
}

HttpAnswer RawClient::header(std::chrono::milliseconds deadline) {
    HttpAnswer answer;
    const std::string text = read_until("\r\n\r\n", deadline);
    if (text.size() < 12 || text.compare(0, 9, "HTTP/1.1 ") != 0 || text.compare(text.size() - 4, 4, "\r\n\r\n") != 0) {
        answer.body = text;
        return answer;
    }
    answer.status = std::atoi(text.c_str() + 9);
    for (std::size_t at = text.find("\r\n") + 2; at + 2 < text.size();) {
        const std::size_t end = text.find("\r\n", at);
        const std::string line = text.substr(at, end - at);
        const std::size_t colon = line.find(':');
        if (colon != std::string::npos) {
            answer.headers.emplace_back(line.substr(0, colon), line.substr(std::min(line.find_first_not_of(' ', colon + 1), line.size())));
        }
        at = end + 2;
    }
    return answer;
}

HttpAnswer RawClient::answer(bool head, std::chrono::milliseconds deadline) {
    const auto until = in(deadline);
    HttpAnswer answer = header(deadline);
    if (answer.status == 0 || head || answer.status < 200 || answer.status == 204 || answer.status == 304) {
        return answer;
    }
    const auto left = [&] { return std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()); };
    if (answer.header("Transfer-Encoding")) {
        for (;;) {
            const std::string line = read_until("\r\n", left());
            const auto size = std::strtoul(line.c_str(), nullptr, 16);
            while (buffer_.size() < size + 2 && fill(until)) {
            }
            if (line.empty() || buffer_.size() < size + 2) {
                return {};
            }
            answer.body.append(buffer_, 0, size);
            buffer_.erase(0, size + 2);
            if (size == 0) {
                return answer;
            }
        }
    }
    const auto length = std::strtoul(answer.header("Content-Length").value_or("0").c_str(), nullptr, 10);
    while (buffer_.size() < length) {
        if (!fill(until)) {
            return {};
        }
    }
    answer.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return answer;
}

bool RawClient::closed_within(std::chrono::milliseconds time) {
    const auto until = in(time);
    while (fill(until)) {
        buffer_.clear();
    }
    return std::chrono::steady_clock::now() < until;
}

HttpAnswer http(std::uint16_t port, const std::string &method, const std::string &target, const std::string &body,
                const std::vector<std::pair<std::string, std::string>> &headers, std::chrono::milliseconds deadline) {
    RawClient client(port);
    if (!client.connected()) {
        return {};
    }
    std::string text = method + " " + target + " HTTP/1.1\r\nConnection: close\r\n";
    const bool has_host = std::any_of(headers.begin(), headers.end(), [](const auto &one) { return same(one.first, "Host"); });
    if (!has_host) {
        text += "Host: 127.0.0.1:" + std::to_string(port) + "\r\n";
    }
    for (const auto &[name, value] : headers) {
        text += name + ": " + value + "\r\n";
    }
    if (!body.empty()) {
        text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    }
    client.send(text + "\r\n" + body);
    return client.answer(method == "HEAD", deadline);
}

} // namespace weir::test
