// SPDX-License-Identifier: Apache-2.0
#include "workbench.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sqlite3.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::test {

nlohmann::json Ran::json() const { return nlohmann::json::parse(out); }

Child::Child(std::vector<std::string> command, const std::map<std::string, std::string> &environment,
             const std::filesystem::path &directory, const std::string &input) {
    write_file(files_ / "in", input);
    const auto open_file = [&](const char *name, int flags) { return ::open((files_ / name).c_str(), flags | O_CLOEXEC, 0600); };
    const int in = open_file("in", O_RDONLY);
    const int out = open_file("out", O_WRONLY | O_CREAT);
    const int err = open_file("err", O_WRONLY | O_CREAT);
    std::vector<std::string> variables;
    for (const auto &[name, value] : environment) {
        variables.push_back(name + "=" + value);
    }
    std::vector<char *> words;
    std::vector<char *> settings;
    for (std::string &word : command) {
        words.push_back(word.data());
    }
    for (std::string &variable : variables) {
        settings.push_back(variable.data());
    }
    words.push_back(nullptr);
    settings.push_back(nullptr);
    process_ = fork();
    if (process_ == 0) {
        if (chdir(directory.c_str()) == 0 && dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2) {
            execvpe(words[0], words.data(), settings.data());
        }
        _exit(127);
    }
    close(in);
    close(out);
    close(err);
    if (process_ < 0) {
        throw std::runtime_error("fork failed");
    }
}

Child::~Child() {
    if (process_ > 0) {
        kill(process_, SIGKILL);
        waitpid(process_, nullptr, 0);
    }
}

void Child::signal(int number) const { kill(process_, number); }

std::string Child::out() const { return read_file(files_ / "out"); }

Ran Child::wait() {
    int status = 0;
    const bool ended = eventually([&] { return waitpid(process_, &status, WNOHANG) == process_; }, std::chrono::seconds(60));
    if (!ended) {
        throw std::runtime_error("a command did not end within 60 s; it wrote: " + read_file(files_ / "err"));
    }
    process_ = -1;
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(files_ / "out"), read_file(files_ / "err")};
}

Workbench::Workbench(const std::vector<std::string> &plugins) {
    for (const char *name : {"PATH", "HOME", "LANG", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"}) {
        if (const char *value = std::getenv(name)) {
            environment[name] = value;
        }
    }
    std::filesystem::create_directory(directory_ / "plugins");
    for (const std::string &plugin : plugins) {
        std::filesystem::copy_file(build_directory() / "plugins" / (plugin + ".so"), directory_ / "plugins" / (plugin + ".so"));
    }
    std::filesystem::permissions(directory_ / "plugins", std::filesystem::perms(0755));
    write_file(config(), R"({"data_directory": "data", "plugins": {"directory": "plugins", "default": "none"}, "log": {"level": "warn"}})");
}

std::filesystem::path Workbench::program() { return build_directory() / "bin" / "weir"; }

Ran Workbench::run(std::vector<std::string> command, const std::string &input) const {
    return Child(std::move(command), environment, path(), input).wait();
}

namespace {
std::vector<std::string> line(const Workbench &bench, std::vector<std::string> arguments) {
    std::vector<std::string> command{Workbench::program().string()};
    for (std::string &argument : arguments) {
        command.push_back(argument);
        if (argument == "-c") {
            command.push_back(bench.config().string());
        }
    }
    return command;
}
} // namespace

Ran Workbench::weir(std::vector<std::string> arguments, const std::string &input) const {
    return run(line(*this, std::move(arguments)), input);
}

Child Workbench::start(std::vector<std::string> arguments, const std::string &input) const {
    return Child(line(*this, std::move(arguments)), environment, path(), input);
}

std::string Workbench::query(const std::string &schema, const std::string &sql) const {
    sqlite3 *database = nullptr;
    sqlite3_stmt *statement = nullptr;
    std::string value;
    const auto file = path() / "data" / "store" / (schema + ".db");
    if (sqlite3_open_v2(file.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK ||
        sqlite3_prepare_v2(database, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
        value = std::string("error: ") + sqlite3_errmsg(database);
    } else if (sqlite3_step(statement) == SQLITE_ROW) {
        value = reinterpret_cast<const char *>(sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return value;
}

std::string created(int user, const std::string &more_payload) {
    char id[37];
    std::snprintf(id, sizeof id, "00000000-0000-4000-8000-%012d", user);
    const std::string text = id;
    return R"({"event_id":"1)" + text.substr(1) + R"(","event_type":"user.created.v1","tenant_id":"2)" + text.substr(1) +
           R"(","occurred_at":"2026-01-01T00:00:00Z","payload":{"user_id":")" + text + R"(","email":"user)" + std::to_string(user) +
           R"(@example.org")" + more_payload + "}}";
}

} // namespace weir::test
