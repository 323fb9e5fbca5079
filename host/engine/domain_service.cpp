// SPDX-License-Identifier: Apache-2.0
#include "engine/domain_service.hpp"

#include "log/log.hpp"

#include <algorithm>

namespace weir::engine {

namespace {

constexpr std::uint32_t kRunAgainAtOnce = 5; // then with a pause: whoever is in the way may need the processor
constexpr auto kRunAgainPause = std::chrono::milliseconds(20);

} // namespace

struct DomainService::LateBox {
    std::mutex mutex;
    const plugin::Module *serving = nullptr; // null: the domain is gone
    Wakeup *bell = nullptr;                  // looked at only where `serving` is set
    std::vector<std::pair<WorkPtr, std::shared_ptr<const HandlerResult>>> arrived;
};

DomainService::DomainService(const DomainSpec &spec, std::shared_ptr<const plugin::Module> module, const Environment &environment,
                             Wakeup &bell)
    : spec_(spec), environment_(environment), bell_(bell), module_(std::move(module)), late_(std::make_shared<LateBox>()) {
    for (const std::string &topic : spec_.topics) {
        decoders_.emplace(topic, std::make_unique<event::Decoder>(binding_for(spec_, topic), *environment_.contracts));
    }
    domain_store_ = environment_.store->domain(spec_.schema);
    for (const std::string &step : domain_store_->migrate(module_->description().schema)) {
        log::info("schema.migrated", step, {{"domain", spec_.name}, {"schema", spec_.schema}});
    }
    std::string reason;
    auto instance = plugin::Instance::create(module_, spec_.name, spec_.schema, spec_.settings_json, reason);
    if (!instance) {
        throw PluginDeclined(reason);
    }
    session_ = domain_store_->open();
    marks_ = std::make_shared<CrashMarks>(environment_.state_directory / "marks", spec_.name);
    attribute_crashes();
    consumer_ = environment_.broker->subscribe({spec_.group, spec_.consumer, spec_.topics, spec_.parallel});
    acknowledger_ = std::make_unique<Acknowledger>(*consumer_, spec_.name);
    reader_ = std::make_unique<EventReader>(
        *consumer_, decoders_, EventReader::Limits{spec_.options.batch_max_events, spec_.options.batch_max_bytes, spec_.name}, bell_);
    partitions_ = std::make_unique<PartitionKeeper>(spec_, *consumer_, *reader_, [this] {
        attribute_crashes();
        load_attempts();
    });
    load_attempts();
    relay_ = std::make_unique<OutboxRelay>(spec_, *domain_store_, *environment_.broker);
    if (!store::is_shadow_schema(spec_.schema)) { // a shadow's ledger is taken over whole
        ledger_keeper_ = std::make_unique<LedgerKeeper>(spec_, *domain_store_);
    }
    make_lanes(std::move(instance));
}

DomainService::~DomainService() {
    {
        const std::lock_guard lock(late_->mutex);
        late_->serving = nullptr;
    }
    ledger_keeper_.reset();
    cycle_.reset();
    lanes_.reset();
    relay_.reset();
    reader_.reset();
    acknowledger_.reset();
}

void DomainService::make_lanes(std::unique_ptr<plugin::Instance> instance) {
    HandlerLanes::Setup setup;
    setup.instance = std::move(instance);
    setup.marks = marks_;
    setup.domain = spec_.name;
    setup.contracts = environment_.contracts;
    setup.budget = spec_.options.handler_budget;
    setup.max_overdue = spec_.options.max_overdue_handlers;
    setup.crash_limit = spec_.options.crash_limit;
    setup.read_alone = [store = domain_store_](std::uint32_t table, const store::Key &key) {
        const auto session = store->open();
        return session->fetch(table, std::span(&key, 1)).front();
    };
    // An overdue handler may outlive the domain: it keeps the box alone.
    setup.late = [box = late_, module = module_.get()](const WorkPtr &work, std::optional<HandlerResult> result) {
        const std::lock_guard lock(box->mutex);
        // What an older generation stated is in terms of its own tables; its event has been given to the next one.
        if (box->serving != module) {
            return;
        }
        box->arrived.emplace_back(work, result ? std::make_shared<const HandlerResult>(std::move(*result)) : nullptr);
        box->bell->ring();
    };
    {
        const std::lock_guard lock(late_->mutex);
        late_->serving = module_.get();
        late_->bell = &bell_;
    }
    cycle_.reset();
    lanes_ = std::make_unique<HandlerLanes>(std::move(setup));
    cycle_ = std::make_unique<BatchCycle>(spec_, module_->description(), *lanes_, gate_, *partitions_, *relay_);
}

// Hosts that died in a handler are counted against the event, in the store, before anything of it runs again.
void DomainService::attribute_crashes() {
    const auto directory = environment_.state_directory / "marks";
    const std::vector<CrashMarks::Found> found = CrashMarks::find(directory, spec_.name);
    if (!found.empty()) {
        std::map<event::Uuid, store::Attempts> known;
        for (const store::Attempts &entry : session_->attempts()) {
            known[entry.event_id] = entry;
        }
        std::vector<store::Attempts> changed;
        for (const CrashMarks::Found &mark : found) {
            store::Attempts &entry = known[mark.event_id];
            entry.event_id = mark.event_id;
            ++entry.crashes;
            entry.last_error =
                "host died in " + mark.handler + " of " + mark.plugin + (mark.signal ? ", signal " + std::to_string(mark.signal) : "");
            std::erase_if(changed, [&](const store::Attempts &other) { return other.event_id == entry.event_id; });
            changed.push_back(entry);
            log::error("handler.crashed", "A host died while a handler ran",
                       {{"domain", spec_.name},
                        {"plugin", mark.plugin},
                        {"handler", mark.handler},
                        {"event_id", mark.event_id.text()},
                        {"topic", mark.topic},
                        {"position", mark.position},
                        {"signal", mark.signal},
                        {"crashes", entry.crashes},
                        {"crash_limit", spec_.options.crash_limit}});
        }
        session_->save_attempts(changed);
    }
    CrashMarks::forget(directory, spec_.name);
}

void DomainService::load_attempts() {
    attempts_.clear();
    for (store::Attempts &entry : session_->attempts()) {
        attempts_[entry.event_id] = std::move(entry);
    }
}

bool DomainService::swap(const std::shared_ptr<const plugin::Module> &next) {
    const plugin::Description &about = next->description();
    std::string reason;
    std::unique_ptr<plugin::Instance> instance;
    try {
        for (const std::string &step : domain_store_->migrate(about.schema)) {
            log::info("schema.migrated", step, {{"domain", spec_.name}, {"schema", spec_.schema}});
        }
        instance = plugin::Instance::create(next, spec_.name, spec_.schema, spec_.settings_json, reason);
    } catch (const store::SchemaWrong &failure) {
        reason = failure.what();
    }
    if (!instance) {
        domain_store_->migrate(module_->description().schema); // sessions opened from now on are for the generation that goes on
        refused_ = "version " + about.version + " (generation " + std::to_string(next->generation()) + ") of plugin " + about.name +
                   " doesn't fit, version " + module_->description().version + " goes on: " + reason;
        log::error("plugin.refused", "A new generation does not fit; the old one goes on",
                   {{"domain", spec_.name},
                    {"plugin", about.name},
                    {"version", about.version},
                    {"generation", next->generation()},
                    {"reason", reason},
                    {"serving", module_->description().version}});
        return false;
    }
    session_ = domain_store_->open();
    module_ = next;
    make_lanes(std::move(instance));
    gate_.give_up_handlers();
    for (const WorkPtr &work : unfinished_) {
        work->running_alone = false;
    }
    log::info("plugin.swapped", "A new generation serves",
              {{"domain", spec_.name}, {"plugin", about.name}, {"version", about.version}, {"generation", next->generation()}});
    return true;
}

void DomainService::take_late() {
    std::vector<std::pair<WorkPtr, std::shared_ptr<const HandlerResult>>> arrived;
    {
        const std::lock_guard lock(late_->mutex);
        arrived.swap(late_->arrived);
    }
    for (auto &[work, result] : arrived) {
        work->running_alone = false;
        work->late = std::move(result);
        gate_.returned(work);
    }
}

void DomainService::admit(EventReader::Read read, std::vector<WorkPtr> &batch) {
    const event::Message &message = *read.event->message;
    if (read.claim != reader_->claim_of(message.topic, message.partition)) {
        return; // read under a lease that was lost since
    }
    auto work = std::make_shared<Work>();
    work->claim = read.claim;
    if (!spec_.parallel) {
        partitions_->seen(message);
        work->order_key.reserve(message.topic.size() + read.event->key.size() + 12);
        work->order_key.append(message.topic)
            .append(1, '\0')
            .append(std::to_string(message.partition))
            .append(1, '\0')
            .append(read.event->key);
    }
    work->event = std::move(read.event);
    if (!attempts_.empty()) {
        if (const auto found = attempts_.find(work->event->id); found != attempts_.end()) {
            work->retries = found->second.retries;
            work->crashes = found->second.crashes;
            work->has_attempts = true;
            // Bounded by the longest delay, in case the clock was set back.
            const auto &delays = spec_.options.retry_delays;
            const auto longest = delays.empty() ? std::chrono::milliseconds(0) : *std::max_element(delays.begin(), delays.end());
            const auto left =
                std::min<std::chrono::microseconds>(std::chrono::microseconds(found->second.retry_at - event::now()), longest);
            attempts_.erase(found);
            if (left.count() > 0) {
                if (!gate_.hold(work)) {
                    gate_.wait_until(work, Clock::now() + left);
                }
                return;
            }
        }
    }
    if (!gate_.hold(work)) {
        batch.push_back(std::move(work));
    }
}

// What is due again comes first, then what was read.
std::vector<WorkPtr> DomainService::assemble() {
    const Options &options = spec_.options;
    const bool full = gate_.events() >= options.hold_max_events || gate_.bytes() >= options.hold_max_bytes;
    reader_->pause(full);
    const std::size_t granted = environment_.budget->take(options.batch_max_events);
    std::vector<WorkPtr> batch = gate_.due(Clock::now(), granted);
    std::size_t bytes = 0;
    for (const WorkPtr &work : batch) {
        bytes += work->event->message->bytes();
    }
    if (!full && batch.size() < granted && bytes < options.batch_max_bytes) {
        for (EventReader::Read &read : reader_->take(granted - batch.size(), options.batch_max_bytes - bytes)) {
            admit(std::move(read), batch);
        }
    }
    environment_.budget->give_back(granted - batch.size());
    more_ = !batch.empty();
    return batch;
}

std::chrono::steady_clock::time_point DomainService::step(Counts &counts) {
    const auto now = Clock::now();
    if (now >= partitions_->next()) {
        try {
            partitions_->keep(*session_);
        } catch (const store::Fenced &) {
            on_fenced();
        }
    }
    if (ledger_keeper_) {
        ledger_keeper_->look(counts.messages, [this] { return gate_.oldest_appended(); });
    }
    take_late();
    if (lanes_->exhausted()) { // nothing further is begun until one returns or another generation comes
        reader_->pause(true);
        return partitions_->next();
    }
    std::vector<WorkPtr> batch = unfinished_.empty() ? assemble() : std::move(unfinished_);
    unfinished_.clear();
    if (!batch.empty()) {
        run_batch(std::move(batch), counts);
        if (run_again_ > kRunAgainAtOnce) {
            return Clock::now() + kRunAgainPause;
        }
        return Clock::time_point::min();
    }
    auto wake = partitions_->next();
    if (const auto due = gate_.next_due(); due && *due < wake) {
        wake = *due;
    }
    return wake;
}

void DomainService::run_batch(std::vector<WorkPtr> batch, Counts &counts) {
    std::vector<std::shared_ptr<const event::Message>> decided;
    try {
        decided = cycle_->run(*session_, batch, counts);
        environment_.budget->give_back(batch.size() - decided.size());
        run_again_ = 0;
    } catch (const store::RunAgain &reason) {
        if (++run_again_ == kRunAgainAtOnce) {
            log::warn("batch.contended", "A batch runs again and again; something else writes the same rows",
                      {{"domain", spec_.name}, {"reason", reason.what()}});
        }
        unfinished_ = std::move(batch);
    } catch (const store::InDoubt &reason) {
        log::warn("batch.in_doubt", "A commit's answer was lost; the ledger will tell",
                  {{"domain", spec_.name}, {"reason", reason.what()}});
        session_ = domain_store_->open();
        unfinished_ = std::move(batch);
    } catch (const store::Fenced &) {
        environment_.budget->give_back(batch.size());
        on_fenced();
    } catch (...) {
        environment_.budget->give_back(batch.size());
        throw;
    }
    if (!decided.empty()) {
        acknowledger_->push({std::move(decided), std::move(batch)});
    }
}

void DomainService::on_fenced() {
    const std::vector<store::Lease> lost = partitions_->leases();
    partitions_->fenced();
    for (const store::Lease &lease : lost) {
        gate_.drop_claims_before(lease.topic, lease.partition, reader_->claim_of(lease.topic, lease.partition));
    }
    unfinished_.clear();
}

void DomainService::drain(Counts &counts) {
    const auto deadline = Clock::now() + spec_.options.drain_timeout;
    reader_->pause(true);
    while (!lanes_->overdue().empty() && Clock::now() < deadline) {
        bell_.wait_until(std::min(deadline, Clock::now() + std::chrono::milliseconds(100)));
        take_late();
    }
    std::vector<WorkPtr> returned = gate_.due(Clock::now(), spec_.options.batch_max_events);
    if (std::any_of(returned.begin(), returned.end(), [](const WorkPtr &work) { return work->late != nullptr; })) {
        run_batch(std::move(returned), counts);
    }
    acknowledger_->flush();
    for (const Overdue &left : lanes_->overdue()) {
        log::error("handler.abandoned", "A handler did not return before the drain timeout; its event stays unacknowledged",
                   {{"domain", spec_.name}, {"handler", left.handler}, {"event_id", left.event_id.text()}});
    }
    marks_->end_orderly();
    partitions_->release(*session_);
}

DomainStatus DomainService::status() const {
    DomainStatus status;
    const plugin::Description &about = module_->description();
    status.name = spec_.name;
    status.plugin = about.name;
    status.plugin_version = about.version;
    status.generation = module_->generation();
    status.partitions = partitions_->reading();
    status.held = gate_.events();
    const std::vector<Overdue> overdue = lanes_->overdue();
    status.overdue = overdue.size();
    const std::string broker_error = reader_->error();
    status.phase = partitions_->standby() ? Phase::standby : Phase::serving;
    if (!overdue.empty()) {
        status.reason = overdue.front().handler + " has not returned for event " + overdue.front().event_id.text() +
                        "; replace the plugin, or raise handler_budget_ms where it only needs longer";
    } else if (!broker_error.empty()) {
        status.reason = broker_error;
    } else if (const std::string relay_error = relay_->error(); !relay_error.empty()) {
        status.reason = "emitted events can't be published: " + relay_error;
    } else if (run_again_ > kRunAgainAtOnce) {
        status.reason = "a batch can't be committed: something else writes the same rows";
    }
    status.ready = status.reason.empty();
    return status;
}

bool DomainService::drained() {
    if (!reader_->empty() || !relay_->idle()) {
        return false;
    }
    const std::vector<broker::PartitionLag> lag = consumer_->lag();
    return std::all_of(lag.begin(), lag.end(), [](const broker::PartitionLag &entry) { return entry.backlog == 0 && entry.pending == 0; });
}

} // namespace weir::engine
