// SPDX-License-Identifier: Apache-2.0
#include "cli/status_report.hpp"

#include "event/time.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace weir::cli {

bool all_ready(const std::vector<engine::DomainStatus> &domains) {
    return std::all_of(domains.begin(), domains.end(),
                       [](const engine::DomainStatus &domain) { return domain.ready || domain.phase == engine::Phase::stopped; });
}

std::string status_json(const std::vector<engine::DomainStatus> &domains) {
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
    nlohmann::ordered_json report{
        {"pid", getpid()}, {"time", event::format_time(event::now())}, {"ready", all_ready(domains)}, {"domains", std::move(list)}};
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

void write_status(const std::filesystem::path &state_directory, const std::vector<engine::DomainStatus> &domains) {
    const std::filesystem::path file = state_directory / "status.json";
    const std::filesystem::path half = state_directory / (".status.json." + std::to_string(getpid()));
    {
        std::ofstream out(half, std::ios::trunc);
        out << status_json(domains) << '\n';
        if (!out.flush()) {
            return;
        }
    }
    std::error_code ignored;
    std::filesystem::rename(half, file, ignored);
}

void remove_status(const std::filesystem::path &state_directory) {
    std::error_code ignored;
    std::filesystem::remove(state_directory / "status.json", ignored);
}

} // namespace weir::cli
