// SPDX-License-Identifier: Apache-2.0
#include "operations/dead_letter_routes.hpp"

#include "operations/letters.hpp"
#include "operations/report.hpp"

#include "engine/replay.hpp"
#include "http/problem.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace weir::operations {

namespace {

using http::problem;
using http::Request;
using http::Response;
using Json = nlohmann::ordered_json;

constexpr std::size_t kPageDefault = 100;
constexpr std::size_t kPageMost = 1000;
constexpr std::size_t kReadAtOnce = 100; // each with its message, of some MiB at most
constexpr auto kReplayTime = std::chrono::seconds(60);

/// One domain's dead letters, opened for one request.
struct Opened {
    engine::Supervisor::Wanted wanted;
    std::unique_ptr<store::DomainStore> domain_store;
    std::unique_ptr<store::Session> session;
};

/// @return the problem where there is no such domain; nothing, with `out` filled, where there is
std::optional<Response> open(const Sources &sources, std::string_view domain, Opened &out) {
    auto served = sources.served();
    const auto found = served.find(std::string(domain));
    if (found == served.end()) {
        std::string names;
        for (const auto &[name, wanted] : served) {
            names += (names.empty() ? "" : ", ") + name;
        }
        return problem(404, "No domain of this name is served; served are: " + (names.empty() ? "none" : names));
    }
    out.wanted = std::move(found->second);
    if (!sources.store->has_domain(out.wanted.spec.schema)) {
        return problem(404, "The domain has no tables yet, and so no dead letters");
    }
    out.domain_store = sources.store->domain(out.wanted.spec.schema);
    out.session = out.domain_store->open();
    return std::nullopt;
}

/// A whole number of a parameter; `fallback` where it isn't given, nothing where it is none.
std::optional<std::int64_t> number(const Request &request, std::string_view name, std::int64_t fallback) {
    const auto text = request.parameter(name);
    if (!text) {
        return fallback;
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    return error == std::errc() && end == text->data() + text->size() && value >= 0 ? std::optional(value) : std::nullopt;
}

std::string escaped(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string out;
    for (const char character : text) {
        const auto byte = static_cast<unsigned char>(character);
        if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' ||
            byte == '.') {
            out += character;
        } else {
            out += '%';
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        }
    }
    return out;
}

std::string next_page(const Request &request, std::int64_t after) {
    std::string link = request.path;
    char separator = '?';
    for (const http::Parameter &parameter : request.parameters) {
        if (parameter.name != "after") {
            link += separator + escaped(parameter.name) + "=" + escaped(parameter.value);
            separator = '&';
        }
    }
    return link + separator + "after=" + std::to_string(after);
}

Response list(const Sources &sources, const Request &request) {
    const auto domain = request.parameter("domain");
    const auto after = number(request, "after", 0);
    const auto limit = number(request, "limit", kPageDefault);
    const std::string_view status = request.parameter("status").value_or("pending");
    if (!domain) {
        return problem(400, "Say whose dead letters: ?domain=NAME");
    }
    if (!after || !limit || *limit < 1 || *limit > static_cast<std::int64_t>(kPageMost)) {
        return problem(400, "after is the id of a dead letter, limit a number from 1 to " + std::to_string(kPageMost));
    }
    if (status != "all" && !status_named(status)) {
        return problem(400, "status is pending, replayed, dropped or all");
    }
    Opened opened;
    if (auto refused = open(sources, *domain, opened)) {
        return *refused;
    }
    store::DeadLetterFilter filter;
    filter.status = status_named(status);
    filter.error_type = request.parameter("error_type").value_or("");
    filter.event_type = request.parameter("event_type").value_or("");
    filter.topic = request.parameter("topic").value_or("");
    filter.after_id = *after;
    filter.limit = std::min(kReadAtOnce, static_cast<std::size_t>(*limit) + 1);
    Json letters = Json::array();
    bool more = true;
    for (bool goes_on = true; goes_on;) {
        const auto page = opened.session->dead_letters(filter);
        more = page.size() == filter.limit;
        goes_on = more && std::chrono::steady_clock::now() < request.deadline; // where the time is up, the next page goes on
        for (const store::DeadLetter &letter : page) {
            if (letters.size() == static_cast<std::size_t>(*limit)) {
                more = true;
                goes_on = false;
                break;
            }
            letters.push_back(letter_json(letter));
        }
        filter.after_id = page.empty() ? filter.after_id : page.back().id;
    }
    Json next;
    if (more) {
        next = next_page(request, letters.back()["id"].get<std::int64_t>());
    }
    return Response::json(200, dumped({{"domain", *domain}, {"dead_letters", std::move(letters)}, {"next", std::move(next)}}));
}

/// Finds the letter of the path and hands it on.
Response with_letter(const Sources &sources, const Request &request,
                     const std::function<Response(Opened &, const store::DeadLetter &)> &work) {
    return guarded_by_store([&]() -> Response {
        const auto id = parse_letter_id(request.path_parameter("id"));
        if (!id) {
            return problem(400, "The id is neither a number, as the list shows it, nor an event's UUID");
        }
        Opened opened;
        if (auto refused = open(sources, request.path_parameter("domain"), opened)) {
            return *refused;
        }
        const auto letter = find_letter(*opened.session, *id);
        return letter ? work(opened, *letter) : problem(404, "The domain has no dead letter with this id");
    });
}

/// @param status that the letter has now
Json outcome(const Request &request, const store::DeadLetter &letter, const char *what, store::DeadLetterStatus status) {
    return {{"domain", request.path_parameter("domain")},
            {"id", letter.id},
            {"event_id", letter.event_id.text()},
            {"event_type", letter.event_type},
            {"outcome", what},
            {"status", status_name(status)}};
}

Response not_pending() { return problem(409, "The dead letter is not pending any more; the list with status=all says what became of it"); }

/// Whether it is a dry run; nothing where the parameter says neither.
std::optional<bool> dry_run(const Request &request) {
    const std::string_view text = request.parameter("dry_run").value_or("false");
    return text == "true" || text == "false" ? std::optional(text == "true") : std::nullopt;
}

Response neither_true_nor_false() { return problem(400, "dry_run is true or false"); }

Response drop(const Request &request, Opened &opened, const store::DeadLetter &letter) {
    const auto dry = dry_run(request);
    if (!dry) {
        return neither_true_nor_false();
    }
    if (*dry) {
        return letter.status == store::DeadLetterStatus::pending
                   ? Response::json(200, dumped(outcome(request, letter, "would_drop", letter.status)))
                   : not_pending();
    }
    return drop_letter(*opened.session, letter)
               ? Response::json(200, dumped(outcome(request, letter, "dropped", store::DeadLetterStatus::dropped)))
               : not_pending();
}

Response replay(const Sources &sources, const Request &request, Opened &opened, const store::DeadLetter &letter) {
    const auto dry = dry_run(request);
    if (!dry) {
        return neither_true_nor_false();
    }
    if (letter.status != store::DeadLetterStatus::pending) {
        return not_pending();
    }
    if (*dry && !opened.domain_store->preview(opened.wanted.module->description().schema).empty()) {
        return problem(409, "A dry run changes nothing, and the tables are not yet as this plugin declares them");
    }
    engine::Replayer replayer(opened.wanted.spec, opened.wanted.module, *sources.store, *sources.contracts, sources.state_directory);
    const engine::ReplayResult result = replayer.replay(letter, *dry);
    if (result.outcome == engine::ReplayOutcome::not_pending) {
        return not_pending();
    }
    if (result.outcome == engine::ReplayOutcome::failed) {
        Json json = outcome(request, letter, "failed", store::DeadLetterStatus::pending);
        json["error_type"] = result.reason.type;
        json["error_message"] = result.reason.message;
        json["retry_count"] = letter.retry_count + (*dry ? 0 : 1);
        return Response::json(200, dumped(json));
    }
    const bool done = result.outcome == engine::ReplayOutcome::replayed;
    Json json = outcome(request, letter, done ? "replayed" : "would_apply",
                        done ? store::DeadLetterStatus::replayed : store::DeadLetterStatus::pending);
    json["decided"] = store::outcome_name(result.decided);
    return Response::json(200, dumped(json));
}

http::RouteDescription::Field field(const char *name, const char *in, const char *description,
                                    const char *schema = R"({"type":"string"})") {
    return {name, in, description, schema, false};
}

http::Route route(http::Method method, const char *pattern, http::Handler handler, http::RouteDescription description) {
    http::Route one;
    one.method = method;
    one.pattern = pattern;
    one.handler = std::move(handler);
    one.options.private_answer = true;
    one.owner = "operations";
    one.description = std::move(description);
    return one;
}

http::RouteDescription::Field dry_run_field() {
    return field("dry_run", "query", "Says what would come of it, and commits nothing", R"({"type":"boolean","default":false})");
}

http::RouteDescription one_letter(const char *operation_id, const char *summary, const char *schema) {
    http::RouteDescription about = described(operation_id, summary, schema);
    about.fields = {field("domain", "path", "The domain"), field("id", "path", "The number of the dead letter, or its event's UUID")};
    return about;
}

} // namespace

