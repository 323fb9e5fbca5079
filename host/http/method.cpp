// SPDX-License-Identifier: Apache-2.0
#include "http/method.hpp"

#include <array>

namespace weir::http {

namespace {
constexpr std::array<std::string_view, 7> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
}

std::string_view text_of(Method method) noexcept { return kMethods[static_cast<std::size_t>(method)]; }

std::optional<Method> method_of(std::string_view text) noexcept {
    for (std::size_t index = 0; index < kMethods.size(); ++index) {
        if (kMethods[index] == text) {
            return static_cast<Method>(index);
        }
    }
    return std::nullopt;
}

} // namespace weir::http
