// SPDX-License-Identifier: Apache-2.0
#include "cli/status_report.hpp"

#include "event/time.hpp"

#include <algorithm>
#include <array>
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

std::string status_json(const std::vector<engine::DomainStatus> &domains, const RefusedPlugins &refused) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const engine::DomainStatus &domain : domains) {
        const engine::Counts &counts = domain.counts;
        list.push_back({{"domain", domain.name},
                        {"plugin", domain.plugin},
                        {"version", domain.plugin_version},
                        {"generation", domain.generation},
                        {"phase", engine::phase_name(domain.phase)},
                        {"ready", domain.ready},
                        {"reason", domain.reason},
                        {"refused", domain.refused},
                        {"partitions", domain.partitions},
                        {"held", domain.held},
                        {"overdue_handlers", domain.overdue},
                        {"counts",
                         {{"messages", counts.messages},
                          {"applied", counts.applied},
                          {"duplicates", counts.duplicates},
                          {"stale", counts.stale},
                          {"ignored", counts.ignored},
                          {"dead_letters", counts.dead_letters},
                          {"retries", counts.retries},
                          {"batches", counts.batches}}}});
    }
    nlohmann::ordered_json plugins = nlohmann::ordered_json::array();
    for (const auto &[file, refusal] : refused) {
        plugins.push_back({{"file", file}, {"code", refusal.code}, {"message", refusal.message}, {"remedy", refusal.remedy}});
    }
    nlohmann::ordered_json report{{"pid", getpid()},
                                  {"time", event::format_time(event::now())},
                                  {"ready", all_ready(domains)},
                                  {"domains", std::move(list)},
                                  {"refused_plugins", std::move(plugins)}};
    return report.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
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

StatusFile::StatusFile(const std::filesystem::path &state_directory) : file_(state_directory / "status.json") {
    lock_ = open((state_directory / ".status.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_ >= 0 && flock(lock_, LOCK_EX | LOCK_NB) != 0) {
        close(lock_);
        lock_ = -1;
        file_ = state_directory / ("status-" + std::to_string(getpid()) + ".json");
        return;
    }
    // Who was killed beside the first host of before left a file of its own; one that is still written is made again within a second.
    std::error_code ignored;
    for (const std::filesystem::path &left : status_files(state_directory)) {
        std::filesystem::remove(left, ignored);
    }
}

StatusFile::~StatusFile() {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
    if (lock_ >= 0) {
        close(lock_);
    }
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
