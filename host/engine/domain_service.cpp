// SPDX-License-Identifier: Apache-2.0
#include "engine/domain_service.hpp"

#include "engine/crash_attribution.hpp"
#include "log/log.hpp"

#include <algorithm>

namespace weir::engine {

struct DomainService::LateBox {
    std::mutex mutex;
    const plugin::Module *serving = nullptr; // null: the domain is gone
    Wakeup *bell = nullptr;                  // looked at only where `serving` is set
    std::vector<std::pair<WorkPtr, std::shared_ptr<const HandlerResult>>> arrived;
};

DomainService::DomainService(const DomainSpec &spec, std::shared_ptr<const plugin::Module> module, const Environment &environment,
                             Wakeup &bell)
    : spec_(spec), environment_(environment), bell_(bell), module_(std::move(module)), late_(std::make_shared<LateBox>()),
      relay_bell_(std::make_shared<RelayBell>()) {
    for (const std::string &topic : spec_.topics) {
        decoders_.emplace(topic, std::make_unique<event::Decoder>(binding_for(spec_, topic), *environment_.contracts));
    }
    domain_store_ = environment_.store->domain(spec_.schema);
    for (const std::string &step : domain_store_->migrate(schema_of(*module_))) {
        log::info("schema.migrated", step, {{"domain", spec_.name}, {"schema", spec_.schema}});
    }
    std::string reason;
    const std::shared_ptr<plugin::Instance> instance =
        plugin::Instance::create(module_, spec_.name, spec_.schema, spec_.settings_json, reason);
    if (!instance) {
        throw PluginDeclined(reason);
    }
    serve_routes(instance); // before the broker is asked: what reads can be answered while it is away
    session_ = domain_store_->open();
    marks_ = std::make_shared<CrashMarks>(environment_.state_directory / "marks", spec_.name);
    attribute_crashes(environment_.state_directory / "marks", spec_, *session_);
    consumer_ = environment_.broker->subscribe({spec_.group, spec_.consumer, spec_.topics, spec_.parallel});
    acknowledger_ = std::make_unique<Acknowledger>(*consumer_, spec_.name);
    reader_ = std::make_unique<EventReader>(*consumer_, decoders_, EventReader::limits_of(spec_), bell_);
    partitions_ = std::make_unique<PartitionKeeper>(spec_, *consumer_, *reader_, [this] {
        attribute_crashes(environment_.state_directory / "marks", spec_, *session_);
        dealer_->load_attempts(*session_);
    });
    dealer_ = std::make_unique<EventDealer>(spec_, *reader_, *partitions_, *environment_.budget);
    dealer_->load_attempts(*session_);
    relay_ = std::make_unique<OutboxRelay>(spec_, *domain_store_, *environment_.broker);
    relay_bell_->hang(relay_.get());
    if (!store::is_shadow_schema(spec_.schema)) { // a shadow's ledger is taken over whole
        ledger_keeper_ = std::make_unique<LedgerKeeper>(spec_, *domain_store_);
    }
    serve_with(instance);
}

DomainService::~DomainService() {
    {
        const std::lock_guard lock(late_->mutex);
        late_->serving = nullptr;
    }
    ledger_keeper_.reset();
    for (const auto &shard : shards_) {
        shard->close();
    }
    shards_.clear();
    relay_bell_->hang(nullptr);
    relay_.reset();
    reader_.reset();
    acknowledger_.reset();
}

// One where keys may depend on each other: a row that refers to another key's, or a value that only one of them may have.
std::size_t DomainService::shards_wanted() const {
    const store::Schema &schema = module_->description().schema;
    const bool is_entangled = std::any_of(schema.tables.begin(), schema.tables.end(), [](const store::Table &table) {
        return !table.references.empty() ||
               std::any_of(table.indexes.begin(), table.indexes.end(), [](const store::Index &index) { return index.unique; });
    });
    return is_entangled ? 1 : std::min<std::size_t>(spec_.options.shards, domain_store_->batches_at_once());
}

void DomainService::make_shards(std::size_t number) {
    for (const auto &shard : shards_) {
        shard->close();
    }
    std::vector<std::unique_ptr<Shard>> shards;
    for (std::size_t i = 0; i < number; ++i) {
        shards.push_back(std::make_unique<Shard>(*domain_store_, bell_, spec_.name, number > 1));
    }
    shards_ = std::move(shards);
}

HandlerLanes::Setup DomainService::handlers_setup(std::shared_ptr<plugin::Instance> instance) const {
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
    return setup;
}

// The current module's handlers, in every shard.
void DomainService::serve_with(const std::shared_ptr<plugin::Instance> &instance) {
    {
        const std::lock_guard lock(late_->mutex);
        late_->serving = module_.get();
        late_->bell = &bell_;
    }
    if (shards_.empty()) {
        make_shards(shards_wanted());
    }
    const HandlerLanes::Setup setup = handlers_setup(instance); // its handlers may run on several threads [weir/abi/plugin.h]
    for (const auto &shard : shards_) {
        shard->serve(std::make_unique<HandlerLanes>(setup), [this](HandlerLanes &handlers, KeyGate &gate) {
            return std::make_unique<BatchCycle>(spec_, module_->description(), handlers, gate, *partitions_, *relay_);
        });
    }
}

bool DomainService::swap(const std::shared_ptr<const plugin::Module> &next, Counts &counts) {
    settle_down(counts);
    const plugin::Description &about = next->description();
    std::string reason;
    std::unique_ptr<plugin::Instance> instance;
    try {
        for (const std::string &step : domain_store_->migrate(schema_of(*next))) {
            log::info("schema.migrated", step, {{"domain", spec_.name}, {"schema", spec_.schema}});
        }
        instance = plugin::Instance::create(next, spec_.name, spec_.schema, spec_.settings_json, reason);
    } catch (const store::SchemaWrong &failure) {
        reason = failure.what();
    }
    if (!instance) {
        domain_store_->migrate(schema_of(*module_)); // sessions opened from now on are for the generation that goes on
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
    for (const auto &shard : shards_) {
        shard->gate().give_up_handlers();
        for (const WorkPtr &work : shard->unfinished()) {
            work->running_alone = false;
        }
    }
    const std::shared_ptr<plugin::Instance> serving = std::move(instance);
    serve_routes(serving);
    serve_with(serving);
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
        for (const auto &shard : shards_) {
            shard->gate().returned(work); // the others don't know it
        }
    }
}

std::chrono::steady_clock::time_point DomainService::step(Counts &counts) {
    look_at_ended(counts);
    const auto now = Clock::now();
    if (now >= partitions_->next()) {
        try {
            partitions_->keep(*session_);
        } catch (const store::Fenced &) {
            settle_down(counts);
            on_fenced();
        }
    }
    if (ledger_keeper_) {
        ledger_keeper_->look(counts.messages, [this] {
            event::Micros oldest = event::kLatest;
            for (const auto &shard : shards_) {
                oldest = std::min(oldest, shard->gate().oldest_appended());
            }
            return oldest;
        });
    }
    take_late();
    if (std::any_of(shards_.begin(), shards_.end(), [](const auto &shard) { return shard->handlers().exhausted(); })) {
        reader_->pause(true); // nothing further is begun until one returns or another generation comes
        return partitions_->next();
    }
    if (begin_batches()) {
        return Clock::time_point::min();
    }
    if (is_idle()) {
        save_positions();
    }
    auto wake = partitions_->next();
    for (const auto &shard : shards_) {
        if (!shard->is_idle()) {
            continue; // it will ring
        }
        if (shard->has_unfinished()) {
            wake = std::min(wake, shard->again_at());
        } else if (const auto due = shard->gate().next_due()) {
            wake = std::min(wake, *due);
        }
    }
    return wake;
}

// @return whether one has ended already
bool DomainService::begin_batches() {
    bool ended = false;
    for (const auto &shard : shards_) {
        if (!shard->is_idle() || (shard->has_unfinished() && Clock::now() < shard->again_at())) {
            continue;
        }
        std::vector<WorkPtr> batch = shard->has_unfinished() ? shard->take_unfinished() : dealer_->assemble(shards_, *shard);
        if (!batch.empty()) {
            shard->start(std::move(batch), partitions_->leases());
            ended = ended || shard->has_ended();
        }
    }
    return ended;
}

void DomainService::look_at_ended(Counts &counts) {
    bool fenced = false;
    std::exception_ptr failure;
    for (const auto &shard : shards_) {
        if (shard->has_ended()) {
            take_end(shard->look(counts), fenced, failure);
        }
    }
    if (fenced || failure) { // what others have done is counted before anything is dropped
        for (const auto &shard : shards_) {
            shard->wait();
            if (shard->has_ended()) {
                take_end(shard->look(counts), fenced, failure);
            }
        }
    }
    if (fenced) {
        on_fenced();
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
}

// Afterwards no batch runs.
void DomainService::settle_down(Counts &counts) {
    for (const auto &shard : shards_) {
        shard->wait();
    }
    look_at_ended(counts);
}

void DomainService::take_end(Shard::Ended ended, bool &fenced, std::exception_ptr &failure) {
    environment_.budget->give_back(ended.undecided);
    fenced = fenced || ended.fenced;
    failure = failure ? failure : ended.failure;
    if (!ended.decided.empty()) {
        try {
            acknowledger_->push({std::move(ended.decided), std::move(ended.batch)});
        } catch (...) {
            failure = failure ? failure : std::current_exception();
        }
    }
}

void DomainService::on_fenced() {
    const std::vector<store::Lease> lost = partitions_->leases();
    partitions_->fenced();
    for (const auto &shard : shards_) {
        for (const store::Lease &lease : lost) {
            shard->gate().drop_claims_before(lease.topic, lease.partition, reader_->claim_of(lease.topic, lease.partition));
        }
        environment_.budget->give_back(shard->drop_unfinished());
    }
}

bool DomainService::is_idle() const {
    return std::all_of(shards_.begin(), shards_.end(), [](const auto &shard) { return shard->is_idle() && !shard->has_unfinished(); });
}

// Each batch saves what it reaches by itself; of two that ended together, neither knew of the other's events.
void DomainService::save_positions() {
    if (spec_.parallel || shards_.size() == 1) {
        return;
    }
    if (const auto positions = partitions_->positions_with({}); !positions.empty()) {
        session_->save_positions(positions);
        partitions_->saved(positions);
    }
}

std::vector<Overdue> DomainService::overdue_handlers() const {
    std::vector<Overdue> all;
    for (const auto &shard : shards_) {
        const std::vector<Overdue> some = shard->handlers().overdue();
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

void DomainService::drain(Counts &counts) {
    const auto deadline = Clock::now() + spec_.options.drain_timeout;
    reader_->pause(true);
    settle_down(counts);
    while (overdue() > 0 && Clock::now() < deadline) {
        bell_.wait_until(std::min(deadline, Clock::now() + std::chrono::milliseconds(100)));
        take_late();
    }
    for (const auto &shard : shards_) {
        std::vector<WorkPtr> returned = shard->gate().due(Clock::now(), spec_.options.batch_max_events);
        if (std::any_of(returned.begin(), returned.end(), [](const WorkPtr &work) { return work->late != nullptr; })) {
            shard->start(std::move(returned), partitions_->leases());
        }
    }
    settle_down(counts);
    save_positions();
    acknowledger_->flush();
    for (const Overdue &left : overdue_handlers()) {
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
    status.missing_topics = partitions_->missing_topics();
    for (const auto &shard : shards_) {
        status.held += shard->gate().events();
    }
    const std::vector<Overdue> overdue = overdue_handlers();
    status.overdue = overdue.size();
    const EventReader::Trouble trouble = reader_->trouble();
    status.phase = partitions_->standby() ? Phase::standby : Phase::serving;
    if (!overdue.empty()) {
        status.reason = overdue.front().handler + " has not returned for event " + overdue.front().event_id.text() +
                        "; replace the plugin, or raise handler_budget_ms where it only needs longer";
    } else if (!trouble.reason.empty()) {
        status.reason = trouble.reason;
        status.needs_change = trouble.needs_change;
    } else if (const std::string relay_error = relay_->error(); !relay_error.empty()) {
        status.reason = "emitted events can't be published: " + relay_error;
    } else if (std::any_of(shards_.begin(), shards_.end(), [](const auto &shard) { return shard->is_contended(); })) {
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