std::vector<http::Route> dead_letter_routes(const std::shared_ptr<const Sources> &sources) {
    std::vector<http::Route> all;
    http::RouteDescription listing =
        described("listDeadLetters", "A domain's dead letters and why they are, without their messages", "DeadLetters");
    listing.fields = {field("domain", "query", "Whose"),
                      field("status", "query", "Only these", R"({"enum":["pending","replayed","dropped","all"],"default":"pending"})"),
                      field("error_type", "query", "Only those refused for this reason, such as contract_violation"),
                      field("event_type", "query", "Only events of this type"),
                      field("topic", "query", "Only those from this topic"),
                      field("after", "query", "Only those after this id", R"({"type":"integer","minimum":0})"),
                      field("limit", "query", "How many at most", R"({"type":"integer","minimum":1,"maximum":1000,"default":100})")};
    listing.fields[0].required = true;
    all.push_back(route(
        http::Method::get, "/api/deadletters",
        [sources](const Request &request) { return guarded_by_store([&] { return list(*sources, request); }); }, std::move(listing)));

    all.push_back(route(
        http::Method::get, "/api/deadletters/{domain}/{id}",
        [sources](const Request &request) {
            return with_letter(*sources, request, [](Opened &, const store::DeadLetter &letter) {
                return Response::json(200, dumped(whole_letter_json(letter)));
            });
        },
        one_letter("showDeadLetter", "One dead letter with its message, personal data included", "DeadLetter")));
    all.back().options.access = http::Access::guarded;

    http::RouteDescription replaying =
        one_letter("replayDeadLetter", "Applies a dead letter again, with today's plugin and contracts", "Outcome");
    replaying.text =
        "It is applied under its own event id and marked in one transaction; `decided` says what came of it. One that fails stays pending "
        "with its new reason: `outcome` is failed, and `error_type` and `error_message` are those of this try.";
    replaying.fields.push_back(dry_run_field());
    all.push_back(route(
        http::Method::post, "/api/deadletters/{domain}/{id}/replay",
        [sources](const Request &request) {
            return with_letter(*sources, request,
                               [&](Opened &opened, const store::DeadLetter &letter) { return replay(*sources, request, opened, letter); });
        },
        std::move(replaying)));
    all.back().options.access = http::Access::guarded;
    all.back().options.timeout = kReplayTime;

    http::RouteDescription dropping = one_letter("dropDeadLetter", "Gives a dead letter up; it stays in the table as dropped", "Outcome");
    dropping.fields.push_back(dry_run_field());
    all.push_back(route(
        http::Method::post, "/api/deadletters/{domain}/{id}/drop",
        [sources](const Request &request) {
            return with_letter(*sources, request,
                               [&](Opened &opened, const store::DeadLetter &letter) { return drop(request, opened, letter); });
        },
        std::move(dropping)));
    all.back().options.access = http::Access::guarded;
    return all;
}

} // namespace weir::operations
