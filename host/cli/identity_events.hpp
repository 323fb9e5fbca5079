// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <vector>

namespace weir::cli {

struct IdentityOptions {
    std::uint64_t count = 1000;
    std::uint64_t seed = 1;
    std::uint64_t users = 0; ///< 0: a tenth of the count
    std::uint64_t tenants = 3;
    unsigned duplicates_percent = 2;
    unsigned late_percent = 2;
    unsigned unknown_percent = 0;
    unsigned broken_percent = 0;
};

/// Makes up messages of identity.user.v1, one after the other; the same options make the same messages on every machine.
class IdentityEvents {
public:
    explicit IdentityEvents(const IdentityOptions &options);

    /// One message, without an end of line (and without one in it).
    std::string next();

private:
    struct User {
        std::string tenant_id;
        std::string user_id;
        std::uint64_t number = 0;
        bool created = false;
        bool disabled = false;
    };

    std::uint64_t below(std::uint64_t limit);
    bool chance(unsigned percent);
    std::string uuid();
    std::string fresh();
    std::string broken();
    std::string envelope(const User &user, const std::string &type, const std::string &payload);

    IdentityOptions options_;
    std::mt19937_64 random_;
    std::vector<std::string> tenants_;
    std::vector<User> users_;
    std::deque<std::string> recent_; // for second deliveries
    std::int64_t clock_;             // microseconds since 1970
    std::uint64_t made_ = 0;
};

} // namespace weir::cli
