// SPDX-License-Identifier: Apache-2.0
#include "config_support.hpp"

#include "config/watch.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>

using namespace weir;
using Catch::Contains;
using weir::test::Files;

namespace {

/// A watch as the host uses it: what is right is taken over, what is wrong is refused and counted.
class Host {
public:
    explicit Host(const Files &files, std::chrono::milliseconds interval = std::chrono::milliseconds(5)) : current_(files.load()) {
        REQUIRE(test::text(current_.problems) == "");
        config::WatchOptions options;
        options.host_file = files.path("weir.json");
        options.interval = interval;
        watch_ = std::make_unique<config::Watch>(options, current_, [this](config::Loaded loaded) {
            const std::lock_guard lock(mutex_);
            ++told_;
            if (loaded.problems.empty()) {
                current_ = std::move(loaded);
            } else {
                refused_.push_back(test::text(loaded.problems));
            }
            wake_.notify_all();
        });
    }
    /// Waits until the host's state satisfies the condition.
    template <typename Condition> bool becomes(Condition condition) {
        std::unique_lock lock(mutex_);
        return wake_.wait_for(lock, std::chrono::seconds(20), [&] { return condition(current_.config); });
    }
    bool level_becomes(const std::string &level) {
        return becomes([&](const config::HostConfig &host) { return host.log_level == level; });
    }
    std::string next_refusal() {
        std::unique_lock lock(mutex_);
        if (!wake_.wait_for(lock, std::chrono::seconds(20), [&] { return !refused_.empty(); })) {
            return "nothing was refused";
        }
        std::string text = refused_.front();
        refused_.pop_front();
        return text;
    }
    std::string level() {
        const std::lock_guard lock(mutex_);
        return current_.config.log_level;
    }
    int told() {
        const std::lock_guard lock(mutex_);
        return told_;
    }
    void reload() { watch_->reload(); }
    /// Whether nothing is told for many times the interval.
    bool stays_silent() {
        const int before = told();
        return !test::eventually([&] { return told() != before; }, std::chrono::milliseconds(200));
    }

private:
    std::mutex mutex_;
    std::condition_variable wake_;
    config::Loaded current_;
    std::deque<std::string> refused_;
    int told_ = 0;
    std::unique_ptr<config::Watch> watch_; // last: its thread uses the rest
};

std::string host_with(const std::string &level, const std::string &directory = "domains") {
    return R"({"domains_directory": ")" + directory + R"(", "log": {"level": ")" + level + R"("}})";
}
std::string domain(const std::string &name) { return R"({"service": {"domain": ")" + name + R"("}})"; }

} // namespace

TEST_CASE("a changed file is told, a broken one is refused and the old stays, a mended one is told again") {
    Files files;
    files.write("weir.json", host_with("info"));
    Host host(files);
    files.write("weir.json", host_with("warn"));
    CHECK(host.level_becomes("warn"));
    files.write("weir.json", host_with("loud"));
    CHECK_THAT(host.next_refusal(), Contains("/log/level: log.level is \"loud\""));
    CHECK(host.level() == "warn");
    files.write("weir.json", "{");
    CHECK_THAT(host.next_refusal(), Contains("not JSON"));
    CHECK(host.level() == "warn");
    files.write("weir.json", host_with("debug"));
    CHECK(host.level_becomes("debug"));
}

TEST_CASE("domain files that come, change and go are told") {
    Files files;
    files.write("weir.json", host_with("info"));
    Host host(files);
    files.write("domains/a.json", domain("a"));
    CHECK(host.becomes([](const config::HostConfig &config) { return config.domains.size() == 1 && config.domains[0].name == "a"; }));
    files.write("domains/a.json", domain("b"));
    CHECK(host.becomes([](const config::HostConfig &config) { return config.domains.size() == 1 && config.domains[0].name == "b"; }));
    files.write("domains/second.json", domain("b"));
    CHECK_THAT(host.next_refusal(), Contains("also configured in"));
    std::filesystem::remove(files.path("domains/a.json"));
    files.write("domains/second.json", domain("c"));
    CHECK(host.becomes([](const config::HostConfig &config) { return config.domains.size() == 1 && config.domains[0].name == "c"; }));
    std::filesystem::remove(files.path("domains/second.json"));
    CHECK(host.becomes([](const config::HostConfig &config) { return config.domains.empty(); }));
}

