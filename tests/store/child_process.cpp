// SPDX-License-Identifier: Apache-2.0
#include "child_process.hpp"

#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::test {

namespace {

void write_line(int descriptor, const std::string &line) {
    const std::string text = line + "\n";
    if (::write(descriptor, text.data(), text.size()) < 0) {
        ::_exit(98); // the parent is gone
    }
}

int from_parent = -1; ///< in the child

} // namespace

void ChildProcess::wait_for_parent() {
    char c = 0;
    if (::read(from_parent, &c, 1) != 1) {
        ::_exit(98);
    }
}

void ChildProcess::tell() {
    if (::write(tell_, "!", 1) != 1) {
        throw std::runtime_error("the child process is gone");
    }
}

ChildProcess::ChildProcess(const std::function<int(const Say &)> &work) {
    int ends[2];
    int back[2];
    if (::pipe(ends) != 0 || ::pipe(back) != 0) {
        throw std::runtime_error("no pipe");
    }
    std::fflush(nullptr); // what is buffered would be written twice
    pid_ = ::fork();
    if (pid_ < 0) {
        throw std::runtime_error("no child process");
    }
    if (pid_ == 0) {
        ::close(ends[0]);
        ::close(back[1]);
        from_parent = back[0];
        int code = 99;
        try {
            code = work([&](const std::string &line) { write_line(ends[1], line); });
        } catch (const std::exception &error) {
            std::fprintf(stderr, "child process: %s\n", error.what());
        }
        ::_exit(code);
    }
    ::close(ends[1]);
    ::close(back[0]);
    pipe_ = ends[0];
    tell_ = back[1];
}

ChildProcess::~ChildProcess() {
    kill();
    ::close(pipe_);
    ::close(tell_);
}

std::string ChildProcess::line() {
    std::string line;
    char c = 0;
    while (::read(pipe_, &c, 1) == 1 && c != '\n') {
        line += c;
    }
    return line;
}

int ChildProcess::wait() {
    if (pid_ < 0) {
        return -1;
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void ChildProcess::kill() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        wait();
    }
}

} // namespace weir::test
