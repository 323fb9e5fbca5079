// SPDX-License-Identifier: Apache-2.0
#include "engine/rebuild_run.hpp"

#include "engine/dead_letter.hpp"
#include "engine/rebuild_reading.hpp"
#include "log/log.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace weir::engine {

namespace {

constexpr auto kTurn = std::chrono::milliseconds(100);
constexpr auto kQuickTurn = std::chrono::milliseconds(2); // while the domain's batches wait
constexpr auto kOutagePause = std::chrono::milliseconds(1000);
constexpr auto kBetweenSwaps = std::chrono::milliseconds(500);
constexpr auto kSettleLimit = std::chrono::seconds(20); // for what waits for its retry, before a swap is tried
constexpr auto kHoldUpLimit = std::chrono::seconds(20); // how long the domain's batches may be held up
constexpr auto kDrainTimeout = std::chrono::milliseconds(5000);
constexpr std::size_t kLetterPage = 500;

// Calls `use` with each dead letter of a status.
template <typename Use> void each_letter(store::Session &session, store::DeadLetterStatus status, Use use) {
    store::DeadLetterFilter filter;
    filter.status = status;
    filter.limit = kLetterPage;
    for (;;) {
        const std::vector<store::DeadLetter> page = session.dead_letters(filter);
        if (page.empty()) {
            return;
        }
        filter.after_id = page.back().id;
        for (const store::DeadLetter &letter : page) {
            use(letter);
        }
    }
}

std::uint64_t sum_of(const store::LedgerCounts &counts) { return counts.applied + counts.ignored + counts.dead; }

// Tells whether the live domain has decided anything in between.
struct LiveMark {
    std::uint64_t decided = 0;
    std::vector<event::Position> positions;
    friend bool operator==(const LiveMark &, const LiveMark &) = default;
};

template <typename Source> LiveMark mark_of(Source &source) {
    LiveMark mark;
    mark.decided = sum_of(source.ledger_counts());
    for (const store::StoredPosition &entry : source.positions()) {
        mark.positions.push_back(entry.position);
    }
    return mark;
}

} // namespace

RebuildRun::RebuildRun(const RebuildSetup &setup, const RebuildHooks &hooks)
    : setup_(setup), hooks_(hooks), tables_(setup.module->description().schema), spec_(setup.spec), shadow_store_(*setup.store),
      live_(setup.store->domain(spec_.schema)), shadow_(shadow_store_.domain(spec_.schema)), feed_(*setup.broker, spec_, *setup.contracts),
      shadow_broker_(*setup.broker, feed_) {
    spec_.parallel = false; // order suits handlers that need none, and the shadow's positions tell where to go on
    spec_.consumer = setup.holder;
    spec_.options.ledger_horizon = {}; // nothing is forgotten of what is read a second time after a kill
    spec_.options.drain_timeout = std::min(spec_.options.drain_timeout, kDrainTimeout);
}

RebuildRun::~RebuildRun() { stop(); }

void RebuildRun::start() {
    const std::filesystem::path state = setup_.state_directory / "rebuild";
    std::filesystem::create_directories(state);
    Environment environment{&shadow_broker_, &shadow_store_, setup_.contracts, state, &budget_};
    environment.review = [kept = kept_, module = setup_.module](const event::Event &event, HandlerResult &result) {
        kept->review(event, result);
    };
    worker_ = std::make_unique<DomainWorker>(spec_, setup_.module, std::move(environment));
}

void RebuildRun::stop() {
    if (worker_) {
        worker_->request_stop();
        worker_->wait();
        worker_.reset();
    }
}

void RebuildRun::begin(bool from_what_is_kept) {
    const std::string wanted = rebuild_fingerprint(setup_);
    std::optional<ShadowKeeper::MadeWith> made_with;
    if (shadow_store_.has_domain(spec_.schema)) {
        take_shadow({});
        made_with = keeper_->made_with();
    }
    if (made_with && made_with->fingerprint != wanted) {
        throw RebuildRefused("the shadow of domain " + spec_.name + " was begun with " + made_with->fingerprint + ", and now there is " +
                             wanted + ": remove it with 'weir rebuild " + spec_.name + " --cancel', then begin anew");
    }
    const RebuildSurvey survey = survey_rebuild(setup_);
    if (!made_with && !survey.obstacles.empty() && !from_what_is_kept) {
        std::string message = "domain " + spec_.name + " can't be made again as a whole:";
        for (const std::string &obstacle : survey.obstacles) {
            message += "\n  " + obstacle;
        }
        throw RebuildRefused(message + "\nWhat can't be made again is lost by a rebuild: --from-what-is-kept does it all the same");
    }
    for (const auto &[type, events] : survey.without_handler) {
        log::warn("rebuild.without_handler",
                  "Events are ignored in this rebuild that the domain has decided: the plugin has no handler for their type",
                  {{"domain", spec_.name}, {"type", type}, {"events", events}});
    }
    live_->migrate(tables_); // the swap needs both to be alike
    keeper_.reset();
    take_shadow(tables_);
    keep_tables(!made_with);
    if (!made_with) {
        made_with = {wanted, from_what_is_kept};
        keeper_->save_made_with(*made_with);
    }
    gaps_ = made_with->from_what_is_kept;
    live_session_ = live_->open();
    progress_.total = survey.kept();
    done_before_ = keeper_->decided();
    feed_.set_floors(keeper_->floors());
    if (gaps_) {
        feed_.allow_gaps();
        prepend_letters();
    }
    leave_out_dropped();
    know_positions(live_session_->positions());
    feed_.follow(live_lookup());
    start();
}

