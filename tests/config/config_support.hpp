// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/config.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <string>

namespace weir::test {

/// A configuration in a directory of its own: weir.json, and domains/.
class Files {
public:
    Files() { std::filesystem::create_directory(directory_ / "domains"); }
    std::filesystem::path path(const std::string &name) const { return directory_ / name; }
    /// In one step, so that a watch never sees half of it.
    void write(const std::string &name, const std::string &content) const {
        write_file(path(".new"), content);
        std::filesystem::rename(path(".new"), path(name));
    }
    config::Loaded load(const std::map<std::string, std::string> &environment = {}) const {
        return config::load(path("weir.json"), environment);
    }
    /// Loads this as the host file.
    config::Loaded load_host(const std::string &content, const std::map<std::string, std::string> &environment = {}) const {
        write("weir.json", content);
        return load(environment);
    }

private:
    TemporaryDirectory directory_;
};

/// "where: what", one a line.
inline std::string text(const std::vector<config::Problem> &problems) {
    std::string out;
    for (const config::Problem &problem : problems) {
        out += problem.where + ": " + problem.what + "\n";
    }
    return out;
}

/// The setting of a key; the test fails where there isn't exactly one.
inline config::Setting setting(const config::Loaded &loaded, const std::string &key) {
    std::vector<config::Setting> found;
    for (const config::Setting &one : loaded.settings) {
        if (one.key == key) {
            found.push_back(one);
        }
    }
    INFO(key);
    REQUIRE(found.size() == 1);
    return found[0];
}

} // namespace weir::test
