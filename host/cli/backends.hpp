// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "config/config.hpp"
#include "health/finding.hpp"
#include "store/store.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weir::cli {

/*
 * The only place that knows which brokers and stores there are. Everything here throws Failure of Exit::configuration for a url that no
 * adapter takes, naming its key, and what the adapters throw.
 */

/// Adds to the problems what the adapters have to say of urls; a configuration without problems can be opened.
void check_backends(config::Loaded &loaded);

using Brokers = std::map<std::string, std::unique_ptr<broker::Broker>>; ///< by url

/// Every broker of the configuration, by url: one, unless broker.url is not set and the domains' redis.url differ. Servers need not be
/// there.
Brokers open_brokers(const config::HostConfig &config);

/// The broker for a command on one topic: the host's, or that of the domains that are configured to read the topic. Throws Failure where
/// several could be meant.
/// @param topic empty: any
std::unique_ptr<broker::Broker> open_broker(const config::HostConfig &config, const std::string &topic = {});

/// The same for commands that only look: null where nothing was ever published, so that a typing error makes no file.
std::unique_ptr<broker::Broker> open_existing_broker(const config::HostConfig &config, const std::string &topic = {});

/// Each broker's url with what `open_existing_broker` gives for it.
Brokers open_existing_brokers(const config::HostConfig &config);

/// The broker of a url that the configuration has.
std::unique_ptr<broker::Broker> open_broker_at(const config::HostConfig &config, const std::string &url);

/// The same, null where nothing was ever published.
std::unique_ptr<broker::Broker> open_existing_broker_at(const config::HostConfig &config, const std::string &url);

std::unique_ptr<store::Store> open_store(const config::HostConfig &config);

/// What a broker keeps through a crash, or that it can't be asked. Makes no file.
std::string broker_guarantee(const config::HostConfig &config, const std::string &url);

/// What a commit in the store survives, or that it can't be asked.
std::string store_guarantee(const config::HostConfig &config);

/// What `weir doctor` says of servers; changes nothing there. @param url not of the embedded broker @param topics that domains read there
/// @param schemas of the domains
std::vector<health::Finding> examine_broker(const config::HostConfig &config, const std::string &url,
                                            const std::vector<std::string> &topics);
std::vector<health::Finding> examine_store(const config::HostConfig &config, const std::vector<std::string> &schemas);

/// The brokers that domains are configured with, each once.
std::vector<std::string> broker_urls(const config::HostConfig &config);

} // namespace weir::cli
