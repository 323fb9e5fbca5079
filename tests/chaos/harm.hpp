// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "field.hpp"

#include <deque>
#include <map>
#include <random>
#include <string>

namespace weir::test {

/// What goes wrong around the hosts, chosen by a seed: each kind comes once before any comes twice. What is done to connections is done to
/// those of the broker and to those of the store, one after the other.
class Harm {
public:
    Harm(ChaosField &field, std::mt19937_64 &random) : field_(field), random_(random) {}

    /// Does one kind, and undoes what can be undone. @return what it was, for the log
    std::string next();
    /// How often each kind was done; to connections: "cut of the broker", "cut of the store".
    const std::map<std::string, int> &done() const { return done_; }
    int done(const std::string &what) const { return done_.contains(what) ? done_.at(what) : 0; }
    static constexpr int kKinds = 12;

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
    };

    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
    std::string harm_connections(Kind kind, int host, bool of_broker);
    Way some_way() { return below(2) == 0 ? Way::to_server : Way::to_client; }

    ChaosField &field_;
    std::mt19937_64 &random_;
    std::deque<Kind> order_;
    std::map<std::string, int> done_;
};

} // namespace weir::test
