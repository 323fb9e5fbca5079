// SPDX-License-Identifier: Apache-2.0
// The votes domain: how many votes each option has.
#include <weir/plugin.hpp>

namespace {

/// The votes of an option, those from before Weir included.
struct VoteCounts : weir::Table<VoteCounts> {
    Text option{this, "option"};
    Int64 count{this, "count", weir::default_to(0)};
    Timestamp updated_at{this, "updated_at"};

    constexpr VoteCounts() : Table("vote_counts") {}
    constexpr auto primary_key() const { return weir::key(option); }
};
constexpr VoteCounts vote_counts;

/// What a domain's settings say.
struct Votes {
    std::vector<std::string> options;
    explicit Votes(const weir::Setup &setup) : options(setup.settings().texts("options", 100)) {
        auto sorted = options;
        std::sort(sorted.begin(), sorted.end());
        if (sorted.empty() || sorted.front().empty() || std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
            throw weir::SettingsError("settings.options must name at least one option, none of them empty or twice");
        }
    }
    bool offers(std::string_view option) const { return std::find(options.begin(), options.end(), option) != options.end(); }
};

} // namespace

WEIR_PLUGIN(votes, "votes", "1.0.0") {
    plugin.summary("Counts votes")
        .tables(vote_counts)
        .counter("increment_vote", vote_counts, vote_counts.count, vote_counts.updated_at)
        // An entry is {"vote": "cats"}, as JSON or as flat fields. Sums commute, so any number of readers may count. Where it has an
        // "event_id", that one tells a repeated entry from another vote; otherwise every entry is a vote.
        .domain({.name = "votes",
                 .schema = "votes",
                 .group = "vote-processors",
                 .topics = {"votes"},
                 .order = weir::Order::parallel,
                 .bindings = {{.topic = "votes", .event_type = "=vote.cast.v1"}}})
        .settings(R"({"options": ["cats", "dogs"]})")
        .instance<Votes>();
}

WEIR_HANDLER(votes, vote_cast) {
    const auto option = event.text("/vote");
    if (!call.instance<Votes>().offers(option)) {
        return call.reject("invalid_vote", "/vote: is none of the options in the domain's settings.options");
    }
    call.upsert(vote_counts, option).add(vote_counts.count, 1).max(vote_counts.updated_at, event.occurred_at());
}
