// SPDX-License-Identifier: Apache-2.0
#include "engine/domain.hpp"

#include <algorithm>
#include <tuple>

namespace weir::engine {

namespace {
auto binding_tuple(const event::Binding &binding) {
    return std::tie(binding.topic, binding.envelope_required, binding.aliases, binding.keys, binding.event_id, binding.event_type,
                    binding.occurred_at, binding.tenant_id, binding.correlation_id, binding.payload);
}
} // namespace

event::Binding binding_for(const DomainSpec &spec, const std::string &topic) {
    for (const event::Binding &binding : spec.bindings) {
        if (binding.topic == topic) {
            return binding;
        }
    }
    event::Binding plain;
    plain.topic = topic;
    return plain;
}

bool needs_restart(const DomainSpec &running, const DomainSpec &wanted) {
    const auto same_binding = [](const event::Binding &a, const event::Binding &b) { return binding_tuple(a) == binding_tuple(b); };
    const auto tuple = [](const DomainSpec &spec) {
        return std::tie(spec.name, spec.plugin, spec.schema, spec.group, spec.topics, spec.broker, spec.parallel, spec.settings_json,
                        spec.options);
    };
    return tuple(running) != tuple(wanted) ||
           !std::equal(running.bindings.begin(), running.bindings.end(), wanted.bindings.begin(), wanted.bindings.end(), same_binding);
}

TopicCounts &Counts::of(const std::string &topic) {
    for (TopicCounts &known : topics) { // a domain has a few
        if (known.topic == topic) {
            return known;
        }
    }
    TopicCounts &added = topics.emplace_back();
    added.topic = topic;
    return added;
}

Counts &Counts::operator+=(const Counts &other) {
    messages += other.messages;
    applied += other.applied;
    duplicates += other.duplicates;
    stale += other.stale;
    ignored += other.ignored;
    dead_letters += other.dead_letters;
    retries += other.retries;
    batches += other.batches;
    batch_events += other.batch_events;
    batch_seconds += other.batch_seconds;
    for (const TopicCounts &more : other.topics) {
        TopicCounts &mine = of(more.topic);
        mine.applied += more.applied;
        mine.stale += more.stale;
        mine.ignored += more.ignored;
        mine.dead_letters += more.dead_letters;
        mine.duplicates += more.duplicates;
    }
    return *this;
}

const char *phase_name(Phase phase) noexcept {
    switch (phase) {
    case Phase::starting:
        return "starting";
    case Phase::standby:
        return "standby";
    case Phase::serving:
        return "serving";
    case Phase::waiting:
        return "waiting";
    case Phase::halted:
        return "halted";
    case Phase::stopped:
        return "stopped";
    }
    return "unknown";
}

std::size_t EventBudget::take(std::size_t wanted) noexcept {
    std::int64_t left = left_.load();
    while (left > 0) {
        const std::int64_t granted = std::min(left, static_cast<std::int64_t>(wanted));
        if (left_.compare_exchange_weak(left, left - granted)) {
            return static_cast<std::size_t>(granted);
        }
    }
    return 0;
}

} // namespace weir::engine
