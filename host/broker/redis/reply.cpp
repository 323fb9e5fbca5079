// SPDX-License-Identifier: Apache-2.0
#include "reply.hpp"

#include <algorithm>
#include <cstring>
#include <hiredis/hiredis.h>
#include <new>

namespace weir::broker::redis {

namespace {
constexpr std::size_t kBlockBytes = 256u << 10;
constexpr std::size_t kKeptBytes = 4u << 20; ///< what an arena keeps for the next answer
const Reply kNothing;

/// Where hiredis's reader wants the object of a task: the slot in its parent, or a root of its own.
Reply *slot_of(const redisReadTask *task) {
    if (task->parent) {
        return static_cast<Reply *>(task->parent->obj)->elements + task->idx;
    }
    return new (static_cast<Arena *>(task->privdata)->take(sizeof(Reply))) Reply();
}

void *create_string(const redisReadTask *task, char *text, std::size_t size) {
    auto *bytes = static_cast<char *>(static_cast<Arena *>(task->privdata)->take(size));
    if (size > 0) {
        std::memcpy(bytes, text, size);
    }
    Reply *reply = slot_of(task);
    reply->type = task->type == REDIS_REPLY_ERROR    ? Reply::Type::error
                  : task->type == REDIS_REPLY_STATUS ? Reply::Type::status
                                                     : Reply::Type::text;
    reply->text = {bytes, size};
    return reply;
}

void *create_array(const redisReadTask *task, int count) {
    Reply *reply = slot_of(task);
    reply->type = Reply::Type::array;
    reply->count = static_cast<std::size_t>(std::max(count, 0));
    reply->elements = static_cast<Reply *>(static_cast<Arena *>(task->privdata)->take(reply->count * sizeof(Reply)));
    std::uninitialized_default_construct_n(reply->elements, reply->count);
    return reply;
}

void *create_integer(const redisReadTask *task, long long value) {
    Reply *reply = slot_of(task);
    reply->type = Reply::Type::integer;
    reply->integer = value;
    return reply;
}

void *create_nil(const redisReadTask *task) {
    Reply *reply = slot_of(task);
    reply->type = Reply::Type::nil;
    return reply;
}

void free_object(void *) {}

redisReplyObjectFunctions functions{create_string, create_array, create_integer, create_nil, free_object};
} // namespace

const Reply &Reply::operator[](std::size_t index) const { return index < count ? elements[index] : kNothing; }

const Reply &Reply::value_of(std::string_view name) const {
    for (std::size_t index = 0; index + 1 < count; index += 2) {
        if (elements[index].text == name) {
            return elements[index + 1];
        }
    }
    return kNothing;
}

void *Arena::take(std::size_t bytes) {
    constexpr std::size_t kAlign = alignof(std::max_align_t);
    bytes = (bytes + kAlign - 1) / kAlign * kAlign;
    while (current_ < blocks_.size() && used_ + bytes > blocks_[current_].size) {
        ++current_;
        used_ = 0;
    }
    if (current_ == blocks_.size()) {
        const std::size_t size = std::max(bytes, kBlockBytes);
        blocks_.push_back({std::unique_ptr<std::byte[]>(new std::byte[size]), size});
    }
    void *out = blocks_[current_].bytes.get() + used_;
    used_ += bytes;
    return out;
}

void Arena::clear() {
    std::size_t kept = 0;
    std::size_t blocks = 0;
    while (blocks < blocks_.size() && kept + blocks_[blocks].size <= kKeptBytes) {
        kept += blocks_[blocks++].size;
    }
    blocks_.resize(blocks);
    current_ = 0;
    used_ = 0;
}

struct ReplyReader::State {
    redisReader *reader = redisReaderCreateWithFunctions(&functions);
};

ReplyReader::ReplyReader() : state_(std::make_unique<State>()) {
    if (!state_->reader) {
        throw std::bad_alloc();
    }
    state_->reader->privdata = &arena_;
}

ReplyReader::~ReplyReader() { redisReaderFree(state_->reader); }

void ReplyReader::feed(const char *bytes, std::size_t size) { redisReaderFeed(state_->reader, bytes, size); }

const Reply *ReplyReader::next(bool &broken) {
    void *reply = nullptr;
    broken = redisReaderGetReply(state_->reader, &reply) != REDIS_OK;
    return static_cast<const Reply *>(reply);
}

} // namespace weir::broker::redis
