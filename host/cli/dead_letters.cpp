// SPDX-License-Identifier: Apache-2.0
#include "dead_letters.hpp"
#include "cli/command.hpp"
#include "output.hpp"
#include "suggest.hpp"

#include <algorithm>
#include <cstdio>

namespace weir::cli {

namespace {

constexpr std::size_t kPage = 100; // each with its message, of some MiB at most
} // namespace

// A mistyped topic finds nothing, which looks as if there were nothing. Letters of topics that the domain once read are there, too.
void note_foreign_topic(const std::string &topic, const engine::DomainSpec &domain) {
    const std::vector<std::string> &topics = domain.topics;
    if (!topic.empty() && std::find(topics.begin(), topics.end(), topic) == topics.end()) {
        const std::string near = nearest(topic, topics);
        const std::string hint = near.empty() ? "" : "; did you mean '" + near + "'?";
        std::fprintf(stderr, "note: %s reads no topic '%s'%s\n", domain.name.c_str(), printable(topic).c_str(), hint.c_str());
    }
}

std::optional<store::DeadLetter> find_letter(store::Session &session, const std::string &id) {
    const auto wanted = operations::parse_letter_id(id);
    if (!wanted) {
        throw Failure(Exit::usage, "'" + id + "' is no id: neither a number, as the list of dead letters shows it, nor an event's UUID");
    }
    return operations::find_letter(session, *wanted);
}

void each_letter(store::Session &session, const LetterChoice &choice, const std::function<bool(store::DeadLetter)> &take) {
    if (!choice.ids.empty()) {
        std::vector<store::DeadLetter> letters; // all must be there before anything is done
        for (const std::string &id : choice.ids) {
            auto letter = find_letter(session, id);
            if (!letter) {
                throw Failure(Exit::failed, "there is no dead letter '" + id + "'; nothing was done");
            }
            letters.push_back(std::move(*letter));
        }
        for (store::DeadLetter &letter : letters) {
            if (!take(std::move(letter))) {
                return;
            }
        }
        return;
    }
    store::DeadLetterFilter filter;
    filter.status = choice.status;
    filter.error_type = choice.error_type;
    filter.event_type = choice.event_type;
    filter.topic = choice.topic;
    filter.limit = kPage;
    for (;;) {
        auto page = session.dead_letters(filter);
        if (page.empty()) {
            return;
        }
        filter.after_id = page.back().id;
        for (store::DeadLetter &letter : page) {
            if (!take(std::move(letter))) {
                return;
            }
        }
    }
}

} // namespace weir::cli
