// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/event.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string_view>

namespace weir::event {

/// The value that a JSON pointer leads to in a document, or null. Allocates only for escaped tokens.
const nlohmann::json *find_value(const nlohmann::json &root, std::string_view pointer);

/// A Json over a parsed tree. Views that it hands out point into the tree.
class Document final : public Json {
public:
    explicit Document(nlohmann::json root) : root_(std::move(root)) {}

    JsonKind kind(std::string_view pointer) const override;
    std::optional<std::string_view> text(std::string_view pointer) const override;
    std::optional<std::int64_t> integer(std::string_view pointer) const override;
    std::optional<double> number(std::string_view pointer) const override;
    std::optional<bool> boolean(std::string_view pointer) const override;
    std::optional<std::string> dump(std::string_view pointer) const override;
    std::optional<std::size_t> length(std::string_view pointer) const override;

    const nlohmann::json &root() const noexcept { return root_; }

private:
    nlohmann::json root_;
};

/// Parses JSON text into `out`. A member that is there twice counts with its last value; a byte order mark in front is skipped.
/// @return why it can't be had, without anything of what the text holds; `out` is then of no use
std::optional<Refusal> parse_document(std::string_view text, std::size_t max_depth, nlohmann::json &out);

/// The offset of the first byte that is not part of well-formed UTF-8; nothing where all of it is. [RFC 3629, section 4]
std::optional<std::size_t> find_invalid_utf8(std::string_view text) noexcept;

} // namespace weir::event
