// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "operations/readiness.hpp"

#include "broker/broker.hpp"
#include "engine/supervisor.hpp"
#include "event/contracts.hpp"
#include "http/route.hpp"
#include "store/store.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weir::operations {

/// A plugin as the host has it: loaded, or a file that it doesn't take.
struct PluginState {
    std::string name; ///< empty where it was refused
    std::string version;
    std::uint32_t generation = 0;
    std::string summary;
    std::string file;
    std::vector<std::string> handlers;
    std::string refusal_code; ///< empty where it was loaded
    std::string refusal_message;
    std::string remedy;
};

/// What is wrong with a configuration: the file and JSON pointer, and a sentence.
struct ConfigurationFault {
    std::string where;
    std::string reason;
};

/// What the routes look at. Everything lives longer than the server that has them, and may be asked by any thread.
struct Sources {
    std::string version; ///< of the host
    std::function<std::vector<engine::DomainStatus>()> domains;
    std::function<std::map<std::string, engine::Supervisor::Wanted>()> served;              ///< by domain: how, and by whom
    std::function<std::map<std::string, std::shared_ptr<const engine::WorkInHand>>()> work; ///< of those that are served here
    std::function<std::vector<PluginState>()> plugins;
    std::function<std::vector<ConfigurationFault>()> refused_configuration; ///< why what was read last isn't in force; empty: it is
    std::map<std::string, broker::Broker *> brokers;                        ///< by url
    std::string common_broker;                                              ///< the url of domains that name none
    std::function<std::string(const std::string &)> masked_url;
    store::Store *store = nullptr;
    const event::Contracts *contracts = nullptr;
    std::filesystem::path state_directory;
    std::chrono::milliseconds stalled_after{30000};
};

/// The routes of operations, without /metrics, and without the document that describes them.
/// @param readiness asked by /ready; lives as long as the routes
std::vector<http::Route> routes(std::shared_ptr<const Sources> sources, std::shared_ptr<Readiness> readiness);

/// `routes`, and /openapi.json, which describes them all. @param title of the document
std::vector<http::Route> with_document(std::vector<http::Route> routes, const std::string &title, const std::string &version);

} // namespace weir::operations