TEST_CASE("a file that is renamed over and a link that is swapped, as editors and config maps do, are told") {
    Files files;
    files.write("weir.json", host_with("info"));
    for (const char *version : {"one", "two"}) {
        std::filesystem::create_directory(files.path(version));
        files.write(std::string(version) + "/d.json", domain(version));
    }
    // As a config map lies: d.json -> ..data/d.json, ..data -> one
    std::filesystem::create_directory_symlink("../one", files.path("domains/..data"));
    std::filesystem::create_symlink("..data/d.json", files.path("domains/d.json"));
    Host host(files);
    CHECK(host.becomes([](const config::HostConfig &config) { return config.domains.size() == 1 && config.domains[0].name == "one"; }));
    std::filesystem::create_directory_symlink("../two", files.path("domains/..data_tmp"));
    std::filesystem::rename(files.path("domains/..data_tmp"), files.path("domains/..data"));
    CHECK(host.becomes([](const config::HostConfig &config) { return config.domains.size() == 1 && config.domains[0].name == "two"; }));
    files.write("weir.json.new", host_with("error"));
    std::filesystem::rename(files.path("weir.json.new"), files.path("weir.json"));
    CHECK(host.level_becomes("error"));
}

TEST_CASE("another domain directory is followed, and what changes there is told") {
    Files files;
    std::filesystem::create_directory(files.path("others"));
    files.write("others/a.json", domain("a"));
    files.write("weir.json", host_with("info"));
    Host host(files);
    files.write("weir.json", host_with("info", "others"));
    CHECK(host.becomes([](const config::HostConfig &config) { return config.domains.size() == 1; }));
    const int before = host.told();
    for (int i = 0; i < 10; ++i) {
        const std::string name = "b" + std::to_string(i);
        files.write("others/b.json", domain(name));
        CHECK(host.becomes([&](const config::HostConfig &config) { return config.domains.size() == 2 && config.domains[1].name == name; }));
    }
    CHECK(host.told() == before + 10); // and nothing else: the directory that was left is not looked at any more
    CHECK(host.stays_silent());
}

TEST_CASE("a file that is written in place again and again is told in its last state") {
    Files files;
    files.write("weir.json", host_with("info"));
    Host host(files, std::chrono::milliseconds(1));
    for (int i = 0; i < 300; ++i) {
        test::write_file(files.path("weir.json"),
                         host_with(i % 2 == 0 ? "debug" : "error") + std::string(static_cast<std::size_t>(i), ' '));
    }
    test::write_file(files.path("weir.json"), host_with("warn"));
    CHECK(host.level_becomes("warn"));
}

TEST_CASE("a file that changed between the first load and the watch is told") {
    Files files;
    files.write("weir.json", host_with("info"));
    const config::Loaded before = files.load();
    files.write("weir.json", host_with("warn"));
    std::mutex mutex;
    std::string level;
    config::WatchOptions options;
    options.host_file = files.path("weir.json");
    options.interval = std::chrono::milliseconds(5);
    config::Watch watch(options, before, [&](const config::Loaded &loaded) {
        const std::lock_guard lock(mutex);
        level = loaded.config.log_level;
    });
    CHECK(test::eventually([&] {
        const std::lock_guard lock(mutex);
        return level == "warn";
    }));
}

TEST_CASE("nothing is told of a file that was only touched, and reload tells in any case") {
    Files files;
    files.write("weir.json", host_with("info"));
    Host host(files);
    files.write("weir.json", host_with("info"));
    host.reload(); // and while it is at it, the touched file has been looked at
    CHECK(host.becomes([&](const config::HostConfig &) { return true; }));
    CHECK(test::eventually([&] { return host.told() == 1; }));
    files.write("weir.json", host_with("warn"));
    CHECK(host.level_becomes("warn"));
    CHECK(host.told() == 2);
    CHECK(host.stays_silent());
}

TEST_CASE("a watch with a long interval ends at once") {
    Files files;
    files.write("weir.json", host_with("info"));
    const auto begin = std::chrono::steady_clock::now();
    { const Host host(files, std::chrono::hours(1)); }
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
}
