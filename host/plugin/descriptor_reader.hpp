// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weir/abi.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace weir::store {
struct Schema;
}

namespace weir::plugin {

/// Says where in a descriptor something is wrong; thrown and caught inside `describe` only.
struct DescriptorFault {
    std::string message;
};

/// Copies text out of a descriptor, checking that it can be text at all.
inline std::string copy_text(const weir_view &view, const std::string &where, std::size_t max_bytes) {
    if (view.size > max_bytes) {
        throw DescriptorFault{where + " is " + std::to_string(view.size) + " bytes long; at most " + std::to_string(max_bytes) +
                              " are allowed"};
    }
    if (view.size != 0 && view.data == nullptr) {
        throw DescriptorFault{where + " has a size but no data"};
    }
    std::string text = view.size == 0 ? std::string() : std::string(view.data, static_cast<std::size_t>(view.size));
    if (text.find('\0') != std::string::npos) {
        throw DescriptorFault{where + " has a NUL in it"};
    }
    return text;
}

/// Calls `use(element, "domains/0")` for each element of an ABI array, copied by its stride, so that a plugin built against a later minor
/// is read as far as this host knows it.
template <typename T, typename Use>
void for_each_element(const T *first, std::uint32_t count, std::uint32_t stride, std::uint32_t max_count, const std::string &where,
                      Use use) {
    if (count == 0) {
        return;
    }
    if (first == nullptr) {
        throw DescriptorFault{where + " has a count of " + std::to_string(count) + " but no elements"};
    }
    if (count > max_count) {
        throw DescriptorFault{where + " has " + std::to_string(count) + " elements; at most " + std::to_string(max_count) + " are allowed"};
    }
    // No element type has grown so far, so each is known in full here: a smaller stride is a mistake, a larger one a later minor.
    if (stride < sizeof(T)) {
        throw DescriptorFault{where + " has a stride of " + std::to_string(stride) + " bytes; its elements take at least " +
                              std::to_string(sizeof(T))};
    }
    const auto *bytes = reinterpret_cast<const unsigned char *>(first);
    for (std::uint32_t index = 0; index < count; ++index) {
        T element;
        std::memcpy(&element, bytes + std::size_t{index} * stride, sizeof(T));
        use(element, where + "/" + std::to_string(index));
    }
}

/// `[a-z][a-z0-9<extra>]{0,62}`.
inline bool is_name(std::string_view text, std::string_view extra, bool may_begin_with_extra = false) {
    const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
    const auto more = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || extra.find(c) != std::string_view::npos; };
    return !text.empty() && text.size() <= 63 &&
           (letter(text[0]) || (may_begin_with_extra && extra.find(text[0]) != std::string_view::npos)) &&
           std::all_of(text.begin(), text.end(), more);
}

/// Whether a descriptor is as long as ABI 1.1 made it; one of 1.0 ends before.
inline bool has_counters(const weir_plugin_descriptor_v1 &descriptor) {
    return descriptor.size >= offsetof(weir_plugin_descriptor_v1, counter_stride) + sizeof(descriptor.counter_stride);
}

/// Copies and checks `weir_plugin_descriptor_v1::tables`.
void describe_tables(const weir_plugin_descriptor_v1 &descriptor, store::Schema &out);

} // namespace weir::plugin
