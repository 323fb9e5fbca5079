// SPDX-License-Identifier: Apache-2.0
#include "checkup.hpp"

#include "event/time.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

namespace weir::cli {

namespace {

Finding open_files() {
    // A domain holds some 10 files and sockets, a plugin 1.
    constexpr rlim_t kLeast = 64;
    constexpr rlim_t kComfortable = 256;
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const std::string what =
        "this process may open " + (limit.rlim_cur == RLIM_INFINITY ? "any number of" : std::to_string(limit.rlim_cur)) + " files";
    const std::string remedy = "raise it: ulimit -n 1024, or LimitNOFILE=1024 in the service's unit";
    return {"open_files",
            limit.rlim_cur < kLeast         ? Health::fault
            : limit.rlim_cur < kComfortable ? Health::warning
                                            : Health::good,
            what, limit.rlim_cur < kComfortable ? remedy : ""};
}

std::string limit_of(const char *name) {
    std::ifstream in(std::string("/proc/sys/fs/inotify/") + name);
    std::string value;
    return in >> value ? value : "?";
}

Finding inotify() {
    const int made = inotify_init1(IN_CLOEXEC);
    if (made < 0) {
        return {"inotify", Health::warning,
                std::string("no inotify instance can be had (") + std::strerror(errno) + "); plugins and files are polled instead",
                "raise it: sysctl fs.inotify.max_user_instances=512 (it is " + limit_of("max_user_instances") + ")"};
    }
    const int watch = inotify_add_watch(made, "/", IN_DELETE_SELF);
    const std::string reason = std::strerror(errno);
    close(made);
    if (watch < 0) {
        return {"inotify", Health::warning, "nothing can be watched (" + reason + "); plugins and files are polled instead",
                "raise it: sysctl fs.inotify.max_user_watches=65536 (it is " + limit_of("max_user_watches") + ")"};
    }
    return {"inotify", Health::good, "directories can be watched", ""};
}

Finding clock() {
    struct stat program {};
    if (stat("/proc/self/exe", &program) == 0 && event::now() < event::Micros{program.st_mtime} * 1000000) {
        return {"clock", Health::fault, "the clock says " + event::format_time(event::now()) + ", which is before this program was built",
                "set it, with NTP if it can be: leases and dead letters bear its times"};
    }
    timex state{};
    if (adjtimex(&state) == TIME_ERROR) {
        return {"clock", Health::warning, "the kernel does not know the clock to be synchronised",
                "run an NTP client, here or on the machine around this container"};
    }
    return {"clock", Health::good, "the clock says " + event::format_time(event::now()), ""};
}

Finding user() {
    if (geteuid() == 0) {
        return {"user", Health::warning, "this is root: plugins would run as root too", "run weir as a user of its own"};
    }
    return {"user", Health::good, "not root", ""};
}

} // namespace

std::vector<Finding> check_machine() { return {open_files(), inotify(), clock(), user()}; }

} // namespace weir::cli
