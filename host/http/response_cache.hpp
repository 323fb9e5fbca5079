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
#include <vector>

namespace weir::http {

/// An answer that several clients may get, and when it was made.
struct KeptResponse {
    std::shared_ptr<const Response> response;
    std::chrono::steady_clock::time_point made;
};

/// Answers of routes with `max_age`. Whoever asks first for what isn't there fills it; those who ask meanwhile wait for that. Bounded by
/// entries and bytes: beyond, the oldest goes. Thread-safe.
class ResponseCache {
public:
    using Clock = std::chrono::steady_clock;
    using Waiter = std::function<void(const KeptResponse &)>;

    struct Asked {
        std::optional<KeptResponse> kept; ///< fresh: the waiter isn't called
        bool fill = false; ///< the caller is the one to call `put`, whatever becomes of it; its waiter is called then as well
    };
    Asked ask(const std::string &key, Clock::time_point now, Waiter waiter);

    /// Hands an answer to everybody who waits, and keeps it for `max_age` where that isn't zero.
    void put(const std::string &key, std::shared_ptr<const Response> response, std::chrono::milliseconds max_age);

private:
    struct Entry {
        KeptResponse kept;
        Clock::time_point until;
        bool filling = false;
        std::vector<Waiter> waiters;
    };
    void make_room();

    std::mutex mutex_;
    std::unordered_map<std::string, Entry> entries_;
    std::size_t bytes_ = 0;
};

} // namespace weir::http
