// SPDX-License-Identifier: Apache-2.0
#include "engine/domain_service.hpp"

#include "engine/late_box.hpp"
#include "log/log.hpp"

#include <algorithm>

namespace weir::engine {

DomainService::DomainService(const DomainSpec &spec, std::shared_ptr<const plugin::Module> module, const Environment &environment,
                             Wakeup &bell)
    : spec_(spec), environment_(environment), bell_(bell), module_(std::move(module)),
      crashes_(environment_.state_directory / "marks", spec_), late_(std::make_shared<LateBox>()),
      relay_bell_(std::make_shared<RelayBell>()) {
    for (const std::string &topic : spec_.topics) {
        decoders_.emplace(topic, std::make_unique<event::Decoder>(binding_for(spec_, topic), *environment_.contracts));
    }
    std::shared_ptr<plugin::Instance> instance = take_up_routes();
    if (!instance && has_routes()) {
        instance = make_instance();
        serve_routes_early(instance);
    }
    domain_store_ = environment_.store->domain(spec_.schema);
    for (const std::string &step : domain_store_->migrate(schema_of(*module_))) {
        log::info("schema.migrated", step, {{"domain", spec_.name}, {"schema", spec_.schema}});
    }
    if (!instance) {
        instance = make_instance();
    }
    serve_routes(instance); // before the broker is asked, as well
    session_ = domain_store_->open();
    marks_ = std::make_shared<CrashMarks>(environment_.state_directory / "marks", spec_.name);
    crashes_.count(*session_);
    broker::Subscription subscription{spec_.group, spec_.consumer, spec_.topics, spec_.parallel};
    for (const store::StoredPosition &position : session_->positions()) {
        subscription.done.push_back({{position.topic, position.partition}, position.incarnation, position.position});
    }
    consumer_ = environment_.broker->subscribe(subscription);
    acknowledger_ = std::make_unique<Acknowledger>(*consumer_, spec_.name);
    reader_ = std::make_unique<EventReader>(*consumer_, decoders_, EventReader::limits_of(spec_), bell_, environment_.in_hand,
                                            environment_.under_way);
    partitions_ = std::make_unique<PartitionKeeper>(spec_, *consumer_, *reader_, [this] {
        crashes_.count(*session_);
        dealer_->load_attempts(*session_);
    });
    dealer_ = std::make_unique<EventDealer>(spec_, *reader_, *partitions_, *environment_.budget,
                                            [this](std::span<const event::Uuid> ids, bool delivered_before) {
                                                if (delivered_before) {
                                                    crashes_.count(*session_);
                                                }
                                                return session_->attempts_of(ids);
                                            });
    dealer_->load_attempts(*session_);
    relay_ = std::make_unique<OutboxRelay>(spec_, *domain_store_, *environment_.broker);
    relay_bell_->hang(relay_.get());
    if (!store::is_shadow_schema(spec_.schema)) { // a shadow's ledger is taken over whole
        ledger_keeper_ = std::make_unique<LedgerKeeper>(spec_, *domain_store_, further_upkeep());
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
    environment_.in_hand->dealt(0);
    environment_.in_hand->lease({});
}

std::shared_ptr<plugin::Instance> DomainService::make_instance() const {
    std::string reason;
    std::shared_ptr<plugin::Instance> instance = plugin::Instance::create(module_, spec_.name, spec_.schema, spec_.settings_json, reason);
    if (!instance) {
        throw PluginDeclined(reason);
    }
    return instance;
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
        shards.push_back(std::make_unique<Shard>(*domain_store_, bell_, spec_.name, *environment_.under_way, number > 1));
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
    setup.review = environment_.review;
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
    const std::vector<std::string> lost = plugin::handlers_lost(*module_, *next);
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
    if (!lost.empty()) {
        std::string names;
        for (const std::string &symbol : lost) {
            names += (names.empty() ? "" : ", ") + symbol;
        }
        log::warn("plugin.handlers_lost",
                  "The new generation has not all handlers of the one before; events of these types take no effect any more",
                  {{"domain", spec_.name}, {"plugin", about.name}, {"version", about.version}, {"handlers", names}});
    }
    return true;
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
