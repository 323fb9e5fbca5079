// SPDX-License-Identifier: Apache-2.0
#include "engine/rebuild_run.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace weir::engine {

namespace {

std::uint64_t sum_of(const store::LedgerCounts &counts) { return counts.applied + counts.ignored + counts.dead; }

} // namespace

std::uint64_t RebuildSurvey::kept() const {
    std::uint64_t sum = 0;
    for (const Topic &topic : topics) {
        sum += topic.kept;
    }
    return sum;
}

std::string rebuilt_already(const std::string &domain) {
    return "domain " + domain + " is being rebuilt by another process: 'weir rebuild " + domain + " --status' shows how far it is";
}

std::string rebuild_fingerprint(const RebuildSetup &setup) {
    std::ifstream file(setup.module->origin(), std::ios::binary);
    std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    content += '\0' + setup.spec.settings_json;
    for (const std::string &topic : setup.spec.topics) {
        content += '\0' + topic;
    }
    const plugin::Description &about = setup.module->description();
    return about.name + " " + about.version + ", " + event::Uuid::v5(event::weir_namespace(), content).text().substr(0, 8);
}

RebuildSurvey survey_rebuild(const RebuildSetup &setup) {
    const DomainSpec &spec = setup.spec;
    if (!setup.store->has_domain(spec.schema)) {
        throw RebuildRefused("domain " + spec.name + " has no schema " + spec.schema + " yet: there is nothing to be made again");
    }
    RebuildSurvey survey;
    const auto live = setup.store->domain(spec.schema);
    const auto session = live->open();
    survey.decided = session->ledger_counts();
    const std::vector<store::StoredPosition> positions = session->positions();
    const std::vector<broker::TopicInfo> infos = setup.broker->topics();
    for (const std::string &name : spec.topics) {
        RebuildSurvey::Topic &topic = survey.topics.emplace_back();
        topic.topic = name;
        topic.lost = 0;
        const auto info = std::find_if(infos.begin(), infos.end(), [&](const broker::TopicInfo &entry) { return entry.topic == name; });
        if (info == infos.end()) {
            if (sum_of(survey.decided) > 0) {
                survey.obstacles.push_back("topic " + name + " isn't there: what came from it can't be made again");
            }
            continue;
        }
        topic.partitions = info->partitions;
        topic.kept = info->length;
        for (std::uint32_t number = 0; number < info->partitions; ++number) {
            const broker::Partition partition{name, number};
            const auto lost = setup.broker->lost(partition);
            topic.lost = lost && topic.lost ? std::optional(*topic.lost + *lost) : std::nullopt;
            const auto first = setup.broker->browse(partition, std::nullopt, 1);
            for (const store::StoredPosition &stored : positions) {
                if (stored.topic == name && stored.partition == number &&
                    (first.empty() || first.front().incarnation != stored.incarnation) && (!first.empty() || !lost || *lost == 0)) {
                    survey.obstacles.push_back("topic " + name + " was removed and made anew since this domain read it");
                }
            }
        }
        if (!topic.lost) {
            survey.obstacles.push_back("whether topic " + name + " still holds its beginning can't be told by this broker");
        } else if (*topic.lost > 0) {
            survey.obstacles.push_back("topic " + name + " doesn't keep its first " + std::to_string(*topic.lost) +
                                       " messages any more (retention): their rows can't be made again");
        }
    }
    const store::Schema &tables = setup.module->description().schema;
    const std::vector<std::string> route_tables = live->route_tables(tables);
    for (const std::string &table : route_tables) {
        survey.notes.push_back("table " + table + " is changed by routes: its rows stay as they are, and only missing ones are added");
    }
    for (const store::Counter &counter : tables.counters) {
        survey.notes.push_back("what other clients counted by " + spec.schema + "." + counter.name + " in table " +
                               tables.tables[counter.table].name + " is no event, and is gone afterwards");
    }
    for (const std::string &table : live->adopted_tables(tables)) {
        if (std::find(route_tables.begin(), route_tables.end(), table) != route_tables.end()) {
            continue; // its rows stay
        }
        survey.obstacles.push_back("table " + table + " was there before Weir: rows that no event made can't be made again");
    }
    return survey;
}

} // namespace weir::engine
