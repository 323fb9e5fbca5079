// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

/// The variables of one load: which key each overrides, which were used by `${...}`, and which mean nothing.
class Environment {
public:
    explicit Environment(const std::map<std::string, std::string> &variables) : variables_(variables) {}

    /// The text that overrides a key, where its variable is set and not empty. Notes the key as known.
    std::optional<std::string> override_of(const std::string &path, std::vector<Problem> &problems);

    /// What `expand` made of a text.
    struct Expansion {
        std::string text;
        std::vector<std::string> variables; ///< those that were looked at
        std::vector<std::string> set;       ///< those of them whose value it holds
    };
    /// Replaces `${NAME}` and `${NAME:-default}`; a default may hold others, and `$${` stands for `${`. Problems are sentences without a
    /// place.
    Expansion expand(std::string_view text, std::vector<std::string> &problems);

    /// Variables that begin with WEIR_, override no key and are named in no `${...}`. Not: WEIR_TEST_*, and what Kubernetes sets for
    /// services that are called weir.
    void refuse_unknown(std::vector<Problem> &problems) const;

private:
    void substitute(std::string_view inside, Expansion &out, std::vector<std::string> &problems);

    const std::map<std::string, std::string> &variables_;
    std::map<std::string, std::string> known_; ///< variable -> the key that it overrides
    std::map<std::string, bool> named_;        ///< in a `${...}`
};

} // namespace weir::config
