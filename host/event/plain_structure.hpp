// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::event {

/// What most contracts ask for (types, required members, constants, lengths, bounds), in a form that is checked within a fraction of a
/// microsecond; the validator of all keywords takes some three for an event. Says yes or doesn't know: who doesn't get a yes asks the
/// validator.
class PlainStructure {
public:
    /// @param schema without formats
    /// @return nothing where it asks for anything else
    static std::optional<PlainStructure> of(const nlohmann::json &schema);

    /// Whether a value certainly holds it.
    bool surely_holds(const nlohmann::json &value) const;

private:
    bool surely_holds_text(const std::string &text) const;

    std::uint32_t types_ = 0;        ///< a bit for each of nlohmann's types that is allowed; 0: all
    std::vector<std::string> texts_; ///< one of these; empty: any
    std::vector<std::string> required_;
    std::vector<std::pair<std::string, PlainStructure>> properties_;
    std::optional<std::uint64_t> length_min_; ///< in characters
    std::optional<std::uint64_t> length_max_;
    std::optional<std::int64_t> minimum_;
    std::optional<std::int64_t> maximum_;
};

} // namespace weir::event
