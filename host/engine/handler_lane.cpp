// SPDX-License-Identifier: Apache-2.0
#include "engine/handler_lane.hpp"

#include "alternate_stack.hpp"
#include "engine/kill_point.hpp"
#include "engine/thread_name.hpp"
#include "log/log.hpp"
#include "without_handler.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace weir::engine {

using Clock = std::chrono::steady_clock;

// What the lanes of one domain and generation share; kept by each overdue handler until it returns.
struct HandlerLanes::Common {
    explicit Common(Setup given) : setup(std::move(given)) {
        const plugin::Description &about = setup.instance->module().description();
        plugin_label = about.name + " " + about.version + ", generation " + std::to_string(setup.instance->module().generation());
    }

    Setup setup;
    std::string plugin_label;

    mutable std::mutex mutex;
    std::condition_variable overdue_changed;
    std::vector<Overdue> overdue;

    void add_overdue(const Overdue &entry) {
        const std::lock_guard lock(mutex);
        overdue.push_back(entry);
        ++*setup.overdue;
    }
    void remove_overdue(const event::Uuid &id) {
        const std::lock_guard lock(mutex);
        *setup.overdue -= std::erase_if(overdue, [&](const Overdue &entry) { return entry.event_id == id; });
        overdue_changed.notify_all();
    }
};

// A stretch of events, between the user's thread and a lane. The mutex decides who may touch the rows: the lane while it is attached.
struct HandlerLanes::Range {
    std::vector<WorkPtr> work;
    std::vector<std::size_t> numbers; // of each, for its changes
    std::vector<Ran> ran;
    std::size_t first = 0;      // those before it are done
    Clock::time_point deadline; // when no further handler is begun
    bool at_least_one = true;
    bool cut = false;         // the deadline came
    bool handed_over = false; // a lane has it, or has had it
    std::unordered_set<std::string> *blocked = nullptr;
    store::BatchRows *rows = nullptr;

    std::mutex mutex;
    std::condition_variable changed;
    bool attached = true;
    bool finished = false;
    std::exception_ptr error;
    std::size_t current = 0; // the event whose handler runs
    bool in_handler = false;
    Clock::time_point since; // when it began
    std::string handler;     // its symbol
};

struct HandlerLanes::Lane {
    explicit Lane(std::shared_ptr<Common> shared)
        : common(std::move(shared)), slot(common->setup.marks, common->plugin_label),
          call(common->setup.instance->module().description(), common->setup.domain, common->setup.contracts) {}

    std::shared_ptr<Common> common;
    CrashMarks::Slot slot;
    HandlerCall call;

    std::mutex mutex;
    std::condition_variable changed;
    std::shared_ptr<Range> job;
    bool stop = false;
    std::thread thread;

    void loop();
    bool process(Range &range);
    bool run_one(Range &range, std::size_t index);
    bool reuse_late(Range &range, std::size_t index);
    void take(Range &range, std::size_t index, HandlerResult result);
};

namespace {

std::atomic<int> left_behind_threads{0};

// Of a whole process, over all domains, generations and outages.
constexpr int kMostLeftBehind = 64;

} // namespace

void HandlerLanes::Lane::loop() {
    name_thread("handle", common->setup.domain);
    const AlternateStack signal_stack;
    for (;;) {
        std::shared_ptr<Range> range;
        {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return stop || job; });
            if (!job) {
                return;
            }
            range = std::move(job);
            job = nullptr;
        }
        if (!process(*range)) {
            --left_behind_threads;
            return; // left behind: another lane has taken over
        }
        const std::lock_guard lock(range->mutex);
        range->finished = true;
        range->changed.notify_all();
    }
}

// @return false where the lane was left behind
bool HandlerLanes::Lane::process(Range &range) {
    for (std::size_t i = range.first; i < range.work.size(); ++i) {
        const Work &work = *range.work[i];
        if ((i > 0 || !range.at_least_one) && Clock::now() > range.deadline) {
            range.cut = true;
            return true; // the rest stays held
        }
        if (!work.order_key.empty() && range.blocked->contains(work.order_key)) {
            range.ran[i].state = Ran::State::held;
            continue;
        }
        if (work.running_alone) { // the batch runs again; the handler left behind still has this one
            range.ran[i].state = Ran::State::overdue;
            if (!work.order_key.empty()) {
                range.blocked->insert(work.order_key);
            }
            continue;
        }
        try {
            if (!run_one(range, i)) {
                return false;
            }
        } catch (...) {
            range.error = std::current_exception();
            return true;
        }
    }
    return true;
}

