// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/response.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::http {

struct Parameter;

/// An answer that several clients may get, and when it was made.
struct KeptResponse {
    std::shared_ptr<const Response> response;
    std::chrono::steady_clock::time_point made;
};

/// Answers of routes with `max_age`. Whoever asks first for what isn't there fills it; those who ask meanwhile wait for that. An answer
/// that was made without a look at the query (`Response::for_any_query`) is one for all queries, so that queries made up at random don't
/// get past it. Bounded by entries and bytes: beyond, what nobody has asked for again goes first, and of that the oldest. Thread-safe.
class ResponseCache {
public:
    using Clock = std::chrono::steady_clock;
    /// Gets the answer; or null where it turned out to be for another query: then it is to be asked for again.
    using Waiter = std::function<void(const KeptResponse *)>;

    struct Key {
        std::string path;
        std::string query;
    };
    /// Parameters in another order are the same key.
    static Key key_of(const std::string &path, const std::vector<Parameter> &parameters);

    struct Asked {
        std::optional<KeptResponse> kept; ///< fresh: the waiter isn't called
        /// Where it is set, the caller is the one to call `put` with it, whatever becomes of it; its waiter is called then as well.
        std::optional<std::string> fill;
    };
    /// @param filled_by when whoever asks next fills it in the caller's place, where the caller is to fill it and has not
    Asked ask(const Key &key, Clock::time_point now, Clock::time_point filled_by, Waiter waiter);

    /// Hands an answer to everybody who waits for it, and keeps it for `max_age` where that isn't zero.
    void put(const std::string &fill, const Key &key, std::shared_ptr<const Response> response, std::chrono::milliseconds max_age);

    std::size_t entries() const;

private:
    struct Waiting {
        std::string query;
        Waiter call;
    };
    struct Entry {
        KeptResponse kept;
        Clock::time_point until;
        bool filling = false;
        Clock::time_point filled_by; ///< what fills it
        bool asked_again = false;
        std::vector<Waiting> waiters;
    };
    using Entries = std::unordered_map<std::string, Entry>;

    void keep(const std::string &place, const KeptResponse &kept, std::chrono::milliseconds max_age);
    void forget(Entries::iterator entry);
    void make_room();

    mutable std::mutex mutex_;
    Entries entries_; ///< by path alone where the answer is for any query
    std::size_t bytes_ = 0;
};

} // namespace weir::http
