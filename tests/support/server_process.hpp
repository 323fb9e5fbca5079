// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace weir::test {

/// Whom a server runs as.
struct Account {
    uid_t user = 0;
    gid_t group = 0;
};

/// The caller's own account; where that is root, `postgres` or `nobody`.
Account unprivileged_account();

/// A port of 127.0.0.1 that nobody listens on. It is this process's until its end as far as other callers of this function go, and is
/// outside the range from which the kernel takes ports of outgoing connections: a server that is started again finds it free.
std::uint16_t free_port();

/// An executable in @param directories or PATH; throws std::runtime_error that names @param package and scripts/install-dependencies.sh.
std::filesystem::path find_executable(const std::string &name, const std::vector<std::filesystem::path> &directories,
                                      const std::string &package);

/// Runs a program to its end as @param account with @param input on its standard input; throws std::runtime_error with what it said where
/// it fails.
void run_program(const std::vector<std::string> &arguments, const Account &account, const std::string &input = "");

/// A server and its directory, both gone when this object or this process is.
class ServerProcess {
public:
    ServerProcess(std::string name, const Account &account);
    ~ServerProcess();
    ServerProcess(const ServerProcess &) = delete;
    ServerProcess &operator=(const ServerProcess &) = delete;

    const std::filesystem::path &directory() const noexcept { return directory_; }
    const Account &account() const noexcept { return account_; }
    /// Starts it and waits until @param ready; throws with the end of its log where it ends before or takes longer than a minute.
    void start(const std::vector<std::string> &arguments, const std::function<bool()> &ready);
    bool running();
    void signal(int number);
    /// To the server and all processes below it, so that none of them outlives the others.
    void signal_all(int number);
    /// Whether it has ended before the deadline.
    bool wait(std::chrono::milliseconds deadline);
    std::string log() const;

private:
    std::string name_;
    Account account_;
    std::filesystem::path directory_;
    int keeper_ = -1; ///< when this end of the pipe is closed, by whomever, the keeper removes the directory
    pid_t pid_ = -1;
};

} // namespace weir::test
