// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"
#include "channel.hpp"
#include "failure.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weir::broker::redis {

namespace {

constexpr std::size_t kReceiveBytes = 32u << 10;

/// Milliseconds for poll, rounded up so that it does not spin before the deadline.
int until_ms(Clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3600000));
}

void append_number(std::string &out, char mark, std::size_t number) {
    std::array<char, 24> text;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
    out += mark;
    out.append(text.data(), end);
    out += "\r\n";
}

std::string system_message(int number) { return std::strerror(number); }

std::string printable_name(const std::string &name) {
    std::string out = "weir:";
    for (const char c : name) {
        out += c > ' ' && c < 127 ? c : '_';
    }
    return out;
}

} // namespace

Commands &Commands::add(std::initializer_list<std::string_view> words) {
    begin(words.size());
    for (const std::string_view text : words) {
        word(text);
    }
    return *this;
}

Commands &Commands::begin(std::size_t words) {
    append_number(bytes_, '*', words);
    ++count_;
    return *this;
}

Commands &Commands::word(std::string_view text) {
    append_number(bytes_, '$', text.size());
    bytes_.append(text);
    bytes_ += "\r\n";
    return *this;
}

void Commands::clear() {
    bytes_.clear();
    count_ = 0;
}

Bell::Bell() : file_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (file_ < 0) {
        throw Unavailable("no file descriptor can be had for waiting on Redis: " + system_message(errno) + "; raise the limit (ulimit -n)");
    }
}

Bell::~Bell() { ::close(file_); }

void Bell::ring() const noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(file_, &one, sizeof one);
}

bool Bell::heard() const noexcept {
    std::uint64_t times = 0;
    return ::read(file_, &times, sizeof times) == static_cast<ssize_t>(sizeof times);
}

bool Bell::wait_until(Clock::time_point deadline) const {
    for (;;) {
        if (heard()) {
            return true;
        }
        if (Clock::now() >= deadline) {
            return false;
        }
        pollfd ring{file_, POLLIN, 0};
        poll(&ring, 1, until_ms(deadline));
    }
}

struct Connection::Socket {
    explicit Socket(redisContext *made) : context(made) {}
    ~Socket() { redisFree(context); }
    Socket(const Socket &) = delete;
    Socket &operator=(const Socket &) = delete;
    redisContext *context;
};

Connection::Connection(const RedisOptions &options, std::string name) : options_(options), name_(printable_name(name)) {}

Connection::~Connection() { close(); }

void Connection::close() noexcept {
    file_ = -1;
    demoted_ = false;
    greeted_ = false;
    channel_.reset();
    socket_.reset();
    unsent_.clear();
    sent_ = 0;
    answers_.clear();
    awaited_ = 0;
    reader_.reset();
}

void Connection::fail(const std::string &what) {
    close();
    throw Unavailable(options_.key + ": " + options_.place() + ": " + what);
}

// Of a channel that has failed, perhaps because somebody has to mend something. It is closed before its socket: what it says goodbye to
// would be another connection by then.
void Connection::lose(const std::string &what) {
    try {
        channel_->check();
    } catch (...) {
        close();
        throw;
    }
    const bool may_want_tls = !greeted_ && !options_.tls && options_.unix_socket.empty();
    fail(what + (may_want_tls ? "; where it wants TLS, write rediss://" : ""));
}

