// SPDX-License-Identifier: Apache-2.0
#include "host_process.hpp"

#include "support.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace weir::test {

namespace {

std::vector<char *> pointers(std::vector<std::string> &texts) {
    std::vector<char *> result;
    for (std::string &text : texts) {
        result.push_back(text.data());
    }
    result.push_back(nullptr);
    return result;
}

std::vector<std::string> environment_of(const std::map<std::string, std::string> &added) {
    std::vector<std::string> result;
    for (char **entry = environ; *entry; ++entry) {
        const std::string_view text(*entry);
        if (!text.starts_with("WEIR_")) {
            result.emplace_back(text);
        }
    }
    for (const auto &[name, value] : added) {
        result.push_back(name + "=" + value);
    }
    return result;
}

} // namespace

HostProcess::HostProcess(const std::vector<std::string> &arguments, const std::map<std::string, std::string> &environment,
                         const std::filesystem::path &directory) {
    static int count = 0;
    const std::string name = "process-" + std::to_string(++count);
    output_ = directory / (name + ".out");
    log_ = directory / (name + ".log");
    std::vector<std::string> line{(build_directory() / "bin/weir").string()};
    line.insert(line.end(), arguments.begin(), arguments.end());
    std::vector<std::string> variables = environment_of(environment);
    const std::vector<char *> argv = pointers(line);
    const std::vector<char *> envp = pointers(variables);
    pid_ = ::fork();
    if (pid_ < 0) {
        throw std::runtime_error("no child process");
    }
    if (pid_ == 0) {
        const int out = ::open(output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        const int err = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
        const int in = ::open("/dev/null", O_RDONLY);
        if (out < 0 || err < 0 || in < 0 || ::dup2(in, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(err, 2) < 0) {
            ::_exit(127);
        }
        ::execve(argv[0], argv.data(), envp.data());
        ::_exit(127);
    }
}

HostProcess::~HostProcess() {
    kill();
    if (std::uncaught_exceptions() > 0) { // a REQUIRE has failed: its reason is often here
        const std::string text = log();
        constexpr std::size_t kTail = 6000;
        std::fprintf(stderr, "log of process %d:\n%s\n", static_cast<int>(pid_),
                     text.substr(text.size() - std::min(text.size(), kTail)).c_str());
    }
}

bool HostProcess::running() { return !wait(std::chrono::milliseconds(0)); }

void HostProcess::signal(int number) {
    if (!ended_) {
        ::kill(pid_, number);
    }
}

std::optional<Ended> HostProcess::wait(std::chrono::milliseconds deadline) {
    eventually(
        [&] {
            int status = 0;
            if (!ended_ && ::waitpid(pid_, &status, WNOHANG) == pid_) {
                ended_ = Ended{WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0};
            }
            return ended_.has_value();
        },
        deadline);
    return ended_;
}

void HostProcess::kill() {
    if (running()) {
        ::kill(pid_, SIGKILL);
        wait();
    }
}

std::string HostProcess::output() const { return std::filesystem::exists(output_) ? read_file(output_) : ""; }
std::string HostProcess::log() const { return std::filesystem::exists(log_) ? read_file(log_) : ""; }

std::vector<std::string> HostProcess::said(std::string_view event) const {
    const std::string wanted = "\"event\":\"" + std::string(event) + "\"";
    const std::string text = log();
    std::vector<std::string> result;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        std::string line = text.substr(begin, end - begin);
        if (line.find(wanted) != std::string::npos) {
            result.push_back(std::move(line));
        }
        begin = end + 1;
    }
    return result;
}

bool HostProcess::said(std::string_view event, const std::vector<std::string> &texts) const {
    for (const std::string &line : said(event)) {
        bool all = true;
        for (const std::string &text : texts) {
            all = all && line.find(text) != std::string::npos;
        }
        if (all) {
            return true;
        }
    }
    return false;
}

} // namespace weir::test
