// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::http {

struct Header {
    std::string name;
    std::string value;
};

/// Header fields in the order in which they came or will go. Names are compared without regard to case. Not thread-safe.
class Headers {
public:
    Headers() = default;

    /// Appends a field, beside others of its name. A name that is no token, or a value with a control character such as CR, LF or NUL, is
    /// refused: false, and nothing is added. So a response can't be split by what a handler puts into it.
    bool add(std::string_view name, std::string_view value);

    /// Replaces every field of the name by one; refuses as `add`.
    bool set(std::string_view name, std::string_view value);

    void remove(std::string_view name);

    /// The first field of the name; nothing where there is none. The view is valid until the headers are changed.
    std::optional<std::string_view> find(std::string_view name) const noexcept;

    /// All fields of the name joined with ", ", as RFC 9110, section 5.3 allows for lists; empty where there is none.
    std::string joined(std::string_view name) const;

    std::size_t count(std::string_view name) const noexcept;

    const std::vector<Header> &all() const noexcept { return fields_; }

private:
    std::vector<Header> fields_;
};

/// Whether two texts are the same but for the case of ASCII letters.
bool same_without_case(std::string_view left, std::string_view right) noexcept;

} // namespace weir::http
