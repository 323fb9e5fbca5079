// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config.hpp"
#include "files.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

/// A configuration file as it was read: its values, and the line of each.
struct Document {
    std::filesystem::path file;
    nlohmann::json root;
    std::map<std::string, std::size_t> lines; ///< JSON pointer -> line, counted from 1

    /// "configs/embedded.json:12 /engine/batch_max_events"
    std::string where(const std::string &pointer) const;
};

/// Reads text of JSON with comments. Nothing, with one problem or more added, where it is not that, is nested too deeply, names a key
/// twice, or isn't an object.
/// @param file for messages
std::optional<Document> parse_document(const std::filesystem::path &file, const std::string &text, std::vector<Problem> &problems);

/// The same for a file that was read, or couldn't be.
std::optional<Document> parse_document(const FileText &file, std::vector<Problem> &problems);

/// Parses a value that stands in a variable; nothing where it isn't JSON or is nested too deeply.
std::optional<nlohmann::json> parse_value(const std::string &text);

} // namespace weir::config
