// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/shared.hpp"

#include <cstddef>
#include <memory>
#include <utility>

namespace weir::http {

/// Bytes of one request's body, counted as long as this lives: while it is read, and while a handler has it. Short bodies are not counted:
/// connections are bounded, and so are these. For one thread at a time.
class BodyLease {
public:
    static constexpr std::size_t kFree = 4096;

    BodyLease() = default;
    explicit BodyLease(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
    ~BodyLease() { give_back(); }
    BodyLease(BodyLease &&other) noexcept : shared_(std::move(other.shared_)), counted_(std::exchange(other.counted_, 0)) {}
    BodyLease &operator=(BodyLease &&other) noexcept {
        give_back();
        shared_ = std::move(other.shared_);
        counted_ = std::exchange(other.counted_, 0);
        return *this;
    }
    BodyLease(const BodyLease &) = delete;
    BodyLease &operator=(const BodyLease &) = delete;

    /// The body has so many bytes now. @return false where all of them together would be more than `most`; then nothing has changed
    bool grow(std::size_t bytes, std::size_t most) {
        if (bytes <= kFree || bytes <= counted_) {
            return true;
        }
        const std::size_t further = bytes - counted_;
        if (shared_->body_bytes.fetch_add(further) + further > most) {
            shared_->body_bytes -= further;
            return false;
        }
        counted_ = bytes;
        return true;
    }
    void give_back() {
        if (counted_ > 0) {
            shared_->body_bytes -= std::exchange(counted_, 0);
        }
    }

private:
    std::shared_ptr<Shared> shared_;
    std::size_t counted_ = 0;
};

} // namespace weir::http
