// SPDX-License-Identifier: Apache-2.0
// The votes domain: takes votes over HTTP, counts them from the stream, and shows how many each option has.
#include "page.hpp"

#include <weir/http.hpp>

#include <map>

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

/// Where the page may load from: this place alone.
constexpr std::string_view page_policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
                                         "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '\r': // which a page's reader would take for the end of a line
            out += "&#13;";
            break;
        default:
            out += c;
        }
    }
    return out;
}

} // namespace

WEIR_ROUTE(cast_vote);
WEIR_ROUTE(show_page);
WEIR_ROUTE(show_results);

WEIR_PLUGIN(votes, "votes", "1.0.0") {
    using namespace std::chrono_literals;
    plugin.summary("Takes votes, counts them and shows the results")
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
    weir::Routes(plugin)
        .post("/api/vote", cast_vote, {.summary = "Votes; 202 once the vote is in the stream", .max_body_bytes = 4096})
        .get("/api/results", show_results, {.summary = "How many votes each option has", .max_age = 1s})
        .events("/api/results/events", show_results, 500ms, {.summary = "The results, whenever they change"})
        .get("/", show_page, {.summary = "A page to vote on", .produces = "text/html", .content_security_policy = page_policy})
        .asset("/votes/page.css", "text/css; charset=utf-8", page::css)
        .asset("/votes/page.js", "text/javascript; charset=utf-8", page::script);
}

WEIR_HANDLER(votes, vote_cast) {
    const auto option = event.text("/vote");
    if (!call.instance<Votes>().offers(option)) {
        return call.reject("invalid_vote", "/vote: is none of the options in the domain's settings.options");
    }
    call.upsert(vote_counts, option).add(vote_counts.count, 1).max(vote_counts.updated_at, event.occurred_at());
}

WEIR_ROUTE(cast_vote) {
    const auto option = request.body().text("/vote");
    if (!call.instance<Votes>().offers(option)) {
        return reply.problem(422, "invalid_vote", "/vote: is none of the options; GET /api/results names them");
    }
    const std::string payload = weir::JsonObject().add("vote", option).text();
    reply.publish({.type = "vote.cast.v1", .payload = payload}); // to the topic that the domain reads
    reply.status(202).json(weir::JsonObject().add("status", "accepted").add("vote", option).add("id", request.id()).text());
}

// With its buttons in it, so that there is something to vote with whatever becomes of the results.
WEIR_ROUTE(show_page) {
    constexpr std::string_view place = "<!-- options -->";
    std::string buttons;
    for (const std::string &option : call.instance<Votes>().options) {
        buttons += "<button type=\"button\">" + escaped(option) + "</button>";
    }
    std::string html(page::html);
    html.replace(html.find(place), place.size(), buttons);
    reply.body("text/html; charset=utf-8", html);
}

WEIR_ROUTE(show_results) {
    const auto &options = call.instance<Votes>().options;
    std::map<std::string_view, std::int64_t> counted;
    std::int64_t total = 0;
    for (const std::string &option : options) {
        const auto row = call.read(vote_counts, option);
        counted[option] = row ? (*row)[vote_counts.count] : 0;
        total += counted[option];
    }
    weir::JsonArray names;
    weir::JsonObject counts;
    weir::JsonObject percentages;
    for (const std::string &option : options) {
        const auto count = counted[option];
        names.add(option);
        counts.add(option, count);
        percentages.add(option, total ? std::round(1e4 * static_cast<double>(count) / static_cast<double>(total)) / 100 : 0.0);
    }
    const std::string list = names.text();
    reply.json(weir::JsonObject()
                   .add("options", weir::Json(list))
                   .add("counts", counts)
                   .add("total", total)
                   .add("percentages", percentages)
                   .text());
}
