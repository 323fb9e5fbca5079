// SPDX-License-Identifier: Apache-2.0
#include "http/request.hpp"

namespace weir::http {

std::optional<std::string_view> Request::parameter(std::string_view name) const noexcept {
    for (const Parameter &one : parameters) {
        if (one.name == name) {
            return one.value;
        }
    }
    return std::nullopt;
}

std::string_view Request::path_parameter(std::string_view name) const noexcept {
    for (const Parameter &one : path_parameters) {
        if (one.name == name) {
            return one.value;
        }
    }
    return {};
}

} // namespace weir::http
