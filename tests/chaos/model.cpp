// SPDX-License-Identifier: Apache-2.0
#include "model.hpp"

#include <algorithm>

namespace weir::test {

namespace {
using Kind = ChaosEvent::Kind;
constexpr int kMaxRetries = 3; // as the chaos configuration says

std::string schema_of(Kind kind) {
    return kind == Kind::stepped ? "chain" : kind == Kind::counted ? "tally" : kind == Kind::tied ? "knot" : "linting";
}
} // namespace

void ChaosModel::die(const std::string &schema, const ChaosEvent &event, const std::string &error_type, int retries) {
    Schema &there = schemas_[schema];
    const bool has_id = event.kind != Kind::cut_off;
    there.letters.insert({has_id ? event.id : "", error_type, std::to_string(retries)});
    if (has_id) {
        there.ledger[event.id] = "dead";
    } else {
        ++there.without_id;
    }
}

void ChaosModel::apply(const ChaosEvent &event) {
    const std::string schema = schema_of(event.kind);
    if (event.kind != Kind::cut_off && schemas_[schema].ledger.contains(event.id)) {
        return; // delivered once more
    }
    ++decided_;
    switch (event.kind) {
    case Kind::cut_off:
        return die(schema, event, "malformed_json");
    case Kind::no_tenant:
        return die(schema, event, "contract_violation");
    case Kind::bad_email:
        return die(schema, event, "contract_violation");
    case Kind::wrong_version:
        return die(schema, event, "unsupported_version");
    default:
        break;
    }
    if (event.reject) {
        return die(schema, event, "unwanted");
    }
    if (event.retries > kMaxRetries) {
        return die(schema, event, "retries_exhausted", kMaxRetries);
    }
    if (event.clash) {
        return die(schema, event, "data_refused");
    }
    std::string outcome = "applied";
    if (event.kind == Kind::stepped || event.kind == Kind::tied) {
        Chain &chain = chains_[event.subject];
        chain.schema = schema;
        chain.steps.push_back({event.id, event.number});
        keys_by_step_[event.id] = event.subject;
    } else if (event.kind == Kind::counted) {
        const auto [found, is_new] = counters_.try_emplace(event.subject, Counter{0, 0, event.number, event.number});
        Counter &counter = found->second;
        ++counter.times;
        counter.amount += event.number;
        counter.least = std::min(counter.least, event.number);
        counter.most = std::max(counter.most, event.number);
    } else if (event.kind == Kind::renamed) {
        outcome = "ignored";
    } else if (!apply_identity(event)) {
        outcome = "stale";
    }
    schemas_[schema].ledger[event.id] = outcome;
}

// @return false where it came too late
bool ChaosModel::apply_identity(const ChaosEvent &event) {
    const Person person{event.tenant, event.user};
    if (event.kind == Kind::created) {
        preferences_.try_emplace(person, event.occurred_at);
    }
    const auto [found, is_new] = users_.try_emplace(person);
    User &user = found->second;
    if (!is_new && user.updated_at > event.occurred_at) {
        return false;
    }
    const bool was_disabled = !is_new && user.status == "disabled";
    user.updated_at = event.occurred_at;
    if (event.kind == Kind::created) {
        user.email = event.email.value_or(std::nullopt);
        user.display_name = event.display_name.value_or(std::nullopt);
        user.status = "active";
    } else if (event.kind == Kind::disabled) {
        user.email.reset();
        user.display_name.reset();
        user.status = "disabled";
    } else if (!was_disabled || event.status == "active") {
        user.email = event.email.value_or(user.email);
        user.display_name = event.display_name.value_or(user.display_name);
        user.status = event.status ? *event.status : is_new ? "active" : user.status;
    }
    return true;
}

std::optional<ChaosModel::Row> ChaosModel::chain_without(const std::string &key, const std::set<std::string> &ids) const {
    std::int64_t times = 0;
    std::int64_t hash = 0;
    for (const Step &step : chains_.at(key).steps) {
        if (!ids.contains(step.id)) {
            ++times;
            hash = (hash * 31 + step.number + 1) % 1'000'000'007;
        }
    }
    return times == 0 ? std::nullopt : std::optional(Row{key, std::to_string(times), std::to_string(hash)});
}

std::map<std::string, ChaosModel::Schema> ChaosModel::schemas() const {
    auto result = schemas_;
    for (const auto &[person, user] : users_) {
        result["linting"].tables["identity_projection"].insert(
            {person.first, person.second, user.email, user.display_name, user.status, std::to_string(user.updated_at)});
    }
    for (const auto &[person, updated_at] : preferences_) {
        result["linting"].tables["user_prefs"].insert({person.first, person.second, "{}", "1", std::to_string(updated_at)});
    }
    for (const auto &[key, chain] : chains_) {
        result[chain.schema].tables["chain"].insert(*chain_without(key, {}));
    }
    for (const auto &[subject, counter] : counters_) {
        result["tally"].tables["counters"].insert({subject, std::to_string(counter.times), std::to_string(counter.amount),
                                                   std::to_string(counter.least), std::to_string(counter.most)});
    }
    return result;
}

} // namespace weir::test
