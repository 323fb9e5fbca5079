// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http_client.hpp"
#include "installation.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::test {

/// A host that serves HTTP on a port of 127.0.0.1, the same in every start.
class HttpHost {
public:
    /// @param name its state directory's suffix, where the installation has several hosts
    explicit HttpHost(Installation &installation, std::string name = "");

    void start();
    /// Until every domain is ready.
    void wait_ready() const;
    void kill();
    /// SIGTERM, and waits for its end. @return its exit code
    int stop();
    HostProcess &process() { return *process_; }
    std::uint16_t port() const { return port_; }

    /// One request; status 0 where nobody answers.
    HttpAnswer ask(const std::string &method, const std::string &target, const std::string &body = {},
                   std::vector<std::pair<std::string, std::string>> headers = {}) const;
    /// Asks until the status is this one, and fails the test where it never is.
    HttpAnswer ask_until(int status, const std::string &method, const std::string &target, const std::string &body = {},
                         const std::vector<std::pair<std::string, std::string>> &headers = {}) const;

private:
    Installation &installation_;
    std::string name_;
    std::unique_ptr<HostProcess> process_;
    std::uint16_t port_ = 0;
};

} // namespace weir::test
