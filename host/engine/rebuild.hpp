// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "engine/domain.hpp"
#include "event/contracts.hpp"
#include "plugin/module.hpp"
#include "store/store.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace weir::engine {

/// A rebuild can't begin or go on as it was asked for; the message says why, and what to do.
class RebuildRefused : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// What a rebuild would read, and what it could not make again.
struct RebuildSurvey {
    struct Topic {
        std::string topic;
        std::uint32_t partitions = 0;
        std::uint64_t kept = 0;
        std::optional<std::uint64_t> lost; ///< messages that were there and aren't kept; nothing: not known
    };
    std::vector<Topic> topics;
    store::LedgerCounts decided;      ///< by the domain as it is
    std::uint64_t given_up = 0;       ///< of these, what an earlier rebuild could not make again, or what is counted twice
    struct Messages {                 ///< what the topics keep, each message in one of these
        std::uint64_t events = 0;     ///< would be decided again, as many events: what the result calls `decided`, but for what comes later
        std::uint64_t duplicates = 0; ///< hold one of these events again
        std::uint64_t dropped = 0;    ///< of dead letters that were given up, and stay so
        std::uint64_t undecided = 0;  ///< left to the domain itself
    };
    std::optional<Messages> messages;                     ///< nothing where there are too many to be looked at
    std::uint64_t gone = 0;                               ///< decided events that no topic holds any more, without those given up
    std::map<std::string, std::uint64_t> without_handler; ///< decided events, by type, that the plugin that is there now would ignore
    std::vector<std::string> notes;                       ///< what a rebuild leaves as it is, or doesn't know of, a sentence each
    std::vector<std::string> obstacles;                   ///< what would be lost by making everything from the topics, a sentence each
    std::uint64_t kept() const;
};

/// A shadow that is there, as a rebuild that was interrupted left it, or one that runs is making it.
struct RebuildState {
    bool exists = false;
    bool running = false;
    std::string made_with; ///< "linting 1.2.0, 6fa2…"
    std::uint64_t decided = 0;
};

struct RebuildProgress {
    enum class Stage : std::uint8_t { reading, following, swapping } stage = Stage::reading;
    std::uint64_t done = 0;  ///< events decided in the shadow
    std::uint64_t total = 0; ///< messages that the topics keep
    std::string waiting;     ///< why nothing goes on at the moment; empty where it does
};

enum class RebuildOutcome : std::uint8_t { swapped, interrupted };

struct RebuildResult {
    RebuildOutcome outcome = RebuildOutcome::interrupted;
    std::uint64_t decided = 0;    ///< in the shadow
    store::LedgerCounts outcomes; ///< of these
    store::ReplacementCounts replaced;
    std::chrono::milliseconds held_up{0}; ///< how long the domain's own batches had to wait for the swap
};

/// Whose rebuild it is, and where. What is pointed to outlives it.
struct RebuildSetup {
    DomainSpec spec;
    std::shared_ptr<const plugin::Module> module;
    broker::Broker *broker = nullptr;
    store::Store *store = nullptr;
    const event::Contracts *contracts = nullptr;
    std::filesystem::path state_directory; ///< crash marks go to `rebuild/marks` below it
    std::string holder;                    ///< names this process, unlike any other
};

struct RebuildHooks {
    /// Waits so long. @return whether it is to be interrupted
    std::function<bool(std::chrono::milliseconds)> wait;
    std::function<void(const RebuildProgress &)> tell; ///< several times a second
};

/**
 * Makes a domain's projection again, from its topics into a shadow of its schema, while the domain serves; then puts it in place. What the
 * domain has decided is decided again, by the same engine as ever, with today's plugin; what it has not decided yet is left to it. Nothing
 * is published and no group is touched. One thread.
 */
class Rebuild {
public:
    explicit Rebuild(RebuildSetup setup) : setup_(std::move(setup)) {}

    /// Changes nothing. Throws RebuildRefused where the domain has no schema yet, and what broker and store throw.
    RebuildSurvey survey() const;
    RebuildState state() const;

    /// Goes on with a shadow that is there, or begins one. Interrupted, or ended by an exception or a kill, it leaves the shadow to be gone
    /// on with. Outages of broker and store are waited out. Throws RebuildRefused.
    /// @param from_what_is_kept gives up what the survey's obstacles name
    RebuildResult run(const RebuildHooks &hooks, bool from_what_is_kept) const;

    /// Removes the shadow. @return whether there was one. Throws RebuildRefused where one is being made.
    bool cancel() const;

private:
    RebuildSetup setup_;
};

} // namespace weir::engine