void RebuildRun::take_shadow(const store::Schema &tables) {
    shadow_->migrate(tables);
    keeper_ = std::make_unique<ShadowKeeper>(*shadow_);
    if (!keeper_->take(setup_.holder)) {
        throw RebuildRefused(rebuilt_already(spec_.name));
    }
}

// In a parallel domain nothing says that all before a position is decided: its ledger alone does.
void RebuildRun::know_positions(std::vector<store::StoredPosition> positions) {
    if (!setup_.spec.parallel) {
        feed_.set_decided_through(std::move(positions));
    }
}

// What operators gave up stays undone.
void RebuildRun::leave_out_dropped() {
    std::set<event::Uuid> dropped;
    each_letter(*live_session_, store::DeadLetterStatus::dropped,
                [&](const store::DeadLetter &letter) { dropped.insert(letter.event_id); });
    feed_.leave_out(std::move(dropped));
}

// Dead letters hold messages that topics don't keep any more. They stand before all that is kept.
void RebuildRun::prepend_letters() {
    std::map<broker::Partition, std::optional<event::Message>> first;
    std::vector<std::shared_ptr<const event::Message>> earlier;
    for (const auto status : {store::DeadLetterStatus::pending, store::DeadLetterStatus::replayed}) {
        each_letter(*live_session_, status, [&](const store::DeadLetter &letter) {
            auto message = message_of(letter);
            const broker::Partition partition{message->topic, message->partition};
            if (std::find(spec_.topics.begin(), spec_.topics.end(), message->topic) == spec_.topics.end()) {
                return;
            }
            auto found = first.find(partition);
            if (found == first.end()) {
                auto page = setup_.broker->browse(partition, std::nullopt, 1);
                found = first.emplace(partition, page.empty() ? std::nullopt : std::optional(std::move(page.front()))).first;
            }
            const auto &kept = found->second;
            if (!kept || (kept->incarnation == message->incarnation && message->position < kept->position)) {
                earlier.push_back(std::move(message));
            }
        });
    }
    feed_.prepend(std::move(earlier));
}

RebuildFeed::Lookup RebuildRun::live_lookup() {
    const auto ask = [this](auto question) {
        try {
            if (!lookup_session_) {
                lookup_session_ = live_->open();
            }
            return question(*lookup_session_);
        } catch (...) {
            lookup_session_.reset();
            throw;
        }
    };
    return {[ask](std::span<const event::Uuid> ids) {
                return ask([&](store::Session &session) {
                    RebuildFeed::Known known{session.decided(ids), {}};
                    known.pruned = session.pruned();
                    return known;
                });
            },
            [ask](std::span<const event::Uuid> ids) { return ask([&](store::Session &session) { return session.unapplied(ids); }); }};
}

// Tells how far it is; throws what ends it.
void RebuildRun::look() {
    const DomainStatus status = worker_->status();
    if (status.phase == Phase::halted) {
        throw RebuildRefused(status.reason);
    }
    if (const std::string trimmed = feed_.trimmed(); !trimmed.empty()) {
        throw RebuildRefused("messages left their topic before they were read again (retention): " + trimmed +
                             ". Keep them for longer, then 'weir rebuild " + spec_.name +
                             " --cancel' and begin anew, or do it --from-what-is-kept");
    }
    progress_.done = done_before_ + feed_.done();
    progress_.waiting = status.ready || status.phase == Phase::starting ? feed_.error() : status.reason;
    if (hooks_.tell) {
        hooks_.tell(progress_);
    }
}

/// @return whether `done` came before the deadline and an interruption
bool RebuildRun::wait(std::chrono::milliseconds time, const std::function<bool()> &done, Clock::time_point deadline) {
    while (!done()) {
        if (Clock::now() >= deadline) {
            return false;
        }
        interrupted_ = hooks_.wait(time);
        if (interrupted_) {
            return false;
        }
        keeper_->renew();
        look();
    }
    return true;
}

bool RebuildRun::pass(const RebuildFeed::Lookup &lookup, std::chrono::milliseconds turn, Clock::time_point deadline) {
    const std::vector<store::StoredPosition> floors = feed_.floors();
    keeper_->save_floors(floors); // before anything beyond them can be stored
    feed_.set_floors(floors);
    feed_.pass(lookup);
    return wait(
        turn, [&] { return feed_.passed() && feed_.outstanding() == 0; }, deadline);
}

