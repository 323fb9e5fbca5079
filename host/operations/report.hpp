// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "operations/operations.hpp"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <string>
#include <vector>

namespace weir::operations {

// What operations answer with, and the JSON Schemas that say so; each function's schema has its name in `schemas`.

nlohmann::ordered_json domain_json(const engine::DomainStatus &status, const engine::DomainSpec *spec);
nlohmann::ordered_json plugin_json(const PluginState &plugin);
nlohmann::ordered_json topic_json(const broker::TopicInfo &topic, const std::string &broker);
/// Without the message.
nlohmann::ordered_json letter_json(const store::DeadLetter &letter);
/// With the message, personal data included.
nlohmann::ordered_json whole_letter_json(const store::DeadLetter &letter);

std::string dumped(const nlohmann::ordered_json &json);

/// For `OpenApiInfo::schemas`.
std::map<std::string, std::string> schemas();

} // namespace weir::operations
