// SPDX-License-Identifier: Apache-2.0
#include "key_rules.hpp"

#include <algorithm>
#include <functional>
#include <string_view>

namespace weir::store {

namespace {

unsigned char fold(char c) noexcept { return static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c); }

std::uint64_t mix(std::uint64_t value) noexcept { // the finaliser of MurmurHash3
    value ^= value >> 33U;
    value *= 0xff51afd7ed558ccdU;
    value ^= value >> 33U;
    value *= 0xc4ceb9fe1a85ec53U;
    return value ^ (value >> 33U);
}

std::uint64_t hash_folded(std::string_view text) noexcept { // FNV-1a
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : text) {
        hash = (hash ^ fold(c)) * 0x100000001b3U;
    }
    return hash;
}

std::uint64_t hash_value(const Value &value, bool folded) noexcept {
    if (const auto *text = std::get_if<std::string>(&value)) {
        return folded ? hash_folded(*text) : std::hash<std::string_view>()(*text);
    }
    if (const auto *integer = std::get_if<std::int64_t>(&value)) {
        return static_cast<std::uint64_t>(*integer);
    }
    return 0;
}

void fold(Value &value) {
    if (auto *text = std::get_if<std::string>(&value)) {
        std::transform(text->begin(), text->end(), text->begin(), [](char c) { return static_cast<char>(fold(c)); });
    }
}

std::strong_ordering compare_folded(std::string_view left, std::string_view right) noexcept {
    const std::size_t common = std::min(left.size(), right.size());
    for (std::size_t i = 0; i < common; ++i) {
        if (const auto order = fold(left[i]) <=> fold(right[i]); std::is_neq(order)) {
            return order;
        }
    }
    return left.size() <=> right.size();
}

std::strong_ordering compare(const Value &left, const Value &right, bool folded) noexcept {
    const auto *left_text = std::get_if<std::string>(&left);
    const auto *right_text = std::get_if<std::string>(&right);
    if (left_text && right_text) {
        return folded ? compare_folded(*left_text, *right_text) : left_text->compare(*right_text) <=> 0;
    }
    const auto *left_integer = std::get_if<std::int64_t>(&left);
    const auto *right_integer = std::get_if<std::int64_t>(&right);
    if (left_integer && right_integer) {
        return *left_integer <=> *right_integer;
    }
    return left.index() <=> right.index();
}

} // namespace

KeyRules::KeyRules(const Table &table) {
    for (const std::uint32_t column : table.primary_key) {
        folded_.push_back(table.columns[column].type == Type::citext);
    }
}

std::uint64_t KeyRules::hash(const Key &key) const noexcept {
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < key.size(); ++i) {
        hash = mix(hash + 0x9e3779b97f4a7c15U + hash_value(key[i], folded_[i]));
    }
    return hash;
}

bool KeyRules::equal(const Key &left, const Key &right) const noexcept {
    for (std::size_t i = 0; i < folded_.size(); ++i) {
        if (std::is_neq(compare(left[i], right[i], folded_[i]))) {
            return false;
        }
    }
    return true;
}

bool KeyRules::less(const Key &left, const Key &right) const noexcept {
    for (std::size_t i = 0; i < folded_.size(); ++i) {
        if (const auto order = compare(left[i], right[i], folded_[i]); std::is_neq(order)) {
            return std::is_lt(order);
        }
    }
    return false;
}

Key KeyRules::comparable(Key key) const {
    for (std::size_t i = 0; i < key.size(); ++i) {
        if (folded_[i]) {
            fold(key[i]);
        }
    }
    return key;
}

Key comparable_key(const Table &table, Key key) {
    for (std::size_t i = 0; i < key.size(); ++i) {
        if (table.columns[table.primary_key[i]].type == Type::citext) {
            fold(key[i]);
        }
    }
    return key;
}

} // namespace weir::store
