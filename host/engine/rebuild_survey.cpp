// SPDX-License-Identifier: Apache-2.0
#include "engine/rebuild_reading.hpp"
#include "engine/rebuild_run.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace weir::engine {

namespace {

constexpr std::uint64_t kLookThrough = 20'000'000; // messages: eight bytes each are kept meanwhile

// What may explain that topics lack decided events, a sentence each.
std::vector<std::string> why_gone(const RebuildSetup &setup, store::Session &session, const std::vector<store::StoredPosition> &positions,
                                  const std::vector<broker::Partition> &partitions) {
    std::vector<std::string> reasons;
    const auto add = [&](std::string reason) {
        if (std::find(reasons.begin(), reasons.end(), reason) == reasons.end()) {
            reasons.push_back(std::move(reason));
        }
    };
    const std::vector<std::string> &topics = setup.spec.topics;
    for (const store::StoredPosition &stored : positions) {
        if (is_of_topic(stored) && std::find(topics.begin(), topics.end(), stored.topic) == topics.end()) {
            add("this domain has read topic " + stored.topic + ", which is not among its topics any more");
        }
    }
    session.decided({});
    const std::vector<store::PrunedRange> pruned = session.pruned();
    for (const broker::Partition &partition : partitions) {
        const auto newest = setup.broker->newest(partition, 1);
        if (newest.empty()) {
            continue;
        }
        const auto of_another = [&](const auto &entry) {
            return entry.topic == partition.topic && entry.partition == partition.number && entry.incarnation != newest.front().incarnation;
        };
        if (std::any_of(pruned.begin(), pruned.end(), of_another)) {
            add("topic " + partition.topic + " was removed and made anew since this domain first read it");
        }
        for (const store::StoredPosition &stored : positions) {
            if (stored.topic == partition.topic && stored.partition == partition.number &&
                stored.incarnation == newest.front().incarnation && newest.front().position < stored.position) {
                add("topic " + partition.topic + " ends before what this domain has read of it: it was restored from an older copy");
            }
        }
    }
    return reasons;
}

/// The tables to which a table refers, also by way of others, without those that stay.
std::vector<std::string> referred_to(const store::Schema &schema, const std::string &name, const std::vector<std::string> &stay) {
    std::vector<std::string> found{name};
    for (std::size_t i = 0; i < found.size(); ++i) {
        for (const store::Table &table : schema.tables) {
            for (const store::Reference &reference : table.references) {
                const std::string &target = schema.tables[reference.target_table].name;
                if (table.name == found[i] && std::find(stay.begin(), stay.end(), target) == stay.end() &&
                    std::find(found.begin(), found.end(), target) == found.end()) {
                    found.push_back(target);
                }
            }
        }
    }
    found.erase(found.begin());
    return found;
}

std::uint64_t sum_of(const store::LedgerCounts &counts) { return counts.applied + counts.ignored + counts.dead; }

std::string counted(std::uint64_t number, const std::string &what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

} // namespace

std::string may_be_requests(const RebuildSetup &setup, store::DomainStore &live, const store::LedgerCounts &counts, std::uint64_t gone,
                            std::uint64_t given_up) {
    const plugin::Description &plugin = setup.module->description();
    const bool has_routes =
        std::any_of(plugin.routes.begin(), plugin.routes.end(), [](const plugin::Route &route) { return route.method != WEIR_HTTP_GET; });
    const std::uint64_t undivided = counts.undivided - std::min(counts.undivided, given_up);
    if (undivided == 0 || (!has_routes && live.route_tables(plugin.schema).empty())) {
        return ""; // where no route has ever changed anything, nobody is to be told that it may be harmless
    }
    return "; up to " + std::to_string(std::min(gone, undivided)) +
           " of them may have been no events, but requests to the plugin's routes, which an earlier version of Weir counted alike. Who "
           "knows "
           "the topics to be whole loses nothing by --from-what-is-kept, and is not asked again";
}

std::string rebuild_loses(std::uint64_t gone, std::uint64_t decided) {
    return "of the " + std::to_string(decided) + " events that this domain has decided, the topics don't hold about " +
           std::to_string(gone) + " any more: the rows that these made would be removed";
}

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
    std::vector<broker::Partition> all;
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
            all.push_back(partition);
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
    const std::uint64_t decided = sum_of(survey.decided);
    survey.given_up = events_given_up(*session);
    std::uint64_t can_be_made = survey.kept();
    if (survey.kept() <= kLookThrough) {
        KeptEvents found = look_through_kept(setup, *session, all);
        can_be_made = found.decided;
        survey.messages = {found.decided, found.duplicates, found.dropped, found.undecided};
        survey.without_handler = std::move(found.without_handler);
    }
    if (decided > can_be_made + survey.given_up) {
        std::string reasons;
        for (const std::string &reason : why_gone(setup, *session, positions, all)) {
            reasons += (reasons.empty() ? " (" : "; ") + reason;
        }
        survey.gone = decided - can_be_made - survey.given_up;
        survey.obstacles.push_back(
            rebuild_loses(survey.gone, decided) +
            (reasons.empty() ? " (topics made anew, restored from an older copy or shortened, other topics than before" : reasons) + ")" +
            may_be_requests(setup, *live, survey.decided, survey.gone, survey.given_up));
    }
    for (const auto &[type, events] : survey.without_handler) {
        survey.notes.push_back(std::to_string(events) + (events == 1 ? " event" : " events") + " of type " + type + " have no handler in " +
                               setup.module->description().name + " " + setup.module->description().version + " and would be ignored");
    }
    const store::Schema &tables = setup.module->description().schema;
    const std::vector<std::string> route_tables = live->route_tables(tables);
    for (const std::string &table : route_tables) {
        survey.notes.push_back("table " + table + " is changed by routes: its rows stay as they are, and only missing ones are added");
        for (const std::string &target : referred_to(tables, table, route_tables)) {
            survey.notes.push_back("rows of " + target + " that no event makes any more are kept where rows of " + table +
                                   " refer to them, also by way of others");
        }
        if (survey.decided.dead + survey.decided.ignored > 0) {
            survey.notes.push_back(counted(survey.decided.dead, "dead letter") + " and " +
                                   counted(survey.decided.ignored, "ignored event") + " have no effect in table " + table +
                                   ": those that would change it are dead letters afterwards, to be replayed then, and those that wouldn't "
                                   "are applied");
        }
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
