// SPDX-License-Identifier: Apache-2.0
#include "engine/rebuild_feed.hpp"

#include <algorithm>

namespace weir::engine {

namespace {

constexpr std::size_t kPage = 1000;

} // namespace

struct RebuildFeed::Stream {
    broker::Partition partition;
    bool claimed = false;
    std::optional<event::Position> cursor; // the last that was looked at
    std::optional<std::string> incarnation;
    bool at_front = false;
    bool passed = false;
    bool contiguous = false; // the cursor stands right before what comes next
    std::size_t outstanding = 0;
};

/// The worker's consumer: one that was superseded has nothing to say any more.
class RebuildFeed::Reader final : public broker::Consumer {
public:
    explicit Reader(RebuildFeed &feed) : feed_(feed) {}
    std::vector<broker::Partition> partitions() override { return feed_.partitions(); }
    std::string incarnation(const broker::Partition &partition) override { return feed_.incarnation(partition); }
    void claim(const broker::Partition &partition, std::optional<event::Position> stored) override { feed_.claim(partition, stored); }
    void release(const broker::Partition &partition) override { feed_.release(partition); }
    std::vector<std::shared_ptr<const event::Message>> read(const broker::ReadLimits &limits, std::chrono::milliseconds wait) override {
        return feed_.read(limits, wait);
    }
    void ack(std::span<const std::shared_ptr<const event::Message>> messages) override { feed_.ack(messages); }
    void renew(std::chrono::milliseconds) override {}
    std::vector<broker::PartitionLag> lag() override { return {}; }
    void wake() override { feed_.wake(); }

private:
    RebuildFeed &feed_;
};

RebuildFeed::RebuildFeed(broker::Broker &broker, const DomainSpec &spec, const event::Contracts &contracts) : broker_(broker), spec_(spec) {
    for (const std::string &topic : spec.topics) {
        decoders_.emplace(topic, std::make_unique<event::Decoder>(binding_for(spec, topic), contracts));
    }
}

RebuildFeed::~RebuildFeed() = default;

std::unique_ptr<broker::Consumer> RebuildFeed::consumer() {
    const std::lock_guard lock(mutex_);
    streams_.clear();
    return std::make_unique<Reader>(*this);
}

void RebuildFeed::leave_out(std::set<event::Uuid> ids) {
    const std::lock_guard lock(mutex_);
    left_out_ = std::move(ids);
}

void RebuildFeed::tell(std::shared_ptr<KeptTables> kept) {
    const std::lock_guard lock(mutex_);
    kept_ = std::move(kept);
}

void RebuildFeed::prepend(std::vector<std::shared_ptr<const event::Message>> messages) {
    const std::lock_guard lock(mutex_);
    for (auto &message : messages) {
        earlier_[{message->topic, message->partition}].push_back(std::move(message));
    }
    for (auto &[partition, list] : earlier_) {
        std::sort(list.begin(), list.end(), [](const auto &a, const auto &b) { return a->position < b->position; });
    }
}

void RebuildFeed::allow_gaps() {
    const std::lock_guard lock(mutex_);
    gaps_allowed_ = true;
}

void RebuildFeed::set_floors(const std::vector<store::StoredPosition> &floors) {
    const std::lock_guard lock(mutex_);
    for (const store::StoredPosition &floor : floors) {
        floors_[{floor.topic, floor.partition}] = floor;
    }
}

void RebuildFeed::set_decided_through(std::vector<store::StoredPosition> positions) {
    const std::lock_guard lock(mutex_);
    const bool news = positions.size() != through_.size() ||
                      !std::equal(positions.begin(), positions.end(), through_.begin(),
                                  [](const auto &a, const auto &b) { return a.topic == b.topic && a.position == b.position; });
    through_ = std::move(positions);
    if (news) {
        woken_ = true;
        changed_.notify_all();
    }
}

// The caller holds the mutex.
void RebuildFeed::change(Mode mode, Lookup lookup) {
    mode_ = mode;
    lookup_ = std::move(lookup);
    for (auto &[partition, stream] : streams_) {
        stream->at_front = false;
        stream->passed = false;
    }
    woken_ = true;
    changed_.notify_all();
}

// The caller holds the mutex.
void RebuildFeed::to_floors() {
    for (auto &[partition, stream] : streams_) {
        const auto floor = floors_.find(partition);
        if (floor != floors_.end() && stream->cursor && floor->second.position < *stream->cursor) {
            stream->cursor = floor->second.position; // a pass left events out
            stream->contiguous = false;
        }
    }
}

void RebuildFeed::follow(Lookup lookup) {
    const std::lock_guard lock(mutex_);
    to_floors();
    change(Mode::following, std::move(lookup));
}

void RebuildFeed::hold() {
    const std::lock_guard lock(mutex_);
    change(Mode::holding, {});
}

void RebuildFeed::pass(Lookup lookup) {
    const std::lock_guard lock(mutex_);
    to_floors();
    change(Mode::passing, std::move(lookup));
}

std::vector<store::StoredPosition> RebuildFeed::floors() const {
    const std::lock_guard lock(mutex_);
    std::vector<store::StoredPosition> result;
    for (const auto &[partition, stream] : streams_) {
        if (stream->claimed) {
            result.push_back(
                {partition.topic, partition.number, stream->incarnation.value_or(""), stream->cursor.value_or(event::Position{})});
        }
    }
    return result;
}

bool RebuildFeed::at_front() const {
    const std::lock_guard lock(mutex_);
    return mode_ == Mode::following && looked_ &&
           std::all_of(streams_.begin(), streams_.end(), [](const auto &entry) { return entry.second->claimed && entry.second->at_front; });
}

bool RebuildFeed::passed() const {
    const std::lock_guard lock(mutex_);
    return mode_ == Mode::passing &&
           std::all_of(streams_.begin(), streams_.end(), [](const auto &entry) { return entry.second->claimed && entry.second->passed; });
}

std::size_t RebuildFeed::outstanding() const {
    const std::lock_guard lock(mutex_);
    std::size_t sum = 0;
    for (const auto &[partition, stream] : streams_) {
        sum += stream->outstanding;
    }
    return sum;
}

std::uint64_t RebuildFeed::done() const {
    const std::lock_guard lock(mutex_);
    return done_;
}

std::string RebuildFeed::trimmed() const {
    const std::lock_guard lock(mutex_);
    return trimmed_;
}

std::string RebuildFeed::error() const {
    const std::lock_guard lock(mutex_);
    return error_;
}

std::vector<broker::Partition> RebuildFeed::partitions() {
    std::vector<broker::Partition> result;
    for (const broker::TopicInfo &info : broker_.topics()) {
        if (decoders_.contains(info.topic)) {
            for (std::uint32_t number = 0; number < info.partitions; ++number) {
                result.push_back({info.topic, number});
            }
        }
    }
    const std::lock_guard lock(mutex_);
    looked_ = true;
    for (const broker::Partition &partition : result) {
        auto &stream = streams_[partition];
        if (!stream) {
            stream = std::make_unique<Stream>();
            stream->partition = partition;
        }
    }
    return result;
}

std::string RebuildFeed::incarnation(const broker::Partition &partition) {
    const auto first = broker_.browse(partition, std::nullopt, 1);
    const std::string found = first.empty() ? "" : first.front().incarnation;
    const std::lock_guard lock(mutex_);
    if (const auto stream = streams_.find(partition); stream != streams_.end()) {
        stream->second->incarnation = found;
    }
    return found;
}

void RebuildFeed::claim(const broker::Partition &partition, std::optional<event::Position> stored) {
    const std::lock_guard lock(mutex_);
    auto &stream = streams_[partition];
    if (!stream) {
        stream = std::make_unique<Stream>();
        stream->partition = partition;
    }
    stream->claimed = true;
    stream->cursor = stored;
    const auto floor = floors_.find(partition);
    if (floor != floors_.end() && stored && floor->second.position < *stored) {
        stream->cursor = floor->second.position;
    }
    stream->outstanding = 0;
    stream->contiguous = stored.has_value();
    stream->at_front = stream->passed = false;
    woken_ = true;
    changed_.notify_all();
}

void RebuildFeed::release(const broker::Partition &partition) {
    const std::lock_guard lock(mutex_);
    if (const auto stream = streams_.find(partition); stream != streams_.end()) {
        stream->second->claimed = false;
        stream->second->outstanding = 0;
    }
}

std::vector<std::shared_ptr<const event::Message>> RebuildFeed::read(const broker::ReadLimits &limits, std::chrono::milliseconds wait) {
    std::unique_lock lock(mutex_);
    try {
        woken_ = false;
        auto found = collect(limits);
        if (found.empty() && changed_.wait_for(lock, wait, [this] { return woken_; })) {
            found = collect(limits);
        }
        error_.clear();
        return found;
    } catch (const std::exception &failure) {
        error_ = failure.what();
        throw;
    }
}

std::vector<std::shared_ptr<const event::Message>> RebuildFeed::collect(const broker::ReadLimits &limits) {
    std::vector<std::shared_ptr<const event::Message>> out;
    std::size_t bytes = 0;
    if (mode_ == Mode::holding || !trimmed_.empty()) {
        return out;
    }
    for (auto &[partition, stream] : streams_) {
        if (stream->claimed && !stream->passed && out.size() < limits.max_messages && bytes < limits.max_bytes) {
            collect_from(*stream, limits, out, bytes);
        }
    }
    return out;
}

void RebuildFeed::collect_from(Stream &stream, const broker::ReadLimits &limits, std::vector<std::shared_ptr<const event::Message>> &out,
                               std::size_t &bytes) {
    const auto hand_out = [&](std::shared_ptr<const event::Message> message) {
        bytes += message->bytes();
        ++stream.outstanding;
        out.push_back(std::move(message));
    };
    for (const auto &message : earlier_[stream.partition]) {
        if (!stream.cursor || *stream.cursor < message->position) {
            tell_of({message});
            stream.cursor = message->position;
            stream.contiguous = false;
            hand_out(message);
            if (out.size() >= limits.max_messages || bytes >= limits.max_bytes) {
                return;
            }
        }
    }
    std::vector<std::shared_ptr<const event::Message>> page;
    for (event::Message &message : broker_.browse(stream.partition, stream.cursor, std::min(kPage, limits.max_messages - out.size()))) {
        page.push_back(std::make_shared<const event::Message>(std::move(message)));
    }
    if (stream.contiguous && !gaps_allowed_ && !page.empty() && page.front()->two_part_position) {
        // These have gaps: where the first that is kept stands behind the cursor, something unread may have gone.
        const auto first = broker_.browse(stream.partition, std::nullopt, 1);
        if (!first.empty() && *stream.cursor < first.front().position) {
            trimmed_ = "partition " + std::to_string(stream.partition.number) + " of topic " + stream.partition.topic +
                       ", before position " + event::format_position(first.front().position, true);
            return;
        }
    }
    stream.at_front = page.empty();
    stream.passed = page.empty() && mode_ == Mode::passing;
    std::vector<bool> undecided;
    const std::vector<bool> take = wanted(page, undecided);
    std::vector<std::shared_ptr<const event::Message>> taken;
    for (std::size_t i = 0; i < page.size(); ++i) {
        if (take[i]) {
            taken.push_back(page[i]);
        }
    }
    tell_of(taken);
    for (std::size_t i = 0; i < page.size(); ++i) {
        if (undecided[i] && mode_ == Mode::following) {
            stream.at_front = true;
            return;
        }
        const event::Position &position = page[i]->position;
        // Positions of one part have no gaps: what is missing was there when the rebuild began.
        if (stream.contiguous && !gaps_allowed_ && !page[i]->two_part_position && position.high > stream.cursor->high + 1) {
            trimmed_ = "partition " + std::to_string(stream.partition.number) + " of topic " + stream.partition.topic + ", positions " +
                       std::to_string(stream.cursor->high + 1) + " to " + std::to_string(position.high - 1);
            return;
        }
        stream.contiguous = true;
        stream.cursor = position;
        if (take[i]) {
            hand_out(page[i]);
            if (bytes >= limits.max_bytes) {
                return;
            }
        }
    }
}

void RebuildFeed::ack(std::span<const std::shared_ptr<const event::Message>> messages) {
    const std::lock_guard lock(mutex_);
    for (const auto &message : messages) {
        const auto stream = streams_.find({message->topic, message->partition});
        if (stream != streams_.end() && stream->second->outstanding > 0) {
            --stream->second->outstanding;
        }
        if (kept_) {
            kept_->forget(*message);
        }
        ++done_;
    }
}

void RebuildFeed::wake() {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_all();
}

} // namespace weir::engine
