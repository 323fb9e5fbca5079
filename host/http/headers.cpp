// SPDX-License-Identifier: Apache-2.0
#include "http/headers.hpp"

#include <algorithm>

namespace weir::http {

namespace {

char lower(char character) noexcept {
    return character >= 'A' && character <= 'Z' ? static_cast<char>(character + ('a' - 'A')) : character;
}

// RFC 9110, section 5.6.2.
bool is_token(std::string_view text) noexcept {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char character) {
        const char small = lower(character);
        return (small >= 'a' && small <= 'z') || (small >= '0' && small <= '9') || kMarks.find(small) != std::string_view::npos;
    });
}

bool is_value(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char character) {
        const auto byte = static_cast<unsigned char>(character);
        return byte == '\t' || (byte >= 0x20 && byte != 0x7F);
    });
}

} // namespace

bool same_without_case(std::string_view left, std::string_view right) noexcept {
    return left.size() == right.size() &&
           std::equal(left.begin(), left.end(), right.begin(), [](char one, char other) { return lower(one) == lower(other); });
}

bool Headers::add(std::string_view name, std::string_view value) {
    if (!is_token(name) || !is_value(value)) {
        return false;
    }
    fields_.push_back({std::string(name), std::string(value)});
    return true;
}

bool Headers::set(std::string_view name, std::string_view value) {
    if (!is_token(name) || !is_value(value)) {
        return false;
    }
    remove(name);
    return add(name, value);
}

void Headers::remove(std::string_view name) {
    std::erase_if(fields_, [&](const Header &field) { return same_without_case(field.name, name); });
}

std::optional<std::string_view> Headers::find(std::string_view name) const noexcept {
    for (const Header &field : fields_) {
        if (same_without_case(field.name, name)) {
            return field.value;
        }
    }
    return std::nullopt;
}

std::string Headers::joined(std::string_view name) const {
    std::string all;
    for (const Header &field : fields_) {
        if (same_without_case(field.name, name)) {
            all += all.empty() ? "" : ", ";
            all += field.value;
        }
    }
    return all;
}

std::size_t Headers::count(std::string_view name) const noexcept {
    return static_cast<std::size_t>(
        std::count_if(fields_.begin(), fields_.end(), [&](const Header &field) { return same_without_case(field.name, name); }));
}

} // namespace weir::http
