// SPDX-License-Identifier: Apache-2.0
#include "number_check.hpp"

#include <cmath>
#include <cstdlib>

namespace weir::cli {

std::function<std::string(const std::string &)> at_least(int minimum) {
    return [minimum](const std::string &given) {
        char *end = nullptr;
        const double number = std::strtod(given.c_str(), &end);
        const bool fits = !given.empty() && *end == '\0' && std::isfinite(number) && number >= minimum;
        return fits ? std::string() : "'" + given + "' is not a number of " + std::to_string(minimum) + " or more";
    };
}

} // namespace weir::cli
