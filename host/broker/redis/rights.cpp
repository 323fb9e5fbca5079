// SPDX-License-Identifier: Apache-2.0
#include "rights.hpp"

#include "topic.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace weir::broker::redis {

namespace {

using health::Finding;
using health::Health;

enum class Use : std::uint8_t { serving, publishing, limits, looking };

/// A command that does nothing, whatever the server thinks of it. "KEY" stands for a topic's stream.
struct Probe {
    Use use;
    std::string_view rule; ///< what grants it
    std::vector<std::string_view> words;
};

const std::vector<Probe> &probes() {
    constexpr std::string_view kNobody = "weir.nobody"; // a group that is never made
    static const std::vector<Probe> all{
        {Use::serving, "+type", {"TYPE", "KEY"}},
        {Use::serving, "+xinfo", {"XINFO", "STREAM", "KEY"}},
        {Use::serving, "+xgroup", {"XGROUP", "CREATE", "KEY", kNobody, "no-id"}},
        {Use::serving, "+xreadgroup", {"XREADGROUP", "GROUP", kNobody, kNobody, "STREAMS", "KEY", "no-id"}},
        {Use::serving, "+xack", {"XACK", "KEY", kNobody, "no-id"}},
        {Use::serving, "+xpending", {"XPENDING", "KEY", kNobody}},
        {Use::serving, "+xclaim", {"XCLAIM", "KEY", kNobody, kNobody, "0", "no-id"}},
        {Use::serving, "+xrange", {"XRANGE", "KEY", "no-id", "+"}},
        {Use::serving, "+xrevrange", {"XREVRANGE", "KEY", "no-id", "-"}},
        {Use::serving, "+xlen", {"XLEN", "KEY"}},
        {Use::publishing, "+xadd", {"XADD", "KEY", "NOMKSTREAM", "no-id", "event", "{}"}},
        {Use::publishing, "+exec", {"EXEC"}},
        {Use::limits, "+xtrim", {"XTRIM", "KEY", "MAXLEN", "no-number"}},
        {Use::limits, "+time", {"TIME"}},
        {Use::looking, "+scan", {"SCAN", "no-cursor"}},
        {Use::looking, "+client|unblock", {"CLIENT", "UNBLOCK", "0"}},
        {Use::publishing, "+multi", {"MULTI"}}, // the last: it begins a transaction, which ends with the connection
    };
    return all;
}

/// What a use lacks: rules as ACL SETUSER takes them, each once.
using Missing = std::array<std::set<std::string>, 4>;

void note_keys(const std::string &topic, std::set<std::string> &rules) {
    rules.insert("~" + topic);
    rules.insert("~" + topic + ".*");
}

/// @return whether the command itself was refused, whatever its key
bool note(const Probe &probe, const Reply &reply, const std::string &topic, Missing &missing) {
    // EXEC is refused with "EXECABORT Transaction discarded because of: NOPERM ...".
    if (reply.type != Reply::Type::error || reply.text.find("NOPERM") == std::string_view::npos) {
        return false;
    }
    std::set<std::string> &rules = missing.at(static_cast<std::size_t>(probe.use));
    if (reply.text.find("key") != std::string_view::npos) { // "... to access one of the keys used as arguments"
        note_keys(topic, rules);
        return false;
    }
    rules.emplace(probe.rule); // "... to run the 'xadd' command"
    return true;
}

void ask(Connection &connection, const std::string &topic, Missing &missing) {
    std::string key = topic;
    try {
        if (const auto streams = find_streams(connection, topic); !streams.empty()) {
            key = streams.front().key;
        }
    } catch (const Misconfigured &) { // TYPE is refused, as the probe finds again; or it is no stream, which is said elsewhere
    }
    Commands commands;
    for (const Probe &probe : probes()) {
        commands.begin(probe.words.size());
        for (const std::string_view word : probe.words) {
            commands.word(word == "KEY" ? key : word);
        }
    }
    const auto answers = connection.execute(commands);
    bool keys_tried = false; // a refused command says nothing of its key
    for (std::size_t at = 0; at < answers.size(); ++at) {
        const Probe &probe = probes()[at];
        const bool has_key = std::find(probe.words.begin(), probe.words.end(), "KEY") != probe.words.end();
        const bool command_refused = note(probe, *answers[at], topic, missing);
        keys_tried = keys_tried || (has_key && !command_refused);
    }
    if (!keys_tried) {
        note_keys(topic, missing.at(0));
    }
    connection.close();
}

std::string joined(const std::set<std::string> &rules) {
    std::string text;
    for (const std::string &rule : rules) {
        text += (text.empty() ? "" : " ") + rule;
    }
    return text;
}

} // namespace

std::vector<Finding> examine_rights(Connection &connection, const std::vector<std::string> &topics) {
    const std::string user = connection.options().user.empty() ? "default" : connection.options().user;
    Missing missing;
    for (const std::string &topic : topics) {
        ask(connection, topic, missing);
    }
    constexpr std::array<std::string_view, 4> kLost{
        "it can't serve the topics of this configuration", "it can't publish, nor can plugins that emit; serving does not need it",
        "it can't keep max_messages and max_age_s", "weir topics shows nothing, and handing a partition over takes a second longer"};
    std::vector<Finding> findings;
    for (std::size_t use = 0; use < missing.size(); ++use) {
        if (missing.at(use).empty()) {
            continue;
        }
        const std::string rules = joined(missing.at(use));
        findings.push_back(
            {"redis_rights", use == 0 ? Health::fault : Health::warning,
             "the user '" + user + "' lacks " + rules + ": " + std::string(kLost.at(use)),
             "ACL SETUSER " + user + " " + rules + " (docs/redis.md lists all), or name another user in " + connection.options().key});
    }
    if (findings.empty() && !topics.empty()) {
        findings.push_back({"redis_rights", Health::good, "the user '" + user + "' has the rights that Weir needs on its topics", ""});
    }
    return findings;
}

} // namespace weir::broker::redis
