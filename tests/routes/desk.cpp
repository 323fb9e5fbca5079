// SPDX-License-Identifier: Apache-2.0
#include "desk.hpp"

#include "cli/plugin_routes.hpp"
#include "engine_store.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

namespace weir::test {

namespace {

std::filesystem::path file_of(const std::string &plugin) {
    const std::filesystem::path shipped = std::filesystem::path(WEIR_TEST_PLUGINS) / (plugin + ".so");
    return std::filesystem::exists(shipped) ? shipped : std::filesystem::path(WEIR_TEST_FIXTURES) / (plugin + ".so");
}

} // namespace

void AwayBroker::publish(const std::string &topic, std::span<const broker::Outgoing> messages) {
    if (away_) {
        throw broker::Unavailable("the test has taken the broker away");
    }
    {
        std::unique_lock lock(mutex_);
        ++held_;
        released_.wait(lock, [this] { return !hold_; });
        --held_;
    }
    real_.publish(topic, messages);
}

void AwayBroker::hold(bool hold) {
    {
        const std::lock_guard lock(mutex_);
        hold_ = hold;
    }
    released_.notify_all();
}

bool AwayBroker::holds(int calls) const {
    return eventually([&] { return held_ == calls; }, std::chrono::seconds(20));
}

Desk::Desk(const std::vector<std::string> &plugins) {
    broker::EmbeddedOptions broker_options;
    broker_options.file = directory / "broker.db";
    broker_options.synchronous = broker::Synchronous::normal;
    real_broker = broker::open_embedded_broker(broker_options);
    broker = std::make_unique<AwayBroker>(*real_broker);
    store = open_test_store(directory / "store", std::chrono::seconds(5));

    engine::Environment environment{broker.get(), store.get(), &contracts, directory / "state", &budget};
    environment.routes = &board;
    supervisor = std::make_unique<engine::Supervisor>(environment, "test");
    engine::Plan plan;
    plan.default_options.lease_time_to_live = std::chrono::milliseconds(2000);
    supervisor->apply(plan);

    http::ServerOptions options;
    http::ListenerOptions listener;
    listener.name = "public";
    listener.address = "127.0.0.1:0";
    listener.config_key = "http.listen";
    listener.token = kToken;
    listener.trust_local = false;
    options.listeners.push_back(listener);
    server = std::make_unique<http::Server>(options);
    board.on_change([this] {
        http::Routes::Built built = http::Routes::build(cli::plugin_routes(board));
        {
            const std::lock_guard lock(mutex_); // domains' threads come here, where no assertion may be made
            problems_.insert(problems_.end(), built.problems.begin(), built.problems.end());
        }
        server->set_routes("public", built.routes);
    });
    server->start();
    port = server->port("public");
    for (const std::string &plugin : plugins) {
        load(plugin);
    }
}

Desk::~Desk() {
    server->stop(std::chrono::seconds(10));
    board.on_change({});
    supervisor->stop();
    CHECK(problems_ == std::vector<std::string>());
}

std::shared_ptr<const plugin::Module> Desk::module(const std::string &plugin, const std::string &as) {
    plugin::PluginRefusal refusal;
    const auto copy = directory / ((as.empty() ? plugin : as) + ".so"); // where only its owner can write
    std::filesystem::copy_file(file_of(plugin), copy, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::permissions(copy, std::filesystem::perms::owner_all);
    const auto module = plugin::load_file(copy, directory / "private", {}, refusal);
    INFO(refusal.code << ": " << refusal.message);
    REQUIRE(module);
    return module;
}

void Desk::load(const std::string &plugin, const std::string &as) {
    const auto module = this->module(plugin, as);
    const std::string domain = module->description().domains.at(0).name;
    supervisor->plugin_loaded(module);
    REQUIRE(eventually([&] { return ready(domain) || !reason(domain).empty(); }, std::chrono::seconds(20)));
}

HttpAnswer Desk::ask(const std::string &method, const std::string &target, const std::string &body, Headers headers) const {
    if (!body.empty() && std::none_of(headers.begin(), headers.end(), [](const auto &header) { return header.first == "Content-Type"; })) {
        headers.emplace_back("Content-Type", "application/json");
    }
    return http(port, method, target, body, headers);
}

std::string Desk::note(const std::string &id) const {
    const HttpAnswer answer = ask("GET", "/desk/notes/" + id);
    return answer.status == 200 ? answer.body : std::string();
}

std::size_t Desk::published(const std::string &topic) const { return real_broker->browse({topic, 0}, std::nullopt, 100000).size(); }

bool Desk::ready(const std::string &domain) const {
    const auto all = supervisor->status();
    return std::any_of(all.begin(), all.end(), [&](const engine::DomainStatus &one) { return one.name == domain && one.ready; });
}

std::string Desk::reason(const std::string &domain) const {
    for (const engine::DomainStatus &one : supervisor->status()) {
        if (one.name == domain && !one.ready && one.phase == engine::Phase::waiting) {
            return one.reason;
        }
    }
    return {};
}

std::string Desk::refused(const std::string &domain) const {
    for (const engine::DomainStatus &one : supervisor->status()) {
        if (one.name == domain) {
            return one.refused;
        }
    }
    return {};
}

} // namespace weir::test
