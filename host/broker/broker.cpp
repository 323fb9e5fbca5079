// SPDX-License-Identifier: Apache-2.0
#include "broker/broker.hpp"

#include <algorithm>

namespace weir::broker {

std::vector<Message> Broker::newest(const Partition &partition, std::size_t limit) {
    constexpr std::size_t kPage = 500;
    std::vector<Message> last;
    std::optional<Position> after;
    for (;;) {
        std::vector<Message> page = browse(partition, after, kPage);
        if (page.empty()) {
            return last;
        }
        after = page.back().position;
        std::move(page.begin(), page.end(), std::back_inserter(last));
        if (last.size() > limit) {
            last.erase(last.begin(), last.end() - static_cast<std::ptrdiff_t>(limit));
        }
    }
}

bool Broker::has_topic(const std::string &topic) {
    const std::vector<TopicInfo> all = topics();
    return std::any_of(all.begin(), all.end(), [&](const TopicInfo &info) { return info.topic == topic; });
}

} // namespace weir::broker
