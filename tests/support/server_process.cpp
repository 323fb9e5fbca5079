// SPDX-License-Identifier: Apache-2.0
#include "server_process.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <grp.h>
#include <iterator>
#include <mutex>
#include <netinet/in.h>
#include <pwd.h>
#include <random>
#include <sstream>
#include <stdexcept>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace weir::test {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr const char *kWayOut = "; run scripts/install-dependencies.sh";

struct Launch {
    std::vector<std::string> arguments;
    Account account;
    fs::path directory;       ///< where it works
    int input = -1;           ///< -1: /dev/null
    int output = -1;          ///< for standard output and error
    int end_signal = SIGKILL; ///< what it gets when this process ends; 0: nothing
};

/// Only what is safe after fork() in a process with threads.
[[noreturn]] void become(const Launch &launch, char *const *argv, char *const *envp, pid_t parent) {
    const int input = launch.input >= 0 ? launch.input : ::open("/dev/null", O_RDONLY);
    bool fine = input >= 0 && ::dup2(input, 0) >= 0 && ::dup2(launch.output, 1) >= 0 && ::dup2(launch.output, 2) >= 0;
    fine = fine && ::setsid() >= 0 && ::chdir(launch.directory.c_str()) == 0;
    if (::geteuid() == 0 && launch.account.user != 0) {
        fine = fine && ::setgroups(0, nullptr) == 0 && ::setgid(launch.account.group) == 0 && ::setuid(launch.account.user) == 0;
    }
    // After the change of user, which forgets it.
    if (launch.end_signal != 0) {
        fine = fine && ::prctl(PR_SET_PDEATHSIG, launch.end_signal) == 0 && ::getppid() == parent;
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (fine) {
        ::execve(argv[0], argv, envp);
    }
    ::_exit(127);
}

pid_t fork_and_become(Launch launch) {
    std::vector<char *> argv;
    for (std::string &argument : launch.arguments) {
        argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    // Nothing of the caller's settings (PGHOST, LC_ALL, ...) is a business of the server's.
    std::string variables[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"};
    char *const envp[] = {variables[0].data(), variables[1].data(), variables[2].data(), nullptr};
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        become(launch, argv.data(), envp, parent);
    }
    if (child < 0) {
        throw std::runtime_error(std::string("no child process: ") + std::strerror(errno));
    }
    return child;
}

/// Starts processes from one thread that lives as long as the process: a parent's death signal comes when the *thread* that forked ends.
class Launcher {
public:
    static Launcher &instance() {
        static Launcher *const launcher = new Launcher; // never destroyed: its thread would have to end before
        return *launcher;
    }
    pid_t launch(const Launch &launch) {
        const std::lock_guard one_at_a_time(callers_);
        std::unique_lock lock(mutex_);
        job_ = &launch;
        changed_.notify_all();
        changed_.wait(lock, [this] { return job_ == nullptr; });
        if (child_ < 0) {
            throw std::runtime_error("no process can be started");
        }
        return child_;
    }

private:
    Launcher() {
        std::thread([this] { run(); }).detach();
    }
    void run() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return job_ != nullptr; });
            try {
                child_ = fork_and_become(*job_);
            } catch (const std::exception &) {
                child_ = -1;
            }
            job_ = nullptr;
            changed_.notify_all();
        }
    }
    std::mutex callers_;
    std::mutex mutex_;
    std::condition_variable changed_;
    const Launch *job_ = nullptr;
    pid_t child_ = -1;
};

std::string text_of(const fs::path &path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string tail(const std::string &text) {
    constexpr std::size_t kTail = 2000;
    return text.substr(text.size() - std::min(text.size(), kTail));
}

bool poll_until(const std::function<bool()> &condition, milliseconds deadline) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        std::this_thread::sleep_for(milliseconds(2));
    }
    return true;
}

/// A process that waits for the end of this one and then removes the directory. Returns the end of the pipe it listens to.
int start_keeper(const fs::path &directory) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        throw std::runtime_error("no pipe can be made");
    }
    Launch launch;
    // A server may write for a moment longer, so it is tried a few times. A killed PostgreSQL leaves a System V segment, named in the 7th
    // line.
    const char *const script =
        "trap '' INT TERM HUP QUIT; cat >/dev/null; segment=$(sed -n '7s/.* //p' \"$1/data/postmaster.pid\" 2>/dev/null); "
        "[ -z \"$segment\" ] || ipcrm -m \"$segment\" 2>/dev/null; "
        "for i in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- \"$1\"; [ -e \"$1\" ] || exit 0; sleep 1; done";
    launch.arguments = {"/bin/sh", "-c", script, "weir-test-keeper", directory.string()};
    launch.account = {::geteuid(), ::getegid()};
    launch.directory = "/";
    launch.input = ends[0];
    launch.output = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    launch.end_signal = 0;
    Launcher::instance().launch(launch);
    ::close(ends[0]);
    ::close(launch.output);
    return ends[1];
}

/// hiredis writes to servers that are gone. A handler, since an ignored signal would be ignored by the programs under test too.
void survive_broken_pipes() {
    struct sigaction present {};
    if (::sigaction(SIGPIPE, nullptr, &present) == 0 && present.sa_handler == SIG_DFL) {
        struct sigaction nothing {};
        nothing.sa_handler = [](int) {};
        nothing.sa_flags = SA_RESTART;
        ::sigaction(SIGPIPE, &nothing, nullptr);
    }
}

