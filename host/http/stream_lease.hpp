// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/shared.hpp"

#include <memory>
#include <string>
#include <utility>

namespace weir::http {

/// One event stream, counted for its client from the request on and as long as this lives. For one thread at a time.
class StreamLease {
public:
    StreamLease() = default;
    ~StreamLease() { give_back(); }
    StreamLease(StreamLease &&other) noexcept : shared_(std::move(other.shared_)), share_(std::move(other.share_)) {}
    StreamLease &operator=(StreamLease &&other) noexcept {
        give_back();
        shared_ = std::move(other.shared_);
        share_ = std::move(other.share_);
        return *this;
    }
    StreamLease(const StreamLease &) = delete;
    StreamLease &operator=(const StreamLease &) = delete;

    /// @param share whose it is @return why it can't be had; taken: it is held from now on
    Shares::Entered take(const std::shared_ptr<Shared> &shared, const std::string &share, const Limits &limits) {
        give_back();
        const Shares::Entered entered = shared->enter_stream(share, limits);
        if (entered.entry == Shares::Entry::taken) {
            shared_ = shared;
            share_ = share;
        }
        return entered;
    }

private:
    void give_back() {
        if (shared_) {
            std::exchange(shared_, nullptr)->leave_stream(share_);
        }
    }

    std::shared_ptr<Shared> shared_;
    std::string share_;
};

} // namespace weir::http
