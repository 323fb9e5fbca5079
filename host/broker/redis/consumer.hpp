// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "connection.hpp"
#include "entry.hpp"
#include "in_hand.hpp"
#include "topic.hpp"

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <tuple>

namespace weir::broker::redis {

/// One stream as this consumer reads it.
struct Share {
    std::uint64_t epoch = 0; ///< of the claim; answers to what was asked under an earlier one are of no use
    bool bound = false;      ///< false: the stream is not there (any more), and is looked for
    bool settled = false;    ///< what is pending under other names has been looked through; else that comes before anything is read
    std::optional<Clock::time_point> superseded; ///< since when another consumer has a later claim; it is not read then
    std::string key;
    Origin origin;
    std::optional<Position> stored;         ///< where the store says that the group stands; parallel: up to where it is surely done
    std::optional<Position> newest;         ///< the last entry that came as a new one
    bool history_done = false;              ///< what the group holds for this consumer's name has been read up to its end
    Position history_cursor;                ///< how far it has been read
    InHand in_hand;                         ///< fetched, not acknowledged
    std::map<Position, std::uint32_t> gone; ///< pending under another's name, removed from the stream, to be handed out; with deliveries
    std::set<Position> gone_in_hand;        ///< those that were
    Position left_cursor;                   ///< parallel: how far the group was looked through for what others left
    std::size_t mean_bytes = 256;           ///< of an entry, lately
};

/// A consumer has two connections: one for the thread in `read`, which may have a blocking command under way when `read` returns, the other
/// for whoever holds `control_mutex_`. Locks are taken in the order control, state; nobody waits for the server with the state locked.
///
/// A connection that reads has a consumer name of its own, `NAME~CLAIM.CONNECTION`: what the server still gives to a connection that was
/// lost, or to a host that was taken over, stands under another name than ours and so is seen; and of two hosts the one with the later
/// claim is right (docs/decisions/0021).
class RedisConsumer : public Consumer {
public:
    RedisConsumer(const RedisOptions &options, Subscription subscription);
    ~RedisConsumer() override;

    std::vector<Partition> partitions() override;
    std::string incarnation(const Partition &partition) override;
    void claim(const Partition &partition, std::optional<Position> stored) override;
    void release(const Partition &partition) override;
    std::vector<std::shared_ptr<const Message>> read(const ReadLimits &limits, std::chrono::milliseconds wait) override;
    void ack(std::span<const std::shared_ptr<const Message>> messages) override;
    void renew(std::chrono::milliseconds idle) override;
    std::vector<Done> done() override;
    std::vector<PartitionLag> lag() override;
    void wake() override;

private:
    using Messages = std::vector<std::shared_ptr<const Message>>;
    using AckKey = std::tuple<std::string, std::string, std::uint32_t>; ///< topic, incarnation, partition
    /// What the answers under way belong to.
    struct Asked {
        enum class Kind : std::uint8_t { nothing, history, fresh };
        struct Part {
            Partition partition;
            std::uint64_t epoch;
            std::string key;
        };
        Kind kind = Kind::nothing;
        std::vector<Part> parts;
        std::size_t count = 0; ///< entries asked for of each
    };
    /// A pending entry that is to be taken over.
    struct Left {
        Position position;
        std::uint32_t deliveries = 0;
        bool known = false; ///< in hand already; only the name is to change
    };

    // read.cpp: on the reading thread
    Messages hand_out(const ReadLimits &limits, bool all);
    bool ask(const ReadLimits &limits, Clock::time_point deadline);
    bool ask_history(const ReadLimits &limits);
    bool ask_fresh(const ReadLimits &limits, std::chrono::milliseconds wait);
    void look_around();
    void connected();
    void settle_all();
    bool take_answers();
    void take_history(std::span<const Reply *const> answers);
    void take_fresh(std::span<const Reply *const> answers);
    void look_for_theft(std::span<const Reply *const> answers);
    std::size_t count_for(const ReadLimits &limits, std::size_t streams);

    // groups.cpp: with control_mutex_ held
    std::map<std::string, std::vector<Stream>> find();
    void bind(const Stream &stream, std::optional<Position> stored);
    void bind_found(const std::map<std::string, std::vector<Stream>> &found);
    void check_incarnations();
    void be_latest(const std::string &key);
    void restore(const Partition &partition);
    bool flush_acks();
    void unblock();
    void leave() noexcept;

    // takeover.cpp: with control_mutex_ held
    void settle(const Partition &partition);
    void settled(const Partition &partition);
    bool has_foreign(const Partition &partition, const std::vector<std::string> &others);
    void take_over(const Partition &partition, const std::string &key);
    void take_left(const Partition &partition, std::chrono::milliseconds idle, std::size_t pages);
    void keep_own(const std::string &key);
    std::set<std::string> living(const std::string &key, std::chrono::milliseconds idle);
    std::vector<Left> existing(const Partition &partition, const std::string &key, const std::vector<Left> &left);
    void give_to_us(const Partition &partition, const std::string &key, const std::vector<Left> &left, bool hand_out,
                    std::chrono::milliseconds idle);

    // with state_mutex_ held
    void fetch(Share &share, std::shared_ptr<Message> message);
    void fetch_gone(Share &share, const Position &before);
    void read_history_from(Share &share, const Position &cursor);
    void drop_fetched(const Partition &partition);
    static void put_back(Share &share, const Position &position);
    void forget_fetched();
    Share *share_of(const Asked::Part &part);
    static bool is_read(const Share &share) { return share.bound && !share.superseded; }

    std::string name(); ///< takes state_mutex_
    std::string new_name() const;
    static std::optional<std::uint64_t> claim_in(std::string_view consumer); ///< nothing where it is no name of Weir's
    static std::uint64_t claim_of(std::string_view consumer) { return claim_in(consumer).value_or(0); }
    std::optional<Position> done_before(const Partition &partition, const std::string &incarnation) const;
    bool is_ours(std::string_view consumer) const; ///< a name of this process and domain, this connection's or a former one's

    const RedisOptions options_;
    const Subscription subscription_;
    const std::string own_prefix_;
    Bell bell_;
    std::atomic<bool> woken_{false};

    Connection reader_; ///< the reading thread's, as is what follows
    Asked asked_;
    std::vector<Partition> full_; ///< that gave as much as was asked of them, so that they may have more
    bool was_connected_ = false;
    Clock::time_point blocked_until_;
    std::size_t last_count_ = 0;
    Clock::time_point look_at_ = Clock::time_point::min();
    std::atomic<std::int64_t> blocked_client_{0}; ///< the reader, while a blocking command of it may be under way

    std::mutex control_mutex_;
    Connection control_;
    std::map<AckKey, std::vector<Position>> acks_; ///< the server hasn't heard them yet; control_mutex_
    std::atomic<bool> acks_waiting_{false};

    std::mutex state_mutex_;
    std::uint64_t claim_ = 0; ///< ordered: later than any that was seen where this consumer has claimed
    std::string name_;
    std::map<Partition, Share> shares_;
    std::map<Partition, std::string> keys_;              ///< of all partitions that were ever read
    std::deque<std::shared_ptr<const Message>> fetched_; ///< got from the server, not yet handed out
    std::size_t fetched_bytes_ = 0;
    std::chrono::milliseconds lease_{0}; ///< parallel: for how long they stay ours without being renewed
    Clock::time_point kept_at_;          ///< when they were fetched or renewed last
    std::uint64_t epoch_ = 0;
    std::size_t turn_ = 0;
};

} // namespace weir::broker::redis