std::vector<pid_t> children_of(pid_t parent) {
    std::ifstream in("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children");
    return {std::istream_iterator<pid_t>(in), std::istream_iterator<pid_t>()};
}

} // namespace

Account unprivileged_account() {
    if (::geteuid() != 0) {
        return {::geteuid(), ::getegid()};
    }
    for (const char *name : {"postgres", "nobody"}) {
        if (const passwd *entry = ::getpwnam(name)) {
            return {entry->pw_uid, entry->pw_gid};
        }
    }
    throw std::runtime_error("there is neither a user postgres nor a user nobody to run PostgreSQL as");
}

std::uint16_t free_port() {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    const fs::path directory = fs::temp_directory_path() / ("weir-test-ports-" + std::to_string(::geteuid()));
    fs::create_directories(directory);
    std::random_device random;
    for (int attempt = 0; attempt < 1000; ++attempt) {
        const auto port = static_cast<std::uint16_t>(12000 + random() % 20000);
        const int claim = ::open((directory / std::to_string(port)).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (claim < 0 || ::flock(claim, LOCK_EX | LOCK_NB) != 0) {
            ::close(claim);
            continue;
        }
        const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const bool is_free = probe >= 0 && ::bind(probe, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0;
        ::close(probe);
        if (is_free) {
            return port; // the claim stays open, and so locked, until this process ends
        }
        ::close(claim);
    }
    throw std::runtime_error("no free port between 12000 and 32000");
}

fs::path find_executable(const std::string &name, const std::vector<fs::path> &directories, const std::string &package) {
    std::vector<fs::path> places = directories;
    const char *path = std::getenv("PATH");
    std::istringstream entries(path ? path : "");
    for (std::string entry; std::getline(entries, entry, ':');) {
        places.emplace_back(entry);
    }
    for (const fs::path &place : places) {
        if (::access((place / name).c_str(), X_OK) == 0) {
            return place / name;
        }
    }
    throw std::runtime_error(name + " of Debian's package " + package + " is not installed" + kWayOut);
}

void run_program(const std::vector<std::string> &arguments, const Account &account, const std::string &input) {
    std::FILE *const in = std::tmpfile();
    std::FILE *const out = std::tmpfile();
    if (!in || !out || std::fwrite(input.data(), 1, input.size(), in) != input.size() || std::fflush(in) != 0) {
        throw std::runtime_error("no temporary file can be written");
    }
    std::rewind(in);
    Launch launch;
    launch.arguments = arguments;
    launch.account = account;
    launch.directory = "/";
    launch.input = ::fileno(in);
    launch.output = ::fileno(out);
    const pid_t child = Launcher::instance().launch(launch);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    std::string said;
    std::rewind(out);
    for (int c = std::fgetc(out); c != EOF; c = std::fgetc(out)) {
        said += static_cast<char>(c);
    }
    std::fclose(in);
    std::fclose(out);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        throw std::runtime_error(arguments.front() + " failed: " + tail(said));
    }
}

ServerProcess::ServerProcess(std::string name, const Account &account) : name_(std::move(name)), account_(account) {
    survive_broken_pipes();
    std::string pattern = (fs::temp_directory_path() / ("weir-" + name_ + "-XXXXXX")).string();
    if (!::mkdtemp(pattern.data())) {
        throw std::runtime_error("no temporary directory can be made at " + pattern);
    }
    directory_ = pattern;
    if (::geteuid() == 0 && account_.user != 0 && ::chown(directory_.c_str(), account_.user, account_.group) != 0) {
        throw std::runtime_error("cannot give " + pattern + " to the server's user");
    }
    keeper_ = start_keeper(directory_);
}

ServerProcess::~ServerProcess() {
    signal_all(SIGKILL);
    wait(std::chrono::seconds(60));
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
    ::close(keeper_);
}

void ServerProcess::start(const std::vector<std::string> &arguments, const std::function<bool()> &ready) {
    if (running()) {
        return;
    }
    Launch launch;
    launch.arguments = arguments;
    launch.account = account_;
    launch.directory = directory_;
    launch.output = ::open((directory_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (launch.output < 0) {
        throw std::runtime_error("cannot write " + (directory_ / "log").string());
    }
    pid_ = Launcher::instance().launch(launch);
    ::close(launch.output);
    bool ended = false;
    const bool is_ready = poll_until(
        [&] {
            ended = !running();
            return ended || ready();
        },
        std::chrono::seconds(60));
    if (ended || !is_ready) {
        throw std::runtime_error(name_ + (ended ? " does not start: " : " does not answer: ") + tail(log()));
    }
}

bool ServerProcess::running() { return !wait(milliseconds(0)); }

void ServerProcess::signal(int number) {
    if (pid_ > 0) {
        ::kill(pid_, number);
    }
}

void ServerProcess::signal_all(int number) {
    if (pid_ <= 0) {
        return;
    }
    ::kill(pid_, SIGSTOP); // so that it starts no more of them
    for (const pid_t child : children_of(pid_)) {
        ::kill(child, number);
    }
    ::kill(pid_, number);
}

bool ServerProcess::wait(milliseconds deadline) {
    return pid_ <= 0 || poll_until(
                            [&] {
                                int status = 0;
                                const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
                                if (ended == pid_ || (ended < 0 && errno == ECHILD)) {
                                    pid_ = -1;
                                }
                                return pid_ < 0;
                            },
                            deadline);
}

std::string ServerProcess::log() const { return text_of(directory_ / "log"); }

} // namespace weir::test
