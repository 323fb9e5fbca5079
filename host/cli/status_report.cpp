// SPDX-License-Identifier: Apache-2.0
#include "cli/status_report.hpp"

#include "event/time.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <unistd.h>

namespace weir::cli {

bool all_ready(const std::vector<engine::DomainStatus> &domains) {
    return std::all_of(domains.begin(), domains.end(),
                       [](const engine::DomainStatus &domain) { return domain.ready || domain.phase == engine::Phase::stopped; });
}

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr auto kSampleMaxAge = std::chrono::seconds(60); // what was said longer ago is left out

/// What broker and store said of a domain.
void add_sample(Json &to, const std::string &domain, const HostReport &report) {
    const auto now = Clock::now();
    Clock::duration age{};
    const DomainSample none;
    const DomainSample *sample = &none;
    if (report.samples) {
        if (const auto found = report.samples->domains.find(domain); found != report.samples->domains.end()) {
            sample = &found->second;
        }
    }
    const auto fresh = [&](const auto &last) {
        const bool known = last.answer && now - last.at < kSampleMaxAge;
        age = known ? std::max(age, now - last.at) : age;
        return known;
    };
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> topics;
    std::pair<std::uint64_t, std::uint64_t> sum;
    const bool lag_known = fresh(sample->lag);
    for (const broker::PartitionLag &lag : lag_known ? *sample->lag.answer : std::vector<broker::PartitionLag>()) {
        for (auto *counts : {&topics[lag.partition.topic], &sum}) {
            counts->first += lag.backlog;
            counts->second += lag.pending;
        }
    }
    const bool letters_known = fresh(sample->store);
    Json list = Json::array();
    for (const auto &[topic, counts] : topics) {
        list.push_back({{"topic", topic}, {"lag", counts.first}, {"unacknowledged", counts.second}});
    }
    to["lag"] = lag_known ? Json(sum.first) : Json();
    to["unacknowledged"] = lag_known ? Json(sum.second) : Json();
    to["topics"] = std::move(list);
    to["dead_letters_pending"] = letters_known ? Json(sample->store.answer->dead_letters_pending) : Json();
    to["sample_age_ms"] = lag_known || letters_known ? Json(std::chrono::duration_cast<std::chrono::milliseconds>(age).count()) : Json();
}

} // namespace