// A result of an overdue handler holds where the rows that it read are still as they were. Where they are not, that counts as a try: a
// handler that is always slower than others are at changing its rows must come to an end.
bool HandlerLanes::Lane::reuse_late(Range &range, std::size_t index) {
    const Work &work = *range.work[index];
    if (!work.late || work.late->generation != common->setup.instance->module().generation()) {
        return false;
    }
    for (const HandlerResult::ReadRow &read : work.late->reads) {
        if (range.rows->read(range.numbers[index], read.table, read.key) != read.row) {
            HandlerResult outdated;
            outdated.status = WEIR_RETRY;
            outdated.error = {"outdated_result", "the handler took longer than handler_budget_ms, and a row that it had read in table " +
                                                     common->setup.instance->module().description().schema.tables[read.table].name +
                                                     " was changed meanwhile"};
            take(range, index, std::move(outdated));
            return true;
        }
    }
    take(range, index, *work.late);
    return true;
}

bool HandlerLanes::Lane::run_one(Range &range, std::size_t index) {
    const Work &work = *range.work[index];
    const event::Event &event = *work.event;
    const plugin::Instance &instance = *common->setup.instance;
    const plugin::HandlerLookup lookup = event.refusal ? plugin::HandlerLookup{} : instance.module().handler(event.type);
    if (event.refusal || !lookup.handler || work.crashes >= common->setup.crash_limit) {
        range.ran[index] = settled_without_handler(event, lookup, work.crashes, common->plugin_label);
        return true;
    }
    if (reuse_late(range, index)) {
        return true;
    }

    const auto read = [&](std::uint32_t table, const store::Key &key) -> std::optional<store::Row> {
        {
            const std::lock_guard lock(range.mutex);
            if (range.attached) {
                return range.rows->read(range.numbers[index], table, key);
            }
        }
        return common->setup.read_alone(table, key);
    };
    {
        const std::lock_guard lock(range.mutex);
        range.current = index;
        range.handler = lookup.symbol;
        range.since = Clock::now();
        range.in_handler = true;
    }
    slot.begin(event, lookup.symbol);
    pass(KillPoint::handler);
    std::optional<HandlerResult> result;
    std::exception_ptr failure;
    try {
        result = call.run(lookup.handler, instance.handle(), event, work.retries + 1, std::ref(read)); // nothing of it to be copied
        if (common->setup.review) {
            common->setup.review(event, *result);
        }
    } catch (...) {
        failure = std::current_exception();
    }
    slot.end();

    const std::unique_lock lock(range.mutex);
    range.in_handler = false;
    if (!range.attached) {
        const WorkPtr mine = range.work[index];
        if (result) {
            result->generation = instance.module().generation();
        }
        common->setup.late(mine, std::move(result));
        common->remove_overdue(event.id);
        return false;
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
    take(range, index, std::move(*result));
    return true;
}

void HandlerLanes::Lane::take(Range &range, std::size_t index, HandlerResult result) {
    const Work &work = *range.work[index];
    if (result.status == WEIR_RETRY && !work.order_key.empty()) {
        range.blocked->insert(work.order_key);
    }
    if (result.status == WEIR_OK && !result.changes.empty()) {
        range.rows->add(range.numbers[index], {work.event->message->appended_at, work.event->id}, std::move(result.changes));
    }
    range.ran[index].state = Ran::State::finished;
    range.ran[index].result = std::move(result);
}

HandlerLanes::HandlerLanes(Setup setup) : common_(std::make_shared<Common>(std::move(setup))), lane_(make_lane()) {}

HandlerLanes::~HandlerLanes() {
    {
        const std::lock_guard lock(lane_->mutex);
        lane_->stop = true;
        lane_->changed.notify_all();
    }
    if (lane_->thread.joinable()) {
        lane_->thread.join();
    }
}

std::shared_ptr<HandlerLanes::Lane> HandlerLanes::make_lane() {
    auto made = std::make_shared<Lane>(common_);
    // The thread keeps its lane: left behind, it is its only owner.
    made->thread = std::thread([made] { made->loop(); });
    return made;
}

bool HandlerLanes::exhausted() const {
    return *common_->setup.overdue >= common_->setup.max_overdue || left_behind_threads >= kMostLeftBehind;
}

int HandlerLanes::left_behind_in_process() noexcept { return left_behind_threads; }

std::vector<Overdue> HandlerLanes::overdue() const {
    const std::lock_guard lock(common_->mutex);
    return common_->overdue;
}

Clock::time_point HandlerLanes::deadline_from_now() const { return Clock::now() + common_->setup.batch_time; }

void HandlerLanes::begin(std::vector<WorkPtr> work, std::vector<std::size_t> numbers, Place place, Clock::time_point deadline,
                         bool at_least_one) {
    auto range = std::make_shared<Range>();
    range->ran.resize(work.size());
    range->work = std::move(work);
    range->numbers = std::move(numbers);
    range->deadline = deadline;
    range->at_least_one = at_least_one;
    range->blocked = &place.blocked;
    range->rows = &place.rows;
    hand_over(std::move(range));
}

HandlerLanes::Stretch HandlerLanes::finish() {
    Stretch result;
    result.ran.resize(begun_ ? begun_->work.size() : 0);
    while (begun_) {
        const std::shared_ptr<Range> range = std::move(begun_);
        begun_ = nullptr;
        if (range->handed_over) {
            const std::size_t reached = await(*range);
            std::move(range->ran.begin() + static_cast<std::ptrdiff_t>(range->first),
                      range->ran.begin() + static_cast<std::ptrdiff_t>(reached),
                      result.ran.begin() + static_cast<std::ptrdiff_t>(range->first));
            if (reached < range->work.size()) { // one was left behind: another lane goes on after it
                auto rest = std::make_shared<Range>();
                rest->work = range->work;
                rest->numbers = range->numbers;
                rest->ran.resize(rest->work.size());
                rest->first = reached;
                rest->deadline = range->deadline;
                rest->blocked = range->blocked;
                rest->rows = range->rows;
                hand_over(std::move(rest));
                continue;
            }
        }
        // What was not reached stays held, and comes first in the next batch.
        result.complete = range->handed_over && !range->cut;
    }
    return result;
}

// Where handlers are exhausted, the range is kept as it is, and nothing of it runs.
void HandlerLanes::hand_over(std::shared_ptr<Range> range) {
    begun_ = range;
    if (exhausted()) {
        return;
    }
    range->handed_over = true;
    const std::lock_guard lock(lane_->mutex);
    lane_->job = std::move(range);
    lane_->changed.notify_all();
}

// Waits until the range is finished or a handler in it is past its budget. @return the index up to which its results stand
std::size_t HandlerLanes::await(Range &range) {
    const auto budget = common_->setup.budget;
    std::unique_lock lock(range.mutex);
    while (!range.changed.wait_for(lock, std::max(budget / 4, std::chrono::milliseconds(1)), [&] { return range.finished; })) {
        if (!range.in_handler || Clock::now() - range.since < budget) {
            continue;
        }
        std::shared_ptr<Lane> next;
        try {
            next = make_lane();
        } catch (const std::exception &failure) { // no thread is to be had: there is nothing but to wait
            log::error("handler.all_overdue", "No thread can be started to leave an overdue handler behind; the domain waits for it",
                       {{"domain", common_->setup.domain}, {"handler", range.handler}, {"reason", failure.what()}});
            range.since = Clock::now();
            continue;
        }
        return leave_behind(range, std::move(next));
    }
    if (range.error) {
        std::rethrow_exception(range.error);
    }
    return range.work.size();
}

std::size_t HandlerLanes::leave_behind(Range &range, std::shared_ptr<Lane> next) {
    const std::size_t index = range.current;
    const Work &work = *range.work[index];
    range.attached = false;
    range.work[index]->running_alone = true;
    range.ran[index].state = Ran::State::overdue;
    if (!work.order_key.empty()) {
        range.blocked->insert(work.order_key);
    }
    common_->add_overdue({range.handler, work.event->id, range.since});
    log::warn("handler.overdue", "A handler is past handler_budget_ms; its event goes on alone, with its key held",
              {{"domain", common_->setup.domain},
               {"plugin", common_->plugin_label},
               {"handler", range.handler},
               {"event_id", work.event->id.text()},
               {"correlation_id", work.event->correlation_id},
               {"topic", work.event->message->topic},
               {"budget_ms", common_->setup.budget.count()}});
    ++left_behind_threads;
    lane_->thread.detach();
    lane_ = std::move(next);
    return index + 1;
}

} // namespace weir::engine