std::optional<RebuildResult> RebuildRun::swap() {
    progress_.stage = RebuildProgress::Stage::swapping;
    feed_.hold();
    if (!wait(
            kQuickTurn, [&] { return feed_.outstanding() == 0; }, Clock::now() + kSettleLimit)) {
        return std::nullopt;
    }
    LiveMark before;
    if (pass_first_) {
        before = mark_of(*live_session_);
        if (!pass(live_lookup(), kTurn, Clock::time_point::max())) {
            return std::nullopt;
        }
        feed_.hold();
    }
    const std::uint64_t given_up = events_given_up(*live_session_);
    const auto began = Clock::now();
    const auto replacement = setup_.store->replace_by_shadow(spec_.schema, tables_);
    struct Hold {
        RebuildFeed &feed_;
        ~Hold() { feed_.hold(); } // the lookup goes before the replacement
    } hold{feed_};
    check_kept_tables();
    know_positions(replacement->positions());
    if (!pass_first_ || before != mark_of(*replacement)) {
        leave_out_dropped();
        const RebuildFeed::Lookup lookup{[&](std::span<const event::Uuid> ids) {
                                             RebuildFeed::Known known{replacement->decided(ids), {}};
                                             known.pruned = replacement->pruned();
                                             return known;
                                         },
                                         [&](std::span<const event::Uuid> ids) { return replacement->unapplied(ids); }};
        if (!pass(lookup, kQuickTurn, began + kHoldUpLimit)) {
            pass_first_ = true;
            return std::nullopt;
        }
    }
    feed_.hold();
    stop(); // it also keeps the shadow's ledger, which is to stand still now
    RebuildResult result;
    const std::uint64_t gone = count_gone(*replacement, given_up);
    result.replaced = replacement->commit();
    try {
        save_events_given_up(*live_session_, gone);
    } catch (const std::exception &) { // the next rebuild is refused once more
    }
    result.held_up = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
    result.outcome = RebuildOutcome::swapped;
    return result;
}

// What the survey has said before may have become worse since, and be more than it could see.
std::uint64_t RebuildRun::count_gone(store::Replacement &replacement, std::uint64_t given_up) const {
    const store::LedgerCounts counts = replacement.ledger_counts();
    const std::uint64_t decided = sum_of(counts);
    const std::uint64_t made = keeper_->decided();
    const std::uint64_t gone = decided - std::min(decided, made);
    if (!gaps_ && gone > given_up) {
        throw RebuildRefused("domain " + spec_.name + " can't be made again as a whole: " + rebuild_loses(gone - given_up, decided) +
                             may_be_requests(setup_, *live_, counts, gone - given_up, given_up) + ". Nothing was changed. 'weir rebuild " +
                             spec_.name + " --cancel', then begin anew with --from-what-is-kept, does it all the same");
    }
    return gone;
}

std::optional<RebuildResult> RebuildRun::try_swap() {
    std::optional<RebuildResult> result;
    try {
        result = swap();
    } catch (const store::RunAgain &reason) {
        log::info("rebuild.swap_postponed", "The swap could not be made; it is tried again",
                  {{"domain", spec_.name}, {"reason", reason.what()}});
    }
    if (!result) {
        next_swap_ = Clock::now() + kBetweenSwaps;
        if (!worker_) {
            start();
        }
        progress_.stage = RebuildProgress::Stage::following;
        feed_.follow(live_lookup());
    }
    return result;
}

RebuildResult RebuildRun::go() {
    bool sound = true;
    RebuildResult result;
    while (!interrupted_) {
        try {
            if (!sound) {
                live_session_ = live_->open();
                keeper_->reopen();
                sound = true;
            }
            keeper_->renew();
            know_positions(live_session_->positions());
            look();
            if (feed_.at_front() && progress_.stage == RebuildProgress::Stage::reading) {
                progress_.stage = RebuildProgress::Stage::following;
            }
            if (feed_.at_front() && feed_.outstanding() <= 2 * spec_.options.batch_max_events && Clock::now() >= next_swap_) {
                if (auto swapped = try_swap()) {
                    result = *swapped;
                    break;
                }
            }
            interrupted_ = interrupted_ || hooks_.wait(kTurn);
        } catch (const store::Fenced &) {
            throw RebuildRefused(rebuilt_already(spec_.name));
        } catch (const store::SchemaWrong &) {
            throw;
        } catch (const RebuildRefused &) {
            throw;
        } catch (const store::DataRefused &failure) {
            throw RebuildRefused(refused_swap(failure.what()));
        } catch (const broker::Misconfigured &) {
            throw;
        } catch (const std::exception &failure) { // an outage: what is decided in the shadow stays
            sound = false;
            if (!worker_) {
                start();
            }
            progress_.waiting = failure.what();
            progress_.stage = RebuildProgress::Stage::following;
            feed_.follow(live_lookup());
            hooks_.tell(progress_);
            interrupted_ = hooks_.wait(kOutagePause);
        }
    }
    stop();
    result.outcomes = keeper_->outcomes();
    result.decided = sum_of(result.outcomes);
    return result;
}

void RebuildRun::remove_shadow() {
    stop();
    keeper_.reset();
    lookup_session_.reset();
    live_session_.reset();
    shadow_.reset();
    setup_.store->remove_shadow(spec_.schema);
}

} // namespace weir::engine
