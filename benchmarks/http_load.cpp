// SPDX-License-Identifier: Apache-2.0
// Requests to an HTTP server of this machine, over connections that are kept, one request at a time on each.
//   bench_http_load PORT CONNECTIONS SECONDS RATE SEED KEYS METHOD TARGET STATUS [BODY]
// RATE 0: each connection sends its next request as soon as it has the answer to the last one. Otherwise the load is open: requests are due
// at moments drawn in advance (exponential gaps, RATE a second on the average), wait for a free connection where there is none, and
// count from the moment when they were due. KEYS 1 gives every request an Idempotency-Key of its own. What ends or is due in the first
// second is not counted. Prints one JSON object; latencies in milliseconds. An answer of another status than STATUS ends it with an error.
#include "wire.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <deque>
#include <random>
#include <sys/epoll.h>
#include <sys/prctl.h>

using namespace weir::bench;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kWarmUp = std::chrono::seconds(1);
constexpr auto kPatience = std::chrono::seconds(20); // for what is still under way at the end
constexpr std::size_t kAnswerMost = 1u << 20;

struct Options {
    std::uint16_t port;
    std::size_t connections;
    double seconds;
    double rate;
    std::uint64_t seed;
    bool keys;
    std::string method;
    std::string target;
    std::string status;
    std::string body;
};

double milliseconds(Clock::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

double percentile(const std::vector<float> &sorted, double percent) {
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(sorted.size())));
    return static_cast<double>(sorted[std::min(std::max<std::size_t>(rank, 1), sorted.size()) - 1]);
}

bool same_letters(std::string_view left, std::string_view right) {
    return left.size() == right.size() &&
           std::equal(left.begin(), left.end(), right.begin(), [](char a, char b) { return (a | 0x20) == (b | 0x20); });
}

/// How many bytes the first answer has; 0: it isn't whole yet.
std::size_t answer_size(std::string_view bytes) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == bytes.npos) {
        return 0;
    }
    for (std::size_t at = bytes.find("\r\n") + 2; at < end;) {
        const std::size_t line_end = bytes.find("\r\n", at);
        const std::string_view line = bytes.substr(at, line_end - at);
        const std::size_t colon = line.find(':');
        if (colon != line.npos && same_letters(line.substr(0, colon), "content-length")) {
            std::size_t digits = colon + 1;
            while (digits < line.size() && line[digits] == ' ') {
                ++digits;
            }
            std::size_t length = 0;
            std::from_chars(line.data() + digits, line.data() + line.size(), length);
            const std::size_t whole = end + 4 + length;
            return whole <= bytes.size() ? whole : 0;
        }
        at = line_end + 2;
    }
    give_up("an answer without Content-Length: " + std::string(bytes.substr(0, end)));
}

struct Connection {
    int descriptor = -1;
    Clock::time_point due;
    std::string received;
};

class Load {
public:
    explicit Load(const Options &options)
        : options_(options), random_(options.seed), gap_(std::max(options.rate, 1e-9)), connections_(options.connections) {
        poll_ = epoll_create1(0);
        for (std::size_t i = 0; i < connections_.size(); ++i) {
            connect_one(connections_[i], i);
        }
        head_ = options.method + " " + options.target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
        if (!options.body.empty()) {
            head_ += "Content-Type: application/json\r\nContent-Length: " + std::to_string(options.body.size()) + "\r\n";
        }
    }

    void run() {
        const auto began = Clock::now();
        measured_from_ = began + kWarmUp;
        end_ = measured_from_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options_.seconds));
        next_due_ = began;
        for (std::size_t i = connections_.size(); i-- > 0;) {
            free_.push_back(i);
        }
        std::vector<epoll_event> ready(connections_.size());
        for (;;) {
            send_what_is_due(Clock::now());
            if (under_way_ == 0 && waiting_.empty() && (options_.rate == 0 || next_due_ >= end_)) {
                return;
            }
            if (Clock::now() > end_ + kPatience) {
                give_up("requests were not answered: " + std::to_string(under_way_ + waiting_.size()));
            }
            const int count = wait(ready);
            for (int i = 0; i < count; ++i) {
                receive(ready[static_cast<std::size_t>(i)].data.u64);
            }
        }
    }

    void print() {
        if (latencies_.empty()) {
            give_up("no request was answered");
        }
        std::sort(latencies_.begin(), latencies_.end());
        std::printf("{\"requests\": %zu, \"rate\": %.1f, \"p50\": %.3f, \"p99\": %.3f, \"p99.9\": %.3f, \"max\": %.3f, \"sent\": %zu}\n",
                    latencies_.size(), static_cast<double>(latencies_.size()) / options_.seconds, percentile(latencies_, 50),
                    percentile(latencies_, 99), percentile(latencies_, 99.9), static_cast<double>(latencies_.back()), sent_);
    }

