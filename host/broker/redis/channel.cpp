// SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"

#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>

namespace weir::broker::redis {

namespace {

class PlainChannel final : public Channel {
public:
    explicit PlainChannel(int file) : file_(file) {}

    bool begin() override { return true; }
    short wanted() const override { return 0; }
    ssize_t send(const char *bytes, std::size_t size) override { return noted(::send(file_, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT)); }
    ssize_t receive(char *bytes, std::size_t size) override { return noted(::recv(file_, bytes, size, MSG_DONTWAIT)); }
    bool is_quiet() override {
        pollfd idle{file_, POLLIN, 0};
        return ::poll(&idle, 1, 0) == 0;
    }
    void check() const override {}
    std::string problem() const override { return std::strerror(error_); }

private:
    ssize_t noted(ssize_t size) {
        error_ = size < 0 ? errno : 0;
        return size;
    }

    int file_;
    int error_ = 0;
};

} // namespace

std::unique_ptr<Channel> open_channel(const RedisOptions &options, int file) {
    return options.tls ? open_tls_channel(options, file) : std::make_unique<PlainChannel>(file);
}

} // namespace weir::broker::redis
