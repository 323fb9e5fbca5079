// SPDX-License-Identifier: Apache-2.0
#include "missing_topics.hpp"
#include "suggest.hpp"

#include "log/log.hpp"

#include <algorithm>
#include <cstdio>

namespace weir::cli {

namespace {

std::vector<std::string> names_of(broker::Broker &broker) {
    std::vector<std::string> names;
    for (broker::TopicInfo &info : broker.topics()) {
        names.push_back(std::move(info.topic));
    }
    return names;
}

const std::string &broker_url_of(const std::string &domain, const config::HostConfig &config) {
    const auto found =
        std::find_if(config.domains.begin(), config.domains.end(), [&](const config::DomainConfig &one) { return one.name == domain; });
    return found == config.domains.end() || found->broker_url.empty() ? config.broker_url : found->broker_url;
}

} // namespace

std::string remedy(const MissingTopic &missing) {
    return (missing.nearest.empty() ? std::string("the") : "did you mean '" + missing.nearest + "'? The") +
           " first message published to it makes it; if its name is wrong, correct the domain's \"topics\"";
}

std::string describe(const MissingTopic &missing) {
    return "topic '" + missing.topic + "' is not on the broker, the domain waits for it; " + remedy(missing);
}

std::vector<MissingTopic> missing_topics(const std::vector<std::string> &topics, broker::Broker &broker) {
    std::vector<MissingTopic> missing;
    for (const std::string &topic : topics) {
        if (!broker.has_topic(topic)) {
            missing.push_back({topic, {}});
        }
    }
    if (!missing.empty()) {
        const std::vector<std::string> names = names_of(broker);
        for (MissingTopic &one : missing) {
            one.nearest = nearest(one.topic, names);
        }
    }
    return missing;
}

std::map<std::string, std::vector<MissingTopic>> missing_topics(const std::vector<engine::DomainSpec> &domains, const Brokers &brokers,
                                                                const std::string &common) {
    std::map<std::string, std::vector<MissingTopic>> missing;
    for (const engine::DomainSpec &domain : domains) {
        const auto broker = brokers.find(domain.broker.empty() ? common : domain.broker);
        try {
            if (broker != brokers.end()) {
                missing[domain.name] = missing_topics(domain.topics, *broker->second);
            }
        } catch (const std::exception &) { // the domain itself says what its broker refuses
        }
    }
    std::erase_if(missing, [](const auto &entry) { return entry.second.empty(); });
    return missing;
}

void tell_not_drained(const std::map<std::string, std::vector<MissingTopic>> &missing, bool on_output) {
    for (const auto &[domain, topics] : missing) {
        for (const MissingTopic &topic : topics) {
            log::warn("host.topic_not_drained", "A topic is not on the broker, so that nothing of it was read",
                      {{"domain", domain}, {"topic", topic.topic}, {"remedy", remedy(topic)}});
            if (on_output) {
                std::printf("%s: topic '%s' is not on the broker, so that nothing of it was read; %s\n", domain.c_str(),
                            topic.topic.c_str(), remedy(topic).c_str());
            }
        }
    }
}

MissingTopic MissingTopicsWatch::about(const std::string &domain, const std::string &topic, const config::HostConfig &config) const {
    MissingTopic missing{topic, {}};
    if (const auto broker = brokers_.find(broker_url_of(domain, config)); broker != brokers_.end()) {
        try {
            missing.nearest = nearest(topic, names_of(*broker->second));
        } catch (const std::exception &) { // a hint is all that is lost; the domain itself says what its broker refuses
        }
    }
    return missing;
}

void MissingTopicsWatch::look(const std::vector<engine::DomainStatus> &domains, const config::HostConfig &config) {
    now_.clear();
    for (const engine::DomainStatus &domain : domains) {
        for (const std::string &topic : domain.missing_topics) {
            const auto [known, fresh] = said_.try_emplace({domain.name, topic});
            if (fresh) {
                known->second = about(domain.name, topic, config);
                log::warn("domain.topic_missing", "A topic is not on the broker; the domain waits for it",
                          {{"domain", domain.name}, {"topic", topic}, {"remedy", remedy(known->second)}});
            }
            now_[domain.name].push_back(known->second);
        }
    }
    std::erase_if(said_, [&](const auto &entry) { // one that came and went again is said again
        const auto missing = now_.find(entry.first.first);
        const bool known =
            std::any_of(domains.begin(), domains.end(), [&](const auto &domain) { return domain.name == entry.first.first; });
        return known && (missing == now_.end() || std::none_of(missing->second.begin(), missing->second.end(),
                                                               [&](const MissingTopic &one) { return one.topic == entry.first.second; }));
    });
}

} // namespace weir::cli
