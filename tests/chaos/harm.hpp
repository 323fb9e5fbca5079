// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "field.hpp"

#include <deque>
#include <map>
#include <random>
#include <string>

namespace weir::test {

/// What goes wrong around the hosts, chosen by a seed: each kind comes once before any comes twice.
class Harm {
public:
    Harm(ChaosField &field, std::mt19937_64 &random) : field_(field), random_(random) {}

    /// Does one kind, and undoes what can be undone. @return what it was, for the log
    std::string next();
    /// How often each kind was done.
    const std::map<std::string, int> &done() const { return done_; }

private:
    enum class Kind {
        cut,
        stall,
        half_close,
        refuse,
        delay,
        commit,
        ack,
        restart_postgres,
        kill_postgres,
        restart_redis,
        kill_redis,
        freeze,
        count
    };

    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
    TcpProxy &some_proxy(int host);
    Way some_way() { return below(2) == 0 ? Way::to_server : Way::to_client; }

    ChaosField &field_;
    std::mt19937_64 &random_;
    std::deque<Kind> order_;
    std::map<std::string, int> done_;
};

} // namespace weir::test
