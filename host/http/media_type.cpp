// SPDX-License-Identifier: Apache-2.0
#include "http/media_type.hpp"

#include "http/headers.hpp"
#include "http/list.hpp"

#include <algorithm>

namespace weir::http {

namespace {

std::string_view without_parameters(std::string_view text) { return trimmed(text.substr(0, text.find(';'))); }

bool refuses(std::string_view range) {
    for (std::size_t at = range.find(';'); at != std::string_view::npos; at = range.find(';', at + 1)) {
        std::string_view parameter = trimmed(range.substr(at + 1, range.find(';', at + 1) - at - 1));
        if (parameter.size() >= 3 && (parameter[0] == 'q' || parameter[0] == 'Q') && parameter[1] == '=') {
            parameter.remove_prefix(2);
            return parameter.find_first_not_of("0.") == std::string_view::npos;
        }
    }
    return false;
}

/// How closely a range fits a type: 3 exactly, 2 "text/*", 1 "*/*", 0 not at all.
int fit(std::string_view range, std::string_view type) {
    if (same_without_case(range, type)) {
        return 3;
    }
    if (range == "*/*" || range == "*") {
        return 1;
    }
    const std::size_t slash = range.find('/');
    const bool whole_group = slash != std::string_view::npos && range.substr(slash) == "/*";
    return whole_group && same_without_case(range.substr(0, slash + 1), type.substr(0, std::min(slash + 1, type.size()))) ? 2 : 0;
}

} // namespace

bool is_one_of(std::string_view content_type, const std::vector<std::string> &types) {
    const std::string_view bare = without_parameters(content_type);
    return std::any_of(types.begin(), types.end(), [&](const std::string &type) { return same_without_case(bare, type); });
}

bool accepts(std::string_view accept, const std::vector<std::string> &types) {
    return std::any_of(types.begin(), types.end(), [&](const std::string &type) {
        int best = 0;
        bool taken = false;
        for_each_element(accept, [&](std::string_view range) {
            const int now = fit(without_parameters(range), type);
            if (now > best) {
                best = now;
                taken = !refuses(range);
            }
        });
        return taken;
    });
}

} // namespace weir::http
