// SPDX-License-Identifier: Apache-2.0
#include "check.hpp"
#include "events.hpp"
#include "field.hpp"
#include "harm.hpp"
#include "installation.hpp"
#include "model.hpp"
#include "overlap.hpp"
#include "publisher.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>

using namespace weir::test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr const char *kPruned = "chain"; // the domain whose ledger has a horizon
constexpr auto kPatience = 300s;         // for what comes as soon as the machine can
constexpr int kLong = 100;               // kills of a run in which everything happens many times
const std::map<std::string, ChaosEvent::Kind> kWithShards = {
    {"linting", ChaosEvent::Kind::created}, {"chain", ChaosEvent::Kind::stepped}, {"tally", ChaosEvent::Kind::counted}};
const std::vector<std::string> kPoints = {"read", "ledger", "handler", "flush", "commit", "ack", "acked"};

/// One run: events are published piece by piece, and for each piece a host dies and something else goes wrong.
class Run {
public:
    Run()
        : random_(seed()), events_count_(static_cast<std::size_t>(knob("WEIR_TEST_CHAOS_EVENTS", 12'000))),
          kills_wanted_(knob("WEIR_TEST_CHAOS_KILLS", 14)), minutes_(knob("WEIR_TEST_CHAOS_MINUTES", 0)), events_(seed(), events_count_),
          publisher_(field_.redis.socket()), harm_(field_, random_) {
        const std::size_t pieces = static_cast<std::size_t>(std::max(1, kills_wanted_));
        piece_ = std::max<std::size_t>(1, events_count_ / pieces);
        // Generations of a few hundred events, so that hosts die while one is sealed, indexed or pruned.
        field_.set("test.ledger", std::to_string(std::clamp<std::size_t>(events_count_ / 40, 200, 5000)) + "," + kPruned + ":" +
                                      std::to_string(knob("WEIR_TEST_CHAOS_HORIZON_MS", 5000)));
    }

    void run() {
        watch_batches(field_.postgres);
        publish(piece_);
        for (int host = 0; host < ChaosField::kHosts; ++host) {
            start(host);
        }
        const auto end = Clock::now() + std::chrono::minutes(minutes_);
        while (published_ < events_count_ || kills_ < kills_wanted_ || (minutes_ > 0 && Clock::now() < end) || may_go_on_for_more()) {
            const bool is_extra = minutes_ > 0 || published_ >= events_count_;
            const std::size_t left = is_extra ? piece_ : std::min(piece_, events_count_ - published_);
            publish(left / 2);
            keep_up();
            const std::string harm = harm_.next();
            publish(left - left / 2);
            const std::string death = kill_one();
            std::printf("%7.1f s  %zu events, %d kills: %s; %s\n", seconds(), published_, kills_, harm.c_str(), death.c_str());
            std::fflush(stdout);
        }
    }

    void calm_down() {
        for (int host = 0; host < ChaosField::kHosts; ++host) {
            field_.store_proxy(host).disarm();
            field_.broker_proxy(host).disarm();
            field_.host(host).kill(); // what is armed would die in its drain
            field_.start(host);
        }
        // A signal that comes before a host has asked for it ends it as it is.
        require_promise(eventually([&] { return field_.is_up(0) && field_.is_up(1); }, kPatience));
        require_promise(eventually([&] { return field_.decided() >= model_.decided() && field_.left_in_redis() == 0; }, kPatience));
        // What is newer makes what is old go.
        const auto deadline = Clock::now() + kPatience;
        while (field_.generations(kPruned).pruned == 0) {
            publish(10);
            require_promise(Clock::now() < deadline);
            const auto wanted = model_.decided();
            require_promise(eventually([&] { return field_.decided() >= wanted; }, kPatience));
        }
        for (int host = 0; host < ChaosField::kHosts; ++host) {
            field_.host(host).signal(SIGTERM);
        }
        for (int host = 0; host < ChaosField::kHosts; ++host) {
            const auto ended = field_.host(host).wait(kPatience);
            require_promise(ended && ended->exit_code == 0);
        }
        field_.start(0, "", {"--until-drained"});
        const auto ended = field_.host(0).wait(kPatience);
        require_promise(ended && ended->exit_code == 0);
        check_store(field_.postgres, model_, kPruned);
        CHECK(field_.left_in_redis() == 0);
        for (const char *domain : ChaosField::kDomains) {
            INFO(domain);
            const auto generations = field_.generations(domain);
            CHECK(generations.sealed > 0);
            CHECK((generations.pruned > 0) == (domain == std::string(kPruned)));
        }
    }

    void tell() const {
        std::printf("%zu events (%zu decided), %d kills -9 (%d at a named point) in %.1f s\n", published_, model_.decided(), kills_,
                    kills_at_point_, seconds());
        for (const auto &[point, times] : at_point_) {
            std::printf("  killed at %s: %d\n", point.c_str(), times);
        }
        for (const auto &[name, times] : harm_.done()) {
            std::printf("  %s: %d\n", name.c_str(), times);
        }
        int lost = 0;
        int before = 0;
        int refused = 0;
        int rolled_back = 0;
        int acks = 0;
        for (int host = 0; host < ChaosField::kHosts; ++host) {
            const TcpProxy &store = const_cast<ChaosField &>(field_).store_proxy(host);
            const TcpProxy &broker = const_cast<ChaosField &>(field_).broker_proxy(host);
            lost += store.fired(Fault::reply_lost);
            before += store.fired(Fault::cut_before);
            refused += store.fired(Fault::refused);
            rolled_back += store.fired(Fault::rolled_back);
            acks += broker.fired(Fault::reply_lost) + broker.fired(Fault::cut_before);
        }
        std::printf("  COMMIT succeeded and its reply lost: %d; cut before COMMIT: %d; COMMIT refused: %d; answered with ROLLBACK: %d; "
                    "XACK cut: %d\n",
                    lost, before, refused, rolled_back, acks);
        // A long run must have had everything that it is there for.
        const bool is_long = kills_wanted_ >= kLong;
        CHECK(lost + before + refused + rolled_back > 0);
        CHECK(kills_at_point_ > 0);
        if (is_whole()) {
            for (const std::string &point : kPoints) {
                INFO(point);
                CHECK(at_point_.count(point) == 1);
            }
            for (const std::string server : {" of the broker", " of the store"}) {
                for (const std::string what : {"cut", "half close", "refuse", "delay"}) {
                    INFO(what << server);
                    CHECK(harm_.done(what + server) > 0);
                }
                CHECK(harm_.done("stall" + server) + harm_.done("stall beyond patience" + server) > 0);
            }
        }
        if (is_long) {
            CHECK(std::min({lost, before, refused, rolled_back, acks}) > 0);
            CHECK(harm_.done("stall beyond patience of the broker") > 0);
            CHECK(harm_.done("stall beyond patience of the store") > 0);
            CHECK(field_.said("batch.in_doubt") > 0);
        }
        std::printf("  hosts said batch.in_doubt %zu times, event.retry %zu times\n", field_.said("batch.in_doubt"),
                    field_.said("event.retry"));
        for (const auto &[domain, overlap] : overlap_by_domain(field_.postgres)) {
            std::printf("  %s: %zu batches wrote rows, %zu of them beside another of the same host\n", domain.c_str(), overlap.batches,
                        overlap.side_by_side);
            INFO(domain);
            CHECK(overlap.batches > 0);
            if (domain == "knot") { // one shard; but a batch whose connection was cut may still be at work in the server
                CHECK(overlap.side_by_side * 20 <= overlap.batches);
            } else if (is_whole()) {
                CHECK(overlap.side_by_side > 0);
            }
        }
        for (const char *domain : ChaosField::kDomains) {
            const auto generations = field_.generations(domain);
            std::printf("  ledger of %s: %zu generations sealed, %zu of them pruned\n", domain, generations.sealed, generations.pruned);
        }
    }
    int kills() const { return kills_; }

private:
    void require_promise(bool kept) {
        INFO("decided " << field_.decided() << " of " << model_.decided() << ", left in Redis " << field_.left_in_redis() << "\n"
                        << field_.tail_of_logs());
        REQUIRE(kept);
    }
    /// Enough kills for one harm of each kind, and for each point.
    bool is_whole() const { return kills_wanted_ >= Harm::kKinds; }

    /// Chance may have left out a point, or batches of two shards in a short run: goes on then, for at most as many kills again, with most
    /// events of a domain that lacks them.
    bool may_go_on_for_more() {
        if (!is_whole() || kills_ >= 2 * kills_wanted_) {
            return false;
        }
        events_.favour({});
        try {
            const auto overlaps = overlap_by_domain(field_.postgres);
            for (const auto &[domain, kind] : kWithShards) {
                const auto found = overlaps.find(domain);
                if (found == overlaps.end() || found->second.side_by_side == 0) {
                    events_.favour(kind);
                    return true;
                }
            }
        } catch (const std::runtime_error &) { // away for the moment
            return true;
        }
        return at_point_.size() < kPoints.size();
    }
    double seconds() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }

    void publish(std::size_t count) {
        std::vector<ChaosMessage> messages;
        for (std::size_t i = 0; i < count; ++i) {
            ChaosEvents::Next next = events_.next();
            model_.apply(next.event);
            messages.push_back(std::move(next.message));
        }
        publisher_.publish(messages);
        published_ += count;
    }

    /// Hosts may be behind, so that whatever happens happens under load, but not without an end.
    void keep_up() {
        const std::size_t behind = 2 * piece_;
        const std::size_t wanted = model_.decided() - std::min(model_.decided(), behind);
        const auto deadline = Clock::now() + kPatience;
        while (field_.decided() < wanted) {
            for (int host = 0; host < ChaosField::kHosts; ++host) {
                revive(host);
            }
            require_promise(Clock::now() < deadline);
        }
    }

    void start(int host) {
        const bool at_point = random_() % 10 < 7;
        if (points_.empty()) { // each comes once before any comes twice
            points_.assign(kPoints.begin(), kPoints.end());
            std::shuffle(points_.begin(), points_.end(), random_);
        }
        const std::string point = points_.back();
        if (at_point) {
            points_.pop_back();
        }
        const std::uint64_t passes = 1 + random_() % (missed_.count(point) ? 1 : point == "handler" ? 200 : 6);
        armed_[host] = at_point ? point : "";
        field_.start(host, at_point ? point + ":" + std::to_string(passes) : "");
    }

    /// Starts a host that has died. @return whether it had
    bool revive(int host) {
        if (field_.running(host)) {
            return false;
        }
        field_.require_sound(host);
        ++kills_;
        if (!armed_[host].empty()) {
            ++kills_at_point_;
            ++at_point_[armed_[host]];
        }
        start(host);
        return true;
    }

    std::string kill_one() {
        const int host = static_cast<int>(random_() % ChaosField::kHosts);
        const std::chrono::milliseconds moment(random_() % 300);
        const std::string point = armed_[host];
        const auto patience =
            point.empty() ? moment
                          : std::chrono::milliseconds(
                                3000 * std::min(slowness(), 3)); // it may never come there, and from 10 s on `wait` has more patience
        std::string how = "host " + std::to_string(host) + " dies at ";
        if (field_.host(host).wait(patience)) {
            how += point;
        } else {
            how += "some moment";
            field_.host(host).kill();
            if (!point.empty()) { // its turn comes again at once, and the first time that it is passed
                points_.push_back(point);
                missed_.insert(point);
            }
            armed_[host].clear();
        }
        revive(host);
        revive(1 - host);
        return how;
    }

    std::mt19937_64 random_;
    const std::size_t events_count_;
    const int kills_wanted_;
    const int minutes_;
    std::size_t piece_ = 0;
    ChaosField field_{true};
    ChaosEvents events_;
    ChaosModel model_;
    StreamPublisher publisher_;
    Harm harm_;
    std::size_t published_ = 0;
    int kills_ = 0;
    int kills_at_point_ = 0;
    std::map<std::string, int> at_point_;
    std::vector<std::string> points_; ///< not dealt out yet
    std::set<std::string> missed_;    ///< to which a host didn't come once
    std::string armed_[ChaosField::kHosts];
    const Clock::time_point began_ = Clock::now();
};

} // namespace

TEST_CASE("Whatever is killed, cut, frozen or restarted: nothing is lost, nothing is doubled, and keys keep their order") {
    Run run;
    run.run();
    run.calm_down();
    run.tell();
    CHECK(run.kills() >= knob("WEIR_TEST_CHAOS_KILLS", 14));
}
