// SPDX-License-Identifier: Apache-2.0
#include "engine/event_reader.hpp"

#include "engine/kill_point.hpp"
#include "engine/thread_name.hpp"

#include <algorithm>

namespace weir::engine {

namespace {
constexpr auto kFullWait = std::chrono::milliseconds(250); // while nothing may be read: a ring ends it
constexpr auto kWakeAgain = std::chrono::milliseconds(5);  // a read that was only about to wait misses the first call
constexpr auto kFirstBackoff = std::chrono::milliseconds(50);
constexpr auto kLastBackoff = std::chrono::milliseconds(2000);
} // namespace

EventReader::EventReader(broker::Consumer &consumer, const std::map<std::string, std::unique_ptr<event::Decoder>> &decoders, Limits limits,
                         Wakeup &ready, std::shared_ptr<WorkInHand> in_hand, std::shared_ptr<BatchesUnderWay> under_way)
    : consumer_(consumer), decoders_(decoders), limits_(limits), ready_(ready), in_hand_(std::move(in_hand)),
      under_way_(std::move(under_way)), busy_(under_way_), thread_([this] { loop(); }) {}

EventReader::~EventReader() {
    stop_ = true;
    mine_.ring();
    consumer_.wake();
    thread_.join();
    in_hand_->read(0);
}

EventReader::Limits EventReader::limits_of(const DomainSpec &spec) {
    const Options &options = spec.options;
    const std::size_t read_events = options.read_max_events > 0 ? options.read_max_events : (options.batch_max_events + 1) / 2;
    return {options.batch_max_events, options.batch_max_bytes, read_events, options.read_wait, spec.name};
}

void EventReader::loop() {
    name_thread("read", limits_.domain);
    auto backoff = kFirstBackoff;
    while (!stop_) {
        try {
            read_once();
            backoff = kFirstBackoff;
            continue;
        } catch (const broker::Misconfigured &failure) {
            set_trouble({failure.what(), true});
        } catch (const std::exception &failure) {
            set_trouble({failure.what(), false});
        }
        {
            const std::lock_guard lock(mutex_);
            say_busy(); // by what is left of what was read before
        }
        ready_.ring();
        mine_.wait_for(backoff);
        backoff = std::min(backoff * 2, kLastBackoff);
    }
}

/// What of a limit is this domain's: memory is shared with others that are busy.
std::size_t EventReader::share_of(std::size_t limit) const { return under_way_->is_crowded() ? (limit + 1) / 2 : limit; }

// A queue that is half full after a read is one that grows; a nearly empty one comes from a domain that keeps up. In between nothing
// changes, so that one batch more or less doesn't.
void EventReader::say_busy() {
    const auto is_past = [this](std::size_t share) {
        return share * queue_.size() >= limits_.batch_events || share * queued_bytes_ >= limits_.batch_bytes;
    };
    if (is_past(2)) {
        busy_.say(true);
    } else if (!is_past(8)) {
        busy_.say(false);
    }
}

void EventReader::set_trouble(Trouble trouble) {
    const std::lock_guard lock(mutex_);
    trouble_ = std::move(trouble);
}

void EventReader::read_once() {
    bool wait = false;
    {
        const std::lock_guard lock(mutex_);
        wait = paused_ || queue_.size() >= share_of(limits_.batch_events) || queued_bytes_ >= share_of(limits_.batch_bytes);
        if (paused_) {
            busy_.say(false); // it does nothing that others would have to make room for
        }
    }
    if (wait) {
        mine_.wait_for(kFullWait);
        return;
    }
    if (unqueued_.empty()) {
        read_in_turn();
        if (!unqueued_.empty()) {
            pass(KillPoint::read);
        }
    }
    take_up();
}

// Decodes and queues what was read: all of it, or where that fails nothing, and then again.
void EventReader::take_up() {
    std::vector<Read> read;
    read.reserve(unqueued_.size());
    std::size_t bytes = 0;
    broker::Partition partition;
    event::Decoder *decoder = nullptr;
    std::uint64_t claim = 0;
    for (const auto &message : unqueued_) {
        if (message->partition != partition.number || message->topic != partition.topic) { // they come in runs
            partition = {message->topic, message->partition};
            const auto found = decoders_.find(message->topic);
            decoder = found == decoders_.end() ? nullptr : found->second.get();
            claim = unqueued_claims_[partition];
        }
        if (!decoder) {
            continue; // a topic that was not asked for; it stays pending, and nobody's
        }
        bytes += message->bytes();
        read.push_back({std::make_shared<const event::Event>(decoder->decode(message)), claim});
    }
    bool news = !read.empty();
    {
        const std::lock_guard lock(mutex_);
        news = news || !trouble_.reason.empty();
        const std::size_t queued = queue_.size();
        try {
            std::move(read.begin(), read.end(), std::back_inserter(queue_));
        } catch (...) {
            queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(queued), queue_.end());
            throw;
        }
        trouble_ = {};
        queued_bytes_ += bytes;
        in_hand_->read(queue_.size());
        say_busy();
    }
    unqueued_.clear();
    if (news) {
        ready_.ring();
    }
}

