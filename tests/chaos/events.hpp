// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace weir::test {

/// What a message is about; the model works on this, the host on the text.
struct ChaosEvent {
    enum class Kind {
        created,
        updated,
        disabled,
        renamed,       ///< a type that has no handler
        wrong_version, ///< a type that has one for another version only
        bad_email,     ///< against its contract
        no_tenant,     ///< an envelope with a member missing
        cut_off,       ///< no JSON: it has no id
        stepped,       ///< of the ordered domain "chain"
        counted,       ///< of the parallel domain "tally"
        tied,          ///< of the ordered domain "knot": a step where keys depend on each other
    };
    Kind kind = Kind::created;
    std::string id;
    std::string tenant;
    std::string user;
    std::int64_t occurred_at = 0; ///< µs since 1970
    std::optional<std::optional<std::string>> email;
    std::optional<std::optional<std::string>> display_name;
    std::optional<std::string> status;
    std::string subject; ///< a chain's key, a counter's name, or what a dead letter is known by
    std::int64_t number = 0;
    int retries = 0;
    bool reject = false;
    bool clash = false; ///< the store refuses it, and nobody else
};

struct ChaosMessage {
    std::string stream; ///< the Redis key of its partition
    std::string body;
};

/// Events of four topics, the same for the same seed: identities, chains, counts and knots with repeated deliveries, late events, poison,
/// and handlers that fail. Events of one key are of one stream. Now all topics have some, now nearly all events are of one: a domain that
/// is busy alone has batches side by side, of several each has one at a time. Steps of chains are published once: their domain's ledger
/// has a horizon, and an id that is used again behind it is a new one.
class ChaosEvents {
public:
    static constexpr int kPartitions = 4;

    /// @param count how many will be asked for; the number of users grows with it
    ChaosEvents(std::uint64_t seed, std::size_t count);

    /// The next event, and whether it is delivered for a second time.
    struct Next {
        ChaosEvent event;
        ChaosMessage message;
    };
    Next next();
    /// From now on most events are of this kind; nothing: as the seed has it.
    void favour(std::optional<ChaosEvent::Kind> kind) { favourite_ = kind; }

    /// All streams there are, so that they can be made before they are read.
    static std::vector<std::string> streams();

private:
    struct User {
        std::string tenant;
        std::string id;
        std::int64_t clock = 0;
        bool known = false;
    };
    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
    bool chance(unsigned per_mille) { return below(1000) < per_mille; }
    std::string uuid();
    Next identity();
    Next step(ChaosEvent::Kind kind);
    Next count();

    std::mt19937_64 random_;
    std::vector<std::string> tenants_;
    std::vector<User> users_;
    std::map<std::string, std::int64_t> steps_;
    std::deque<Next> recent_;
    std::uint64_t made_ = 0;
    const std::uint64_t spell_; ///< so long one topic may be most of what comes
    ChaosEvent::Kind most_ = ChaosEvent::Kind::tied;
    std::optional<ChaosEvent::Kind> favourite_;
};

} // namespace weir::test
