// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support.hpp"

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <sys/types.h>
#include <vector>

namespace weir::test {

/// How a child process ended, and what it wrote.
struct Ran {
    int code = -1; ///< exit status, or 128 + signal
    std::string out;
    std::string err;

    nlohmann::json json() const; ///< of standard output
};

/// A child process that still runs. Killed with this.
class Child {
public:
    Child(std::vector<std::string> command, const std::map<std::string, std::string> &environment, const std::filesystem::path &directory,
          const std::string &input);
    ~Child();
    Child(const Child &) = delete;
    Child &operator=(const Child &) = delete;
    void signal(int number) const;
    std::string out() const; ///< so far
    Ran wait();

private:
    TemporaryDirectory files_;
    pid_t process_ = -1;
};

/// An installation of its own to try commands on: a host file, plugins, data.
class Workbench {
public:
    /// @param plugins copied from the build: "linting", "projection"
    explicit Workbench(const std::vector<std::string> &plugins = {"linting"});

    const std::filesystem::path &path() const { return directory_.path(); }
    std::filesystem::path operator/(const std::string &name) const { return directory_ / name; }
    std::filesystem::path config() const { return directory_ / "weir.json"; }
    static std::filesystem::path program();

    /// Variables for the children, beside a few of the process's own.
    std::map<std::string, std::string> environment;

    /// Runs `weir` with these arguments; a word of "-c" after the command stands for the workbench's host file.
    Ran weir(std::vector<std::string> arguments, const std::string &input = {}) const;
    Child start(std::vector<std::string> arguments, const std::string &input = {}) const;
    Ran run(std::vector<std::string> command, const std::string &input = {}) const;

    /// One value from a domain's database.
    std::string query(const std::string &schema, const std::string &sql) const;

private:
    TemporaryDirectory directory_;
};

/// A user.created.v1 of a user, right in every way.
std::string created(int user, const std::string &more_payload = {});

} // namespace weir::test