std::vector<EventReader::Read> EventReader::take(std::size_t max_events, std::size_t max_bytes) {
    std::vector<Read> result;
    {
        const std::lock_guard lock(mutex_);
        std::size_t bytes = 0;
        while (!queue_.empty() && result.size() < max_events) {
            const std::size_t next = queue_.front().event->message->bytes();
            if (!result.empty() && bytes + next > max_bytes) {
                break;
            }
            bytes += next;
            result.push_back(std::move(queue_.front()));
            queue_.pop_front();
        }
        queued_bytes_ -= bytes;
        in_hand_->read(queue_.size());
    }
    if (!result.empty()) {
        mine_.ring();
    }
    return result;
}

bool EventReader::empty() const {
    const std::lock_guard lock(mutex_);
    return queue_.empty();
}

void EventReader::pause(bool paused) {
    const std::lock_guard lock(mutex_);
    if (paused_ != paused) {
        paused_ = paused;
        mine_.ring();
    }
}

void EventReader::read_in_turn() {
    {
        std::unique_lock turn(turn_mutex_);
        turn_changed_.wait(turn, [this] { return claiming_ == 0; });
        const std::lock_guard lock(mutex_);
        unqueued_claims_ = claims_;
        reading_ = true;
    }
    const auto end_turn = [this] {
        const std::lock_guard turn(turn_mutex_);
        reading_ = false;
        turn_changed_.notify_all();
    };
    try {
        unqueued_ = consumer_.read({share_of(limits_.read_events), share_of(limits_.batch_bytes)}, limits_.read_wait);
        end_turn();
    } catch (...) {
        end_turn();
        throw;
    }
}

void EventReader::next_claim(const broker::Partition &partition, const std::function<void()> &change) {
    std::unique_lock turn(turn_mutex_);
    ++claiming_;
    while (reading_) {
        consumer_.wake();
        turn_changed_.wait_for(turn, kWakeAgain);
    }
    {
        const std::lock_guard lock(mutex_);
        ++claims_[partition];
    }
    const auto end_turn = [this] {
        --claiming_;
        turn_changed_.notify_all();
    };
    try {
        change();
    } catch (...) {
        end_turn();
        throw;
    }
    end_turn();
}

std::uint64_t EventReader::claim_of(const std::string &topic, std::uint32_t partition) const {
    const std::lock_guard lock(mutex_);
    const auto found = claims_.find({topic, partition});
    return found == claims_.end() ? 0 : found->second;
}

EventReader::Trouble EventReader::trouble() const {
    const std::lock_guard lock(mutex_);
    return trouble_;
}

} // namespace weir::engine
