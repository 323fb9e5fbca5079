// SPDX-License-Identifier: Apache-2.0
#include "scaffold.hpp"
#include "cli/command.hpp"

#include "template/plugin_template.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

namespace weir::cli {

namespace {

bool is_plugin_name(const std::string &name) {
    const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
    const auto inner = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-'; };
    return !name.empty() && name.size() <= 63 && letter(name.front()) && std::all_of(name.begin(), name.end(), inner);
}

std::string filled(std::string_view text, const std::string &name) {
    std::string identifier = name;
    std::replace(identifier.begin(), identifier.end(), '-', '_');
    std::string out(text);
    for (const auto &[placeholder, value] : {std::pair<std::string, std::string>("@NAME@", name), {"@IDENT@", identifier}}) {
        for (std::size_t at = 0; (at = out.find(placeholder, at)) != std::string::npos; at += value.size()) {
            out.replace(at, placeholder.size(), value);
        }
    }
    return out;
}

} // namespace

void write_plugin_template(const std::string &name, const std::filesystem::path &directory) {
    if (!is_plugin_name(name)) {
        throw Failure(Exit::usage,
                      "'" + name +
                          "' can't be a plugin's name: write [a-z][a-z0-9-]*, at most 63 characters, such as 'audit' or 'spell-check'");
    }
    std::error_code failure;
    const bool existed = std::filesystem::exists(directory, failure);
    if (existed && !std::filesystem::is_empty(directory, failure)) {
        throw Failure(Exit::failed, directory.string() + " is there already; name another place with --directory");
    }
    std::vector<std::filesystem::path> written;
    for (const plugin_template::File &each : plugin_template::files) {
        const std::filesystem::path file = directory / filled(each.path, name);
        std::filesystem::create_directories(file.parent_path(), failure);
        std::ofstream out(file, std::ios::binary);
        out << filled(each.content, name);
        if (!out.flush()) {
            const std::string reason = std::strerror(errno);
            out.close();
            for (const auto &done : written) {
                std::filesystem::remove(done, failure);
            }
            if (!existed) {
                std::filesystem::remove_all(directory, failure);
            }
            throw Failure(Exit::failed, file.string() + " can't be written: " + reason);
        }
        written.push_back(file);
    }
}

} // namespace weir::cli
