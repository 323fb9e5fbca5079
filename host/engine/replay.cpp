// SPDX-License-Identifier: Apache-2.0
#include "engine/replay.hpp"

#include "engine/crash_marks.hpp"
#include "engine/dead_letter.hpp"
#include "engine/kept_tables.hpp"
#include "engine/settlement.hpp"
#include "event/decoder.hpp"

#include <algorithm>
#include <stdexcept>

namespace weir::engine {

namespace {
constexpr int kContendedRuns = 20;
constexpr auto kNoBudget = std::chrono::hours(24); // an operator waits, or presses ^C: nothing is committed then
} // namespace

struct Replayer::State {
    DomainSpec spec;
    std::shared_ptr<const plugin::Module> module;
    const event::Contracts *contracts;
    std::unique_ptr<store::DomainStore> domain_store;
    std::unique_ptr<store::Session> session;
    std::unique_ptr<HandlerLanes> lanes;
    std::shared_ptr<EffectsLeft> left = std::make_shared<EffectsLeft>(); // of the letter that is replayed

    std::shared_ptr<const event::Event> decode(const store::DeadLetter &letter) const {
        const event::Decoder decoder(binding_for(spec, letter.topic), *contracts);
        auto decoded = decoder.decode(message_of(letter));
        decoded.id = letter.event_id; // its own, also where today's binding would derive another
        return std::make_shared<const event::Event>(std::move(decoded));
    }

    ReplayResult once(const store::DeadLetter &wanted, bool dry_run) {
        session->begin({});
        const auto letter = session->lock_dead_letter(wanted.id);
        if (!letter) {
            session->rollback();
            return {};
        }
        const auto work = std::make_shared<Work>();
        work->event = decode(*letter);
        work->retries = letter->retry_count;
        *left = effects_left(letter->context);
        Settlement settlement(*session, module->description(), *lanes);
        const Ran ran = settlement.settle(std::span(&work, 1), Settlement::Ledger::known_open).front();
        const bool applied = ran.state == Ran::State::finished && (ran.result.status == WEIR_OK || ran.result.status == WEIR_SKIP);
        const store::Outcome outcome = ran.result.status == WEIR_SKIP ? store::Outcome::ignored
                                       : settlement.stale().front()   ? store::Outcome::stale
                                                                      : store::Outcome::applied;
        if (dry_run) {
            session->rollback();
            return {applied ? ReplayOutcome::would_apply : ReplayOutcome::failed, ran.result.error, outcome};
        }
        if (!applied) {
            session->note_replay_failure(*letter, ran.result.error);
            session->commit();
            return {ReplayOutcome::failed, ran.result.error, outcome};
        }
        if (!ran.result.emitted.empty()) {
            session->add_outbox(ran.result.emitted);
        }
        session->settle_dead_letter(*letter, store::DeadLetterStatus::replayed, outcome);
        session->commit();
        return {ReplayOutcome::replayed, {}, outcome};
    }
};

Replayer::Replayer(DomainSpec spec, std::shared_ptr<const plugin::Module> module, store::Store &store, const event::Contracts &contracts,
                   const std::filesystem::path &state_directory)
    : state_(std::make_unique<State>()) {
    state_->spec = std::move(spec);
    state_->module = std::move(module);
    state_->contracts = &contracts;
    state_->domain_store = store.domain(state_->spec.schema);
    state_->domain_store->migrate(state_->module->description().schema);
    state_->session = state_->domain_store->open();
    std::string reason;
    HandlerLanes::Setup setup;
    setup.instance = plugin::Instance::create(state_->module, state_->spec.name, state_->spec.schema, state_->spec.settings_json, reason);
    if (!setup.instance) {
        throw std::runtime_error("the plugin declined to start: " + reason);
    }
    setup.marks = std::make_shared<CrashMarks>(state_directory / "marks", "replay-" + state_->spec.name);
    setup.domain = state_->spec.name;
    setup.contracts = &contracts;
    setup.budget = kNoBudget;
    setup.crash_limit = UINT32_MAX; // who replays a quarantined event means it
    setup.review = [left = state_->left, module = state_->module](const event::Event &, HandlerResult &result) {
        leave_out(*left, module->description().schema, result);
    };
    state_->lanes = std::make_unique<HandlerLanes>(std::move(setup));
}

Replayer::~Replayer() = default;

ReplayResult Replayer::replay(const store::DeadLetter &letter, bool dry_run) {
    for (int run = 1;; ++run) {
        try {
            return state_->once(letter, dry_run);
        } catch (const store::RunAgain &) {
            state_->session->rollback();
            if (run == kContendedRuns) {
                throw;
            }
        } catch (const store::InDoubt &) {
            state_->session = state_->domain_store->open(); // if it was committed, the letter is no longer pending
        } catch (...) {
            state_->session->rollback();
            throw;
        }
    }
}

} // namespace weir::engine
