// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace weir::store::postgresql {

/// A text of the host's own as the database takes it: without NULs and broken UTF-8, which are replaced by question marks.
std::string storable(const std::string &text);

/// A document as jsonb takes it; nothing where it doesn't.
std::optional<std::string> storable_json(const std::optional<std::string> &document);

} // namespace weir::store::postgresql
