// SPDX-License-Identifier: Apache-2.0
#include "http_host.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

namespace weir::test {

HttpHost::HttpHost(Installation &installation, std::string name) : installation_(installation), name_(std::move(name)) { start(); }

void HttpHost::start() {
    installation_.set("http.listen", "127.0.0.1:" + std::to_string(port_));
    process_ = installation_.start({}, name_);
    const auto said = [&] { return process_->said("http.listening"); };
    const bool listens = eventually([&] { return !said().empty() || !process_->running(); }, std::chrono::seconds(60));
    INFO(process_->log());
    REQUIRE(listens);
    REQUIRE_FALSE(said().empty());
    const std::string address = nlohmann::json::parse(said().front()).at("address").get<std::string>();
    const auto port = static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
    REQUIRE((port_ == 0 || port == port_));
    if (port_ == 0) { // later, other threads read it while the host is started again
        port_ = port;
    }
}

void HttpHost::wait_ready() const {
    const bool ready = eventually([&] { return !process_->said("host.ready").empty(); }, std::chrono::seconds(60));
    INFO(process_->log());
    REQUIRE(ready);
}

void HttpHost::kill() { process_->kill(); }

int HttpHost::stop() {
    process_->signal(SIGTERM);
    const auto ended = process_->wait();
    INFO(process_->log());
    REQUIRE(ended);
    return ended->exit_code;
}

HttpAnswer HttpHost::ask(const std::string &method, const std::string &target, const std::string &body,
                         std::vector<std::pair<std::string, std::string>> headers) const {
    if (!body.empty()) {
        headers.emplace_back("Content-Type", "application/json");
    }
    return http(port_, method, target, body, headers);
}

HttpAnswer HttpHost::ask_until(int status, const std::string &method, const std::string &target, const std::string &body,
                               const std::vector<std::pair<std::string, std::string>> &headers) const {
    HttpAnswer answer;
    const bool came = eventually(
        [&] {
            answer = ask(method, target, body, headers);
            return answer.status == status;
        },
        std::chrono::seconds(60));
    INFO(method << " " << target << ": " << answer.status << " " << answer.body);
    REQUIRE(came);
    return answer;
}

} // namespace weir::test
