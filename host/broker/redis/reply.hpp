// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::broker::redis {

/// One answer of the server, or an element of one. Lives in its reader's arena.
struct Reply {
    enum class Type : std::uint8_t { nil, status, error, text, integer, array };
    Type type = Type::nil;
    std::string_view text; ///< of a status, an error or a text
    std::int64_t integer = 0;
    Reply *elements = nullptr;
    std::size_t count = 0;

    bool is_nil() const { return type == Type::nil; }
    bool is_error() const { return type == Type::error; }
    /// An error whose code is `code`: "NOGROUP", "BUSYGROUP".
    bool is_error(std::string_view code) const { return is_error() && text.starts_with(code); }
    std::span<const Reply> array() const { return {elements, count}; }
    const Reply &operator[](std::size_t index) const; ///< a nil reply beyond the end
    /// The value behind a name in an array of names and values; a nil reply where there is none.
    const Reply &value_of(std::string_view name) const;
};

/// Memory that is given out in pieces and taken back at once, so that an answer with thousands of elements costs no allocation for each.
class Arena {
public:
    void *take(std::size_t bytes);
    void clear();

private:
    struct Block {
        std::unique_ptr<std::byte[]> bytes;
        std::size_t size;
    };
    std::vector<Block> blocks_;
    std::size_t current_ = 0;
    std::size_t used_ = 0;
};

/// Parses answers with hiredis's protocol reader.
class ReplyReader {
public:
    ReplyReader();
    ~ReplyReader();
    ReplyReader(const ReplyReader &) = delete;
    ReplyReader &operator=(const ReplyReader &) = delete;

    void feed(const char *bytes, std::size_t size);
    /// The next whole answer, or null while there is none. Sets `broken` where the bytes are not Redis's protocol.
    const Reply *next(bool &broken);
    /// Frees all answers given out so far.
    void clear() { arena_.clear(); }

private:
    struct State;
    Arena arena_;
    std::unique_ptr<State> state_;
};

} // namespace weir::broker::redis
