// SPDX-License-Identifier: Apache-2.0
#include "publisher.hpp"

#include "support.hpp"

#include <hiredis/hiredis.h>
#include <optional>
#include <stdexcept>

namespace weir::test {

namespace {

using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

constexpr std::size_t kPipeline = 200;

Reply next_reply(redisContext *context) {
    void *reply = nullptr;
    redisGetReply(context, &reply);
    return {static_cast<redisReply *>(reply), &freeReplyObject};
}

/// How many entries were ever appended; nothing where that can't be known now.
std::optional<std::size_t> ever_appended(redisContext *context, const std::string &stream) {
    redisAppendCommand(context, "XINFO STREAM %s", stream.c_str());
    const Reply reply = next_reply(context);
    if (!reply || reply->type == REDIS_REPLY_ERROR) {
        return reply && std::string(reply->str).find("no such key") != std::string::npos ? std::optional<std::size_t>(0) : std::nullopt;
    }
    for (std::size_t i = 0; i + 1 < reply->elements; i += 2) {
        if (std::string(reply->element[i]->str) == "entries-added") {
            return static_cast<std::size_t>(reply->element[i + 1]->integer);
        }
    }
    return std::nullopt;
}

} // namespace

struct StreamPublisher::Connection {
    redisContext *context;
    explicit Connection(redisContext *made) : context(made) {}
    ~Connection() { redisFree(context); }
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;
};

StreamPublisher::StreamPublisher(std::filesystem::path socket) : socket_(std::move(socket)) {}
StreamPublisher::~StreamPublisher() = default;

bool StreamPublisher::connect() {
    const timeval limit{20, 0};
    connection_ = std::make_unique<Connection>(redisConnectUnixWithTimeout(socket_.c_str(), limit));
    if (!connection_->context || connection_->context->err) {
        connection_.reset();
        return false;
    }
    redisSetTimeout(connection_->context, limit);
    return true;
}

/// @return false where not all were answered well
bool StreamPublisher::append(const std::vector<const ChaosMessage *> &messages) {
    if (!connection_ && !connect()) {
        return false;
    }
    redisContext *const context = connection_->context;
    for (std::size_t begin = 0; begin < messages.size(); begin += kPipeline) {
        const std::size_t end = std::min(messages.size(), begin + kPipeline);
        for (std::size_t i = begin; i < end; ++i) {
            redisAppendCommand(context, "XADD %s * event %b", messages[i]->stream.c_str(), messages[i]->body.data(),
                               messages[i]->body.size());
        }
        for (std::size_t i = begin; i < end; ++i) {
            const Reply reply = next_reply(context);
            if (!reply || reply->type == REDIS_REPLY_ERROR) {
                connection_.reset();
                return false;
            }
            ++appended_[messages[i]->stream];
        }
    }
    return true;
}

void StreamPublisher::publish(const std::vector<ChaosMessage> &messages) {
    std::map<std::string, std::size_t> before = appended_;
    std::vector<const ChaosMessage *> open;
    for (const ChaosMessage &message : messages) {
        open.push_back(&message);
    }
    const bool done = eventually(
        [&] {
            if (append(open)) {
                return true;
            }
            if (!connect()) {
                return false;
            }
            // What was appended without an answer is not appended again.
            std::map<std::string, std::size_t> skip;
            for (const ChaosMessage &message : messages) {
                if (!skip.contains(message.stream)) {
                    const auto count = ever_appended(connection_->context, message.stream);
                    if (!count) {
                        connection_.reset();
                        return false;
                    }
                    appended_[message.stream] = *count;
                    skip[message.stream] = *count - before[message.stream];
                }
            }
            open.clear();
            for (const ChaosMessage &message : messages) {
                if (skip[message.stream] > 0) {
                    --skip[message.stream];
                } else {
                    open.push_back(&message);
                }
            }
            return open.empty();
        },
        std::chrono::minutes(5));
    if (!done) {
        throw std::runtime_error("nothing can be published to " + socket_.string());
    }
}

} // namespace weir::test