private:
    void connect_one(Connection &connection, std::size_t index) {
        connection.descriptor = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(options_.port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int on = 1;
        if (connection.descriptor < 0 ||
            connect(connection.descriptor, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 ||
            setsockopt(connection.descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
            give_up("port " + std::to_string(options_.port) + ": " + std::strerror(errno));
        }
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = index;
        epoll_ctl(poll_, EPOLL_CTL_ADD, connection.descriptor, &event);
    }

    void send_what_is_due(Clock::time_point now) {
        if (options_.rate == 0) {
            while (now < end_ && !free_.empty()) {
                send_one(Clock::now());
            }
            return;
        }
        while (next_due_ <= now && next_due_ < end_) {
            waiting_.push_back(next_due_);
            next_due_ += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(gap_(random_)));
        }
        while (!waiting_.empty() && !free_.empty()) {
            send_one(waiting_.front());
            waiting_.pop_front();
        }
    }

    void send_one(Clock::time_point due) {
        Connection &connection = connections_[free_.back()];
        free_.pop_back();
        connection.due = due;
        request_ = head_;
        if (options_.keys) {
            request_ += "Idempotency-Key: " + std::to_string(options_.seed) + "-" + std::to_string(sent_) + "\r\n";
        }
        request_ += "\r\n";
        request_ += options_.body;
        if (send(connection.descriptor, request_.data(), request_.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request_.size())) {
            give_up(std::string("send: ") + std::strerror(errno));
        }
        ++sent_;
        ++under_way_;
    }

    void receive(std::size_t index) {
        Connection &connection = connections_[index];
        char buffer[1 << 14];
        const ssize_t got = recv(connection.descriptor, buffer, sizeof buffer, 0);
        if (got <= 0) {
            give_up("the server closed a connection");
        }
        connection.received.append(buffer, static_cast<std::size_t>(got));
        const std::size_t size = answer_size(connection.received);
        if (size == 0 && connection.received.size() < kAnswerMost) {
            return;
        }
        if (size != connection.received.size() || connection.received.compare(9, 3, options_.status) != 0) {
            give_up("another answer than " + options_.status + ": " + connection.received.substr(0, 1000));
        }
        connection.received.clear();
        const auto now = Clock::now();
        // By their end under a closed load, by their moment under an open one: each is a window that loses nothing.
        const auto counted_by = options_.rate == 0 ? now : connection.due;
        if (counted_by >= measured_from_ && counted_by < end_) {
            latencies_.push_back(static_cast<float>(milliseconds(now - connection.due)));
        }
        --under_way_;
        free_.push_back(index);
    }

    int wait(std::vector<epoll_event> &ready) {
        timespec timeout{1, 0};
        if (options_.rate != 0 && waiting_.empty() && next_due_ < end_) {
            const auto left = std::max(next_due_ - Clock::now(), Clock::duration(0));
            timeout = {std::chrono::duration_cast<std::chrono::seconds>(left).count(),
                       std::chrono::duration_cast<std::chrono::nanoseconds>(left % std::chrono::seconds(1)).count()};
        }
        const int count = epoll_pwait2(poll_, ready.data(), static_cast<int>(ready.size()), &timeout, nullptr);
        if (count < 0 && errno != EINTR) {
            give_up(std::string("epoll: ") + std::strerror(errno));
        }
        return std::max(count, 0);
    }

    const Options options_;
    std::mt19937_64 random_;
    std::exponential_distribution<double> gap_;
    std::vector<Connection> connections_;
    std::vector<std::size_t> free_;
    std::deque<Clock::time_point> waiting_; // due, without a connection
    std::vector<float> latencies_;
    std::string head_;
    std::string request_;
    int poll_ = -1;
    std::size_t under_way_ = 0;
    std::size_t sent_ = 0;
    Clock::time_point measured_from_;
    Clock::time_point end_;
    Clock::time_point next_due_;
};

} // namespace

int main(int count, char **arguments) {
    if (count != 10 && count != 11) {
        give_up("usage: bench_http_load PORT CONNECTIONS SECONDS RATE SEED KEYS METHOD TARGET STATUS [BODY]");
    }
    const Options options{static_cast<std::uint16_t>(std::atoi(arguments[1])),
                          static_cast<std::size_t>(std::max(std::atoi(arguments[2]), 1)),
                          std::atof(arguments[3]),
                          std::atof(arguments[4]),
                          std::strtoull(arguments[5], nullptr, 10),
                          std::atoi(arguments[6]) != 0,
                          arguments[7],
                          arguments[8],
                          arguments[9],
                          count == 11 ? arguments[10] : ""};
    prctl(PR_SET_TIMERSLACK, 1000UL);
    Load load(options);
    load.run();
    load.print();
}