bool Connection::open(const Bell *bell) {
    if (file_ >= 0 && (awaits_answers() || (channel_->is_quiet() && !demoted_))) {
        return true;
    }
    close(); // while nothing is asked, anything to be read is the end of it
    redisContext *context = options_.unix_socket.empty() ? redisConnectNonBlock(options_.host.c_str(), options_.port)
                                                         : redisConnectUnixNonBlock(options_.unix_socket.c_str());
    if (!context) {
        throw std::bad_alloc();
    }
    socket_ = std::make_unique<Socket>(context);
    if (context->err != 0) {
        fail(std::string("can't be connected to: ") + context->errstr);
    }
    const auto deadline = Clock::now() + options_.connect_timeout;
    if (!wait_for(context->fd, POLLOUT, deadline, bell)) {
        return false;
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(context->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        fail("can't be connected to: " + system_message(error != 0 ? error : errno) +
             ". Start the server, or see that the address is right");
    }
    const int on = 1;
    setsockopt(context->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (options_.unix_socket.empty()) {
        setsockopt(context->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    try {
        channel_ = open_channel(options_, context->fd);
        while (!channel_->begin()) {
            if (!wait_for(context->fd, channel_->wanted(), deadline, bell)) {
                return false;
            }
        }
    } catch (...) {
        close();
        throw;
    }
    file_ = context->fd;
    reader_ = std::make_unique<ReplyReader>();
    log_in(deadline);
    return true;
}

// While connecting. @return false where the bell rang first
bool Connection::wait_for(int file, short events, Clock::time_point deadline, const Bell *bell) {
    for (;;) {
        std::array<pollfd, 2> files{{{file, events, 0}, {bell ? bell->file() : -1, POLLIN, 0}}};
        const int ready = poll(files.data(), files.size(), until_ms(deadline));
        if (files[0].revents != 0) {
            return true;
        }
        if (bell && files[1].revents != 0) {
            close();
            return false;
        }
        if (ready == 0 && Clock::now() >= deadline) {
            fail("can't be connected to within " + std::to_string(options_.connect_timeout.count()) + " ms (connect_timeout_ms)" +
                 (channel_ ? "; perhaps this port does not speak TLS" : ""));
        }
    }
}

void Connection::log_in(Clock::time_point deadline) {
    Commands commands;
    const std::string database = std::to_string(options_.database);
    if (options_.password.empty()) {
        commands.add({"HELLO", "2", "SETNAME", name_});
    } else {
        commands.add({"HELLO", "2", "AUTH", options_.user.empty() ? "default" : options_.user, options_.password, "SETNAME", name_});
    }
    if (options_.database != 0) {
        commands.add({"SELECT", database});
    }
    send(commands);
    // Refusals such as "too many clients" come with the end of the connection, perhaps with one answer for two commands.
    while (answers_.empty() || (!answers_[0]->is_error() && awaits_answers())) {
        receive(std::min(deadline, Clock::now() + std::chrono::milliseconds(100)), deadline, nullptr);
        if (!answers_.empty() && answers_[0]->is_error()) {
            break;
        }
    }
    try {
        if (answers_[0]->is_error("ERR unknown command")) {
            throw Misconfigured(options_.key + ": " + options_.place() +
                                " is older than Redis 6.2, which is the oldest that Weir can use; upgrade it");
        }
        greeted_ = true;
        check(options_, *answers_[0], "HELLO");
        check_server(*answers_[0]);
        if (options_.database != 0) {
            check(options_, *answers_[1], "SELECT");
        }
    } catch (...) {
        close();
        throw;
    }
}

void Connection::check_server(const Reply &hello) {
    const std::string_view version = hello.value_of("version").text;
    int major = 0;
    int minor = 0;
    const auto dot = std::from_chars(version.data(), version.data() + version.size(), major).ptr;
    if (dot < version.data() + version.size()) {
        std::from_chars(dot + 1, version.data() + version.size(), minor);
    }
    const std::string where = options_.key + ": " + options_.place();
    if (major < 6 || (major == 6 && minor < 2)) {
        throw Misconfigured(where + " is Redis " + std::string(version) + "; Weir needs 6.2 or later, so upgrade it");
    }
    const std::string_view mode = hello.value_of("mode").text;
    if (mode == "cluster") {
        throw Misconfigured(where + " is a node of a Redis Cluster, which Weir does not support; name a server of its own");
    }
    if (mode == "sentinel") {
        throw Misconfigured(where + " is a Redis Sentinel and keeps no topics; name the master that it watches");
    }
    const std::string_view role = hello.value_of("role").text;
    if (role == "replica" || role == "slave") {
        throw Misconfigured(where + " is a replica and takes no writes; name its master");
    }
    client_id_ = hello.value_of("id").integer;
    major_version_ = major;
}

void Connection::send(const Commands &commands) {
    if (!awaits_answers()) {
        answers_.clear();
        awaited_ = 0;
        reader_->clear();
    }
    unsent_ += commands.bytes();
    awaited_ += commands.count();
    transfer();
}

bool Connection::transfer() {
    bool any = false;
    while (sent_ < unsent_.size()) {
        const auto size = channel_->send(unsent_.data() + sent_, unsent_.size() - sent_);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0 && errno == EAGAIN) {
            break;
        }
        if (size <= 0) {
            break; // what the server said before it went is still to be read
        }
        sent_ += static_cast<std::size_t>(size);
        any = true;
    }
    if (sent_ == unsent_.size()) {
        unsent_.clear();
        sent_ = 0;
    }
    // Of each thread that speaks with the server: most get short answers only, and so touch little of it.
    static thread_local const auto buffer = std::make_unique_for_overwrite<char[]>(kReceiveBytes);
    while (awaits_answers()) {
        const auto size = channel_->receive(buffer.get(), kReceiveBytes);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0 && errno == EAGAIN) {
            break;
        }
        if (size <= 0 && !answers_.empty() && answers_.back()->is_error()) {
            const std::string last_words(answers_.back()->text); // it says why it closes the connection
            close();
            refuse(options_, last_words, "HELLO");
        }
        if (size <= 0) {
            lose(size == 0 ? "the server closed the connection" : "the connection was lost: " + channel_->problem());
        }
        any = true;
        reader_->feed(buffer.get(), static_cast<std::size_t>(size));
        bool broken = false;
        while (const Reply *reply = reader_->next(broken)) {
            demoted_ = demoted_ || reply->is_error("READONLY");
            answers_.push_back(reply);
        }
        if (broken) {
            fail("what answers there does not speak Redis's protocol; check host and port" +
                 std::string(options_.tls ? "" : ", and write rediss:// where it wants TLS"));
        }
    }
    return any;
}

bool Connection::receive(Clock::time_point until, Clock::time_point overdue, const Bell *bell) {
    const auto silence = overdue - Clock::now();
    while (awaits_answers()) {
        if (transfer()) {
            overdue = std::max(overdue, Clock::now() + std::min<Clock::duration>(silence, options_.timeout));
            continue;
        }
        const auto now = Clock::now();
        if (now >= overdue) {
            fail("no answer within " + std::to_string(options_.timeout.count()) +
                 " ms (timeout_ms); the server or the way to it stands still");
        }
        if (now >= until) {
            return false;
        }
        const short wanted = sent_ < unsent_.size() ? POLLIN | POLLOUT : POLLIN;
        std::array<pollfd, 2> files{{{file_, wanted, 0}, {bell ? bell->file() : -1, POLLIN, 0}}};
        poll(files.data(), files.size(), until_ms(std::min(until, overdue)));
        if (files[0].revents == 0 && files[1].revents != 0) {
            return false;
        }
    }
    return true;
}

std::span<const Reply *const> Connection::execute(const Commands &commands) {
    open();
    send(commands);
    const auto overdue = Clock::now() + options_.timeout;
    while (!receive(overdue, overdue, nullptr)) {
    }
    return answers_;
}

const Reply &Connection::execute(std::initializer_list<std::string_view> words) {
    Commands commands;
    commands.add(words);
    return *execute(commands)[0];
}

} // namespace weir::broker::redis
