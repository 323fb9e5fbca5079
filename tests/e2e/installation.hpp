// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends.hpp"
#include "database.hpp"
#include "host_process.hpp"
#include "support.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::broker {
class Broker;
}

namespace weir::test {

/// How fast the machine is to be taken for where a test has a limit in time: 1, more where sanitizers slow everything down.
int slowness();

/// A number from the environment, for longer or shorter runs.
int knob(const char *name, int otherwise);

/// A message to publish.
struct Text {
    std::string key;
    std::string body;
};

/// What a host counted, as `run --json` and status.json tell it.
struct DomainCounts {
    std::int64_t messages = 0;
    std::int64_t applied = 0;
    std::int64_t duplicates = 0;
    std::int64_t stale = 0;
    std::int64_t ignored = 0;
    std::int64_t dead_letters = 0;
};

struct DomainState {
    bool ready = false;
    std::string phase;
    std::string reason;
    std::string version;
    std::int64_t generation = 0;
    DomainCounts counts;
};

/// By domain. Empty where the text is no report (yet).
std::map<std::string, DomainState> parse_report(const std::string &json);

/**
 * The directories and the configuration of a host: plugins, domain files, broker, store, state. Broker and store survive any kill but do
 * not wait for the disk, so that the tests are quick; what a power cut may take is not what they are about.
 */
class Installation {
public:
    /// @param plugins files of build/<preset>/plugins ("linting") or of the tests ("probe"), placed before anything runs
    /// @param backends where topics and state are
    explicit Installation(const std::vector<std::string> &plugins, Backends backends = {});
    ~Installation();

    std::filesystem::path root() const { return directory_.path(); }
    std::filesystem::path plugins() const { return root() / "plugins"; }
    std::filesystem::path domains() const { return root() / "domains"; }
    std::filesystem::path store() const { return store_; }
    std::filesystem::path config() const { return root() / "weir.json"; }
    /// A domain's tables, wherever the state is.
    Database domain(const std::string &schema) const;
    const Backends &backends() const { return backends_; }
    /// The database in PostgreSQL.
    const std::string &database_name() const { return database_name_; }
    /// A domain's database, where the store is SQLite.
    std::filesystem::path database(const std::string &schema) const { return store_ / (schema + ".db"); }
    std::filesystem::path state(const std::string &host = "") const { return data_ / ("state" + host); }

    /// Keeps the store elsewhere. Before the first host.
    void use_store(const std::filesystem::path &directory);
    /// Keeps everything that a host writes elsewhere: broker, store and state. Before the first host and the first message.
    void use_data(const std::filesystem::path &directory);
    /// Overrides a key for hosts started from now on: "engine.batch_max_events".
    void set(const std::string &key, const std::string &value);

    /// Starts a host. @param host its state directory's suffix, where there are two
    std::unique_ptr<HostProcess> start(const std::vector<std::string> &arguments = {}, const std::string &host = "");
    /// Any other command, with the same configuration.
    std::unique_ptr<HostProcess> command(const std::vector<std::string> &arguments);
    /// Runs a host until it is drained and returns what it counted; fails the test where it does not end well.
    std::map<std::string, DomainState> drain(std::chrono::milliseconds deadline = std::chrono::seconds(120));

    /// status.json of a running host.
    std::map<std::string, DomainState> status(const std::string &host = "") const;
    /// Whether a domain is there and ready.
    bool ready(const std::string &domain, const std::string &host = "") const;

    void publish(const std::string &topic, const std::vector<Text> &messages);
    /// Messages that a group has not been given, and not acknowledged; -1 where there is no such group.
    std::int64_t backlog(const std::string &topic, const std::string &group) const;
    std::int64_t pending(const std::string &topic, const std::string &group) const;

    /// Where a built plugin lies.
    static std::filesystem::path built(const std::string &plugin);
    /// Puts a plugin into the directory at once, as `weir plugin install` does.
    void place(const std::string &plugin, const std::string &as = "");

private:
    std::map<std::string, std::string> environment(const std::string &host) const;
    broker::Broker &broker() const;

    TemporaryDirectory directory_;
    Backends backends_;
    std::string database_name_;
    std::filesystem::path data_;
    std::filesystem::path store_;
    std::map<std::string, std::string> overrides_;
    struct Topics;
    std::unique_ptr<Topics> topics_;
};

/// A valid event for the plugin "probe". The id is made from subject and number.
Text probe_event(const std::string &type, const std::string &subject, int number, const std::string &note = "");
/// The id of it.
std::string probe_id(const std::string &type, const std::string &subject, int number);

} // namespace weir::test
