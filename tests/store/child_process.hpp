// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <sys/types.h>

namespace weir::test {

/// A forked child that runs `work` and ends with the number it returns (or 99 where it throws, having said why on standard error). It opens
/// its own stores; nothing that the parent opened may be used in it, and the parent must have no session open when it forks (SQLite would
/// take the parent's locks for the child's own). Ended by SIGKILL where it still runs when this object goes.
class ChildProcess {
public:
    /// `say` sends a line to the parent.
    using Say = std::function<void(const std::string &line)>;
    /// Waits for the parent's next `tell`.
    static void wait_for_parent();
    explicit ChildProcess(const std::function<int(const Say &say)> &work);
    ~ChildProcess();
    ChildProcess(const ChildProcess &) = delete;
    ChildProcess &operator=(const ChildProcess &) = delete;

    /// The next line that the child said; "" where it has ended.
    std::string line();
    /// Lets a child that waits for its parent go on.
    void tell();
    /// Lets it end by itself. @return its exit code, or -1 where a signal ended it
    int wait();
    /// kill -9, and waits until it is gone.
    void kill();

private:
    pid_t pid_ = -1;
    int pipe_ = -1;
    int tell_ = -1;
};

} // namespace weir::test
