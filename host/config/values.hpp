// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "document.hpp"
#include "environment.hpp"
#include "keys.hpp"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace weir::config {

/// What stands at a key, and who put it there.
struct Leaf {
    nlohmann::json value;
    const Document *document = nullptr; ///< null: a variable
    std::string pointer;                ///< in the document, or the variable's name
    std::string source;                 ///< for `Setting::source`
    bool from_text = false;             ///< came through a variable: text that stands for a value of the key's type
    bool secret = false;                ///< came through a variable whose name says so
    std::vector<std::string> set_by{};  ///< variables of `${...}` whose values it holds

    /// The variables that its value came through: "DATABASE_URL"; empty where it stands in a file as it is.
    std::string variables() const;

    /// The place, for a problem; `inner` leads on into the value.
    std::string where(const std::string &inner = {}) const;
};

/// By the key's path.
using Leaves = std::map<std::string, Leaf>;

/// What one load carries along.
struct Load {
    explicit Load(const std::map<std::string, std::string> &variables) : environment(variables) {}
    Environment environment;
    std::deque<Document> documents; ///< never moves: leaves point into it
    std::vector<Problem> problems;
    std::vector<Setting> settings;
    Fingerprint fingerprint;
    std::filesystem::path base; ///< what relative paths of files are relative to
};

/// Sorts an object's members to their keys, with `${...}` expanded; members that are no key become problems with a suggestion.
/// @param pointer where the object stands in the document
void collect(const std::vector<Key> &keys, const Document &document, const nlohmann::json &object, const std::string &pointer, Load &load,
             Leaves &leaves);

/// Puts the values of variables above those of files. @param prefix what stands before the keys' paths: "" or "domains.linting"
void override_from_environment(const std::vector<Key> &keys, const std::string &prefix, Load &load, Leaves &leaves);

/// A value that has its key's type and range.
struct Value {
    std::string text; ///< texts, names, choices, absolute paths and urls; objects as JSON
    std::int64_t integer = 0;
    bool boolean = false;
    std::vector<std::string> list;
    std::vector<std::int64_t> integers;
};

/// Reads a leaf by its key's type; false, with problems added, where it doesn't fit. (Bindings and domains are left to their own readers.)
bool read(const Key &key, const Leaf &leaf, Load &load, Value &out);

/// Whether a name is written as its type asks; else what to write.
std::string check_name(Type type, const std::string &name);

/// A value for people, secrets masked.
std::string display(const Key &key, const Leaf &leaf, const Value &value);

} // namespace weir::config