std::string status_json(const std::vector<engine::DomainStatus> &domains, const HostReport &report) {
    Json list = Json::array();
    for (const engine::DomainStatus &domain : domains) {
        const engine::Counts &counts = domain.counts;
        Json topics = Json::array();
        if (const auto found = report.missing_topics.find(domain.name); found != report.missing_topics.end()) {
            for (const MissingTopic &topic : found->second) {
                topics.push_back({{"topic", topic.topic}, {"remedy", remedy(topic)}});
            }
        }
        list.push_back({{"domain", domain.name},
                        {"plugin", domain.plugin},
                        {"version", domain.plugin_version},
                        {"generation", domain.generation},
                        {"phase", engine::phase_name(domain.phase)},
                        {"ready", domain.ready},
                        {"reason", domain.reason},
                        {"refused", domain.refused},
                        {"partitions", domain.partitions},
                        {"missing_topics", std::move(topics)},
                        {"held", domain.held},
                        {"overdue_handlers", domain.overdue},
                        {"overdue_routes", domain.overdue_routes}});
        add_sample(list.back(), domain.name, report);
        list.back()["counts"] = {{"messages", counts.messages}, {"applied", counts.applied}, {"duplicates", counts.duplicates},
                                 {"stale", counts.stale},       {"ignored", counts.ignored}, {"dead_letters", counts.dead_letters},
                                 {"retries", counts.retries},   {"batches", counts.batches}};
    }
    Json plugins = Json::array();
    for (const auto &[file, refusal] : report.refused_plugins) {
        plugins.push_back({{"file", file}, {"code", refusal.code}, {"message", refusal.message}, {"remedy", refusal.remedy}});
    }
    Json faults = Json::array();
    for (const config::Problem &problem : report.refused_configuration) {
        faults.push_back({{"where", problem.where}, {"reason", problem.what}});
    }
    const Json whole{{"pid", getpid()},
                     {"started", event::format_time(report.started)},
                     {"time", event::format_time(event::now())},
                     {"lock", report.lock},
                     {"ready", all_ready(domains)},
                     {"domains", std::move(list)},
                     {"disabled", report.disabled},
                     {"refused_plugins", std::move(plugins)},
                     {"refused_configuration", std::move(faults)}};
    return whole.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string counts_table(const std::vector<engine::DomainStatus> &domains) {
    std::size_t width = 6;
    for (const engine::DomainStatus &domain : domains) {
        width = std::max(width, domain.name.size());
    }
    std::array<char, 512> line{};
    std::string table;
    const auto row = [&](const std::string &name, const std::array<std::string, 7> &cells) {
        std::snprintf(line.data(), line.size(), "%-*s %10s %10s %10s %10s %10s %12s %8s\n", static_cast<int>(width), name.c_str(),
                      cells[0].c_str(), cells[1].c_str(), cells[2].c_str(), cells[3].c_str(), cells[4].c_str(), cells[5].c_str(),
                      cells[6].c_str());
        table += line.data();
    };
    row("domain", {"messages", "applied", "duplicates", "stale", "ignored", "dead_letters", "retries"});
    for (const engine::DomainStatus &domain : domains) {
        const engine::Counts &counts = domain.counts;
        row(domain.name, {std::to_string(counts.messages), std::to_string(counts.applied), std::to_string(counts.duplicates),
                          std::to_string(counts.stale), std::to_string(counts.ignored), std::to_string(counts.dead_letters),
                          std::to_string(counts.retries)});
    }
    return table;
}

namespace {

// The lock of an open file, which others can ask about without taking it; gone with the process, however that ends. [fcntl(2), F_OFD_SETLK]
struct flock whole_file() {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
}

} // namespace

StatusFile::StatusFile(const std::filesystem::path &state_directory)
    : file_(state_directory / "status.json"), lock_file_(state_directory / ".status.lock") {
    if (take_lock()) {
        // Who was killed beside the first host of before left files of its own; one that is still written is made again within a second.
        std::error_code ignored;
        for (const std::filesystem::path &left : status_files(state_directory)) {
            std::filesystem::remove(left, ignored);
        }
        return;
    }
    const std::string name = "status-" + std::to_string(getpid());
    file_ = state_directory / (name + ".json");
    lock_file_ = state_directory / ("." + name + ".lock");
    take_lock();
}

bool StatusFile::take_lock() {
    lock_ = open(lock_file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); // others ask about it
    struct flock lock = whole_file();
    if (lock_ < 0 || (flock(lock_, LOCK_EX | LOCK_NB) == 0 && fcntl(lock_, F_OFD_SETLK, &lock) == 0)) {
        return true; // without a lock, the age of what it says is all there is to go by
    }
    close(lock_);
    lock_ = -1;
    return false;
}

std::string StatusFile::lock_name() const { return lock_ < 0 ? std::string() : lock_file_.filename().string(); }

StatusFile::~StatusFile() {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
    if (lock_ >= 0) {
        if (lock_file_.filename() != ".status.lock") { // that one is whoever's is the first
            std::filesystem::remove(lock_file_, ignored);
        }
        close(lock_);
    }
}

bool is_let_go(const std::filesystem::path &lock_file) {
    const int file = open(lock_file.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    struct flock held = whole_file();
    held.l_type = F_RDLCK; // all that may be asked on a file that is open for reading; a writer's lock is in the way of it
    const bool free = fcntl(file, F_OFD_GETLK, &held) == 0 && held.l_type == F_UNLCK;
    close(file);
    return free;
}

void StatusFile::write(const std::string &json) const {
    const std::filesystem::path half = file_.parent_path() / ("." + file_.filename().string() + "." + std::to_string(getpid()));
    {
        std::ofstream out(half, std::ios::trunc);
        out << json << '\n';
        if (!out.flush()) {
            return;
        }
    }
    std::error_code ignored;
    std::filesystem::rename(half, file_, ignored);
}

std::vector<std::filesystem::path> status_files(const std::filesystem::path &state_directory) {
    std::vector<std::filesystem::path> files{state_directory / "status.json"};
    std::error_code failure;
    for (std::filesystem::directory_iterator at(state_directory, failure), end; !failure && at != end; at.increment(failure)) {
        const std::string name = at->path().filename().string();
        if (name.starts_with("status-") && name.ends_with(".json")) {
            files.push_back(at->path());
        }
    }
    std::sort(files.begin() + 1, files.end());
    return files;
}

} // namespace weir::cli
