// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace weir::test {

/// How a process ended.
struct Ended {
    int exit_code = -1; ///< -1: a signal ended it
    int signal = 0;
};

/// A `weir` of its own process. Standard output and error go to files. Killed where it still runs when this object goes.
class HostProcess {
public:
    /// Variables that begin with WEIR_ are not inherited; @param environment is added.
    HostProcess(const std::vector<std::string> &arguments, const std::map<std::string, std::string> &environment,
                const std::filesystem::path &directory);
    ~HostProcess();
    HostProcess(const HostProcess &) = delete;
    HostProcess &operator=(const HostProcess &) = delete;

    pid_t pid() const noexcept { return pid_; }
    bool running();
    void signal(int number);
    /// Waits for its end; nothing where it still runs at the deadline.
    std::optional<Ended> wait(std::chrono::milliseconds deadline = std::chrono::seconds(60));
    /// kill -9, and waits until it is gone.
    void kill();

    std::string output() const;
    std::string log() const;
    /// Lines of the log with this event name.
    std::vector<std::string> said(std::string_view event) const;
    /// Whether a line of the log has this event name and all these texts.
    bool said(std::string_view event, const std::vector<std::string> &texts) const;

private:
    pid_t pid_ = -1;
    std::optional<Ended> ended_;
    std::filesystem::path output_;
    std::filesystem::path log_;
};

} // namespace weir::test
