// SPDX-License-Identifier: Apache-2.0
#include "plugin/owned_descriptor.hpp"
#include "plugin/trial.hpp"
#include "plugin/trial_message.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::plugin {

namespace {

using Clock = std::chrono::steady_clock;

/// Starts the command in a process group of its own, with default signals, nothing on its standard streams and the pipe's end as its
/// channel.
pid_t spawn(const std::vector<std::string> &command, const std::filesystem::path &copy, int channel) {
    std::vector<std::string> words = command;
    words.push_back(copy.string());
    std::vector<char *> arguments;
    for (std::string &word : words) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, channel, kTrialChannel);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    pid_t child = -1;
    const int error = posix_spawn(&child, arguments[0], &actions, &attributes, arguments.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    errno = error;
    return error == 0 ? child : -1;
}

/// Reads until the pipe is closed by all who hold it, the message is complete, or the deadline passes.
std::string listen(int pipe, Clock::time_point end) {
    std::string message;
    while (message.size() < PIPE_BUF && decode_trial_message(message).empty()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
        pollfd wait{pipe, POLLIN, 0};
        const int ready = left > 0 ? poll(&wait, 1, static_cast<int>(left)) : 0;
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        char buffer[PIPE_BUF];
        const ssize_t count = ready > 0 ? read(pipe, buffer, sizeof(buffer)) : 0;
        if (count <= 0) {
            break;
        }
        message.append(buffer, static_cast<std::size_t>(count));
    }
    return message;
}

/// Waits for the child's end; nothing where it still runs at the deadline.
std::optional<int> wait_for(pid_t child, Clock::time_point end) {
    // Readable when the child has ended. Where the kernel has none, the loop below looks every few milliseconds.
    const OwnedDescriptor handle(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
    for (;;) {
        int status = 0;
        const pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child) {
            return status;
        }
        if (ended < 0 && errno != EINTR) {
            return 0; // somebody else's SIGCHLD handling has taken it: what it told must do
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
        if (left <= 0) {
            return std::nullopt;
        }
        pollfd wait{handle.get(), POLLIN, 0};
        poll(&wait, handle ? 1 : 0, static_cast<int>(handle ? left : std::min<std::int64_t>(left, 5)));
    }
}

std::string describe_end(int status) {
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        return "ended by signal " + (name ? "SIG" + std::string(name) : std::to_string(WTERMSIG(status)));
    }
    return "ended with exit status " + std::to_string(WEXITSTATUS(status));
}

} // namespace

std::optional<PluginRefusal> run_trial(const std::vector<std::string> &command, const std::filesystem::path &copy,
                                       const std::filesystem::path &origin, std::chrono::milliseconds deadline, TrialReport &out) {
    const auto end = Clock::now() + deadline;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return PluginRefusal{origin, "trial_failed", "it could not be tried out: " + std::generic_category().message(errno),
                             "raise the limit of open files (ulimit -n)"};
    }
    const OwnedDescriptor reading(ends[0]);
    OwnedDescriptor writing(ends[1]);
    const pid_t child = spawn(command, copy, writing.get());
    if (child < 0) {
        return PluginRefusal{origin, "trial_failed",
                             "it could not be tried out: " + command.front() + ": " + std::generic_category().message(errno),
                             "check that " + command.front() + " can be run"};
    }
    writing.reset();
    const std::vector<std::string> told = decode_trial_message(listen(reading.get(), end));
    const std::optional<int> status = wait_for(child, end);
    if (!status) {
        kill(-child, SIGKILL);
        wait_for(child, Clock::now() + std::chrono::seconds(5)); // only to let the system forget it
        return PluginRefusal{origin, "hangs_on_load", "loading it did not end within " + std::to_string(deadline.count()) + " ms",
                             "keep constructors and the entry free of work; do it in create or start"};
    }
    if (told.empty() || *status != 0) {
        return PluginRefusal{origin, "crashes_on_load",
                             "loading it crashes: a trial process " + describe_end(*status) + " before it had answered",
                             "run it under a debugger; keep constructors and the entry free of work"};
    }
    if (told.size() == 4 && told[0] == "refused") {
        return PluginRefusal{origin, told[1], told[2], told[3]};
    }
    if (told.size() != 3 || told[0] != "ok") {
        return PluginRefusal{origin, "trial_failed", "its trial gave no answer that could be read",
                             "check the trial command, " + command.front()};
    }
    out = {told[1], told[2]};
    return std::nullopt;
}

} // namespace weir::plugin
