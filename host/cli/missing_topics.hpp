// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends.hpp"

#include "engine/domain.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace weir::cli {

/// A topic that a domain reads and its broker doesn't have: mistyped, or nobody has published to it yet.
struct MissingTopic {
    std::string topic;
    std::string nearest; ///< one that is there and probably meant; empty: none is near
};

/// What to do about it: "did you mean 'b'? ..."
std::string remedy(const MissingTopic &missing);
/// "topic 'a' is not on the broker, the domain waits for it; did you mean 'b'? ..."
std::string describe(const MissingTopic &missing);

/// The topics of a domain that its broker doesn't have. Throws what the broker throws.
std::vector<MissingTopic> missing_topics(const std::vector<std::string> &topics, broker::Broker &broker);

/// The same of all domains, by name; those of brokers that can't be asked are left out.
/// @param common the url of the broker of domains that name none
std::map<std::string, std::vector<MissingTopic>> missing_topics(const std::vector<engine::DomainSpec> &domains, const Brokers &brokers,
                                                                const std::string &common);

/// Says in the log, and where it is wanted on standard output, that these topics were not drained: nobody sees that in counts.
void tell_not_drained(const std::map<std::string, std::vector<MissingTopic>> &missing, bool on_output);

/// What a running host says of missing topics: each once in the log, and what was probably meant for its status. One thread.
class MissingTopicsWatch {
public:
    explicit MissingTopicsWatch(const Brokers &brokers) : brokers_(brokers) {}

    /// Logs what is missing since the last look. @param config says which broker a domain has
    void look(const std::vector<engine::DomainStatus> &domains, const config::HostConfig &config);

    /// What is missing now, by domain.
    const std::map<std::string, std::vector<MissingTopic>> &now() const { return now_; }

private:
    MissingTopic about(const std::string &domain, const std::string &topic, const config::HostConfig &config) const;

    const Brokers &brokers_;
    std::map<std::string, std::vector<MissingTopic>> now_;
    std::map<std::pair<std::string, std::string>, MissingTopic> said_; // by domain and topic
};

} // namespace weir::cli
