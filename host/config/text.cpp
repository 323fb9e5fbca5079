// SPDX-License-Identifier: Apache-2.0
#include "text.hpp"
#include "config.hpp"

#include <algorithm>
#include <cstdio>

namespace weir::config {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

std::string lower(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out += lower(c);
    }
    return out;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    // Three rows are enough for swapped neighbours.
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        last[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t changed = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({changed, last[j] + 1, row[j - 1] + 1});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
        std::swap(before, last);
        std::swap(last, row);
    }
    return last[b.size()];
}

} // namespace

std::string nearest(std::string_view word, const std::vector<std::string> &candidates) {
    constexpr std::size_t kLongest = 200; // nobody mistypes more; bounds the work on hostile files
    if (word.empty() || word.size() > kLongest) {
        return {};
    }
    const std::string wanted = lower(word);
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(1, wanted.size() / 3) + 1;
    for (const std::string &candidate : candidates) {
        const std::size_t distance = edit_distance(wanted, lower(candidate));
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string> &candidates) {
    const std::string best = nearest(word, candidates);
    return best.empty() ? std::string() : " (did you mean \"" + best + "\"?)";
}

bool names_a_secret(std::string_view name) {
    const std::string text = lower(name);
    for (const std::string_view word : {"password", "passwd", "passphrase", "secret", "token", "credential", "private_key", "privatekey",
                                        "api_key", "apikey", "api-key", "access_key", "accesskey"}) {
        if (text.find(word) != std::string::npos) {
            return true;
        }
    }
    return false;
}

std::string mask_url(std::string_view url) {
    const std::size_t scheme = url.find("://");
    if (scheme == std::string_view::npos) {
        return std::string(url);
    }
    const std::size_t begin = scheme + 3;
    const std::size_t path = std::min(url.find_first_of("/?#", begin), url.size());
    // A password may hold any of "/?#" where nobody escaped it; the last '@' ends it then.
    std::size_t at = url.substr(0, path).rfind('@');
    if (at == std::string_view::npos || at < begin) {
        at = url.rfind('@');
        const std::size_t colon = url.find(':', begin);
        if (at == std::string_view::npos || at < begin || colon == std::string_view::npos || colon > path || colon > at) {
            at = std::string_view::npos;
        }
    }
    std::string out(url.substr(0, begin));
    std::size_t rest = begin;
    if (at != std::string_view::npos) {
        const std::string_view user = url.substr(begin, at - begin);
        const std::size_t colon = user.find(':');
        out += user.substr(0, colon);
        if (colon != std::string_view::npos) {
            out += ':';
            out += kMask;
        }
        rest = at;
    }
    const std::size_t query = url.find('?', rest);
    if (query == std::string_view::npos) {
        return out.append(url.substr(rest));
    }
    out += url.substr(rest, query - rest);
    std::size_t from = query;
    while (from < url.size()) {
        const std::size_t next = std::min(url.find_first_of("&;", from + 1), url.size());
        const std::string_view parameter = url.substr(from, next - from);
        const std::size_t equals = parameter.find('=');
        if (equals != std::string_view::npos && names_a_secret(parameter.substr(0, equals))) {
            out += parameter.substr(0, equals + 1);
            out += kMask;
        } else {
            out += parameter;
        }
        from = next;
    }
    return out;
}

std::string masked_url(std::string_view url) { return mask_url(url); }

std::string in_quotes(std::string_view text) {
    constexpr std::size_t kShown = 120;
    std::string out = "\"";
    for (const char c : text.substr(0, kShown)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x7f) {
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, "\\x%02x", byte);
            out += escaped;
        } else {
            out += c;
        }
    }
    return out + (text.size() > kShown ? "...\"" : "\"");
}

std::string join_path(std::string_view prefix, std::string_view name) {
    std::string path(prefix);
    if (!path.empty()) {
        path += '.';
    }
    return path.append(name);
}

std::string join_pointer(std::string_view prefix, std::string_view name) {
    std::string pointer(prefix);
    pointer += '/';
    for (const char c : name) {
        if (c == '~') {
            pointer += "~0";
        } else if (c == '/') {
            pointer += "~1";
        } else {
            pointer += c;
        }
    }
    return pointer;
}

} // namespace weir::config
