// SPDX-License-Identifier: Apache-2.0
#include "installation.hpp"

#include "broker/embedded/embedded_broker.hpp"
#include "broker/redis/redis_broker.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace weir::test {

int slowness() {
    // Of the host that is looked at, not of this program, which may be another build's.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    constexpr int kThisOne = 1;
#else
    constexpr int kThisOne = 0;
#endif
    const int program = knob("WEIR_TEST_SANITIZED", kThisOne) != 0 ? 5 : 1;
    // What a piece of work takes by the clock for what it takes of a processor.
    const auto cpu = [] {
        timespec now{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
    };
    const auto began = std::chrono::steady_clock::now();
    const auto work = cpu() + std::chrono::milliseconds(40);
    while (cpu() < work) {
    }
    const auto took = std::chrono::steady_clock::now() - began;
    return program * std::clamp(static_cast<int>(took / std::chrono::milliseconds(30)), 1, 50);
}

int knob(const char *name, int otherwise) {
    const char *given = std::getenv(name);
    return given ? std::atoi(given) : otherwise;
}

std::map<std::string, DomainState> parse_report(const std::string &json) {
    std::map<std::string, DomainState> result;
    const nlohmann::json report = nlohmann::json::parse(json, nullptr, false);
    if (!report.is_object()) {
        return result;
    }
    for (const nlohmann::json &domain : report.at("domains")) {
        DomainState state;
        state.ready = domain.at("ready");
        state.phase = domain.at("phase");
        state.reason = domain.at("reason");
        state.version = domain.at("version");
        state.generation = domain.at("generation");
        const nlohmann::json &counts = domain.at("counts");
        state.counts = {counts.at("messages"), counts.at("applied"), counts.at("duplicates"),
                        counts.at("stale"),    counts.at("ignored"), counts.at("dead_letters")};
        result[domain.at("domain")] = state;
    }
    return result;
}

struct Installation::Topics {
    std::once_flag opened;
    std::unique_ptr<broker::Broker> broker;
};

Installation::Installation(const std::vector<std::string> &plugins, Backends backends)
    : backends_(std::move(backends)), data_(root()), store_(root() / "store"), topics_(std::make_unique<Topics>()) {
    std::filesystem::create_directory(this->plugins());
    std::filesystem::create_directory(domains());
    std::filesystem::permissions(this->plugins(), std::filesystem::perms::owner_all);
    write_file(config(), R"({"domains_directory": "domains"})");
    set("broker.url", "embedded://" + (root() / "broker.db").string() + "?synchronous=normal");
    set("store.url", "sqlite://" + store_.string() + "?synchronous=normal");
    if (backends_.redis) {
        set("broker.url", backends_.redis->url());
    }
    if (backends_.postgresql) {
        database_name_ = backends_.postgresql->create_database();
        set("store.url", backends_.postgresql->url(database_name_));
    }
    set("plugins.directory", this->plugins().string());
    for (const std::string &plugin : plugins) {
        place(plugin);
    }
}

Installation::~Installation() = default;

Database Installation::domain(const std::string &schema) const {
    return backends_.postgresql ? Database(*backends_.postgresql, database_name_, schema) : Database(database(schema));
}

void Installation::use_store(const std::filesystem::path &directory) {
    store_ = directory;
    set("store.url", "sqlite://" + store_.string() + "?synchronous=normal");
}

void Installation::use_data(const std::filesystem::path &directory) {
    data_ = directory;
    set("broker.url", "embedded://" + (data_ / "broker.db").string() + "?synchronous=normal");
    use_store(data_ / "store");
}

void Installation::set(const std::string &key, const std::string &value) {
    std::string name = "WEIR_";
    for (const char c : key) {
        name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    overrides_[name] = value;
}

std::map<std::string, std::string> Installation::environment(const std::string &host) const {
    auto all = overrides_;
    all["WEIR_STATE_DIRECTORY"] = state(host).string();
    return all;
}

std::unique_ptr<HostProcess> Installation::start(const std::vector<std::string> &arguments, const std::string &host) {
    std::vector<std::string> line{"run", "-c", config().string()};
    line.insert(line.end(), arguments.begin(), arguments.end());
    return std::make_unique<HostProcess>(line, environment(host), root());
}

std::unique_ptr<HostProcess> Installation::command(const std::vector<std::string> &arguments) {
    return std::make_unique<HostProcess>(arguments, environment(""), root());
}

std::map<std::string, DomainState> Installation::drain(std::chrono::milliseconds deadline) {
    const auto host = start({"--until-drained", "--json"});
    const auto ended = host->wait(deadline);
    INFO(host->log().substr(0, 4000));
    REQUIRE(ended);
    REQUIRE(ended->signal == 0);
    REQUIRE(ended->exit_code == 0);
    return parse_report(host->output());
}

std::map<std::string, DomainState> Installation::status(const std::string &host) const {
    const auto file = state(host) / "status.json";
    std::error_code error;
    if (!std::filesystem::exists(file, error)) {
        return {};
    }
    try {
        return parse_report(read_file(file));
    } catch (const std::runtime_error &) {
        return {}; // gone in between
    }
}

bool Installation::ready(const std::string &domain, const std::string &host) const {
    const auto domains = status(host);
    const auto found = domains.find(domain);
    return found != domains.end() && found->second.ready;
}

namespace {
std::unique_ptr<broker::Broker> broker_of(const std::string &url) {
    const auto parsed = [](const std::optional<std::string> &problem) {
        if (problem) {
            throw std::invalid_argument(*problem);
        }
    };
    if (url.starts_with("redis")) {
        broker::RedisOptions options;
        parsed(broker::parse_redis_url(url, options));
        return broker::open_redis_broker(options);
    }
    broker::EmbeddedOptions options;
    parsed(broker::parse_embedded_url(url, options));
    return broker::open_embedded_broker(options);
}
} // namespace

/// From any thread, so without assertions.
broker::Broker &Installation::broker() const {
    std::call_once(topics_->opened, [this] { topics_->broker = broker_of(overrides_.at("WEIR_BROKER_URL")); });
    return *topics_->broker;
}

void Installation::publish(const std::string &topic, const std::vector<Text> &messages) {
    std::vector<broker::Outgoing> outgoing;
    outgoing.reserve(messages.size());
    for (const Text &message : messages) {
        outgoing.push_back({message.key, {}, message.body});
    }
    broker().publish(topic, outgoing);
}

namespace {
template <typename Member>
std::int64_t of_group(broker::Broker &broker, const std::string &topic, const std::string &group, Member member) {
    for (const broker::TopicInfo &info : broker.topics()) {
        for (const broker::GroupInfo &entry : info.groups) {
            if (info.topic == topic && entry.group == group) {
                return static_cast<std::int64_t>(entry.*member);
            }
        }
    }
    return -1;
}
} // namespace

std::int64_t Installation::backlog(const std::string &topic, const std::string &group) const {
    return of_group(broker(), topic, group, &broker::GroupInfo::backlog);
}

std::int64_t Installation::pending(const std::string &topic, const std::string &group) const {
    return of_group(broker(), topic, group, &broker::GroupInfo::pending);
}

std::filesystem::path Installation::built(const std::string &plugin) {
    const auto shipped = build_directory() / "plugins" / (plugin + ".so");
    return std::filesystem::exists(shipped) ? shipped : build_directory() / "tests/e2e_plugins" / (plugin + ".so");
}

void Installation::place(const std::string &plugin, const std::string &as) {
    const auto target = plugins() / ((as.empty() ? plugin : as) + ".so");
    const auto half = root() / "half-copied";
    std::filesystem::copy_file(built(plugin), half, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::permissions(half, std::filesystem::perms::owner_all);
    std::filesystem::rename(half, target);
}

std::string probe_id(const std::string &type, const std::string &subject, int number) {
    const std::size_t high = std::hash<std::string>{}(type + "\n" + subject);
    char text[64];
    std::snprintf(text, sizeof(text), "%08zx-%04zx-4%03zx-8000-%012x", high & 0xffffffffu, high >> 32 & 0xffffu, high >> 48 & 0xfffu,
                  static_cast<unsigned>(number));
    return text;
}

Text probe_event(const std::string &type, const std::string &subject, int number, const std::string &note) {
    const nlohmann::json event{{"event_id", probe_id(type, subject, number)},
                               {"event_type", type},
                               {"occurred_at", "2025-11-24T10:00:00Z"},
                               {"schema_version", 1},
                               {"payload", {{"subject", subject}, {"number", number}, {"note", note}}}};
    return {subject, event.dump()};
}

} // namespace weir::test
