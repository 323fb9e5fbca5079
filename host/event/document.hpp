// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/event.hpp"
#include "node.hpp"

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string_view>

namespace weir::event {

/// A Json over nodes that lie close together in memory of its own. Texts without escapes are views of what it was parsed from, which it
/// keeps alive. It is put together by one thread, then only read.
class Document final : public Json {
public:
    /// @param source keeps the bytes alive that `parse_into` is given; null where they outlive the document
    explicit Document(std::shared_ptr<const void> source) : source_(std::move(source)) {}

    JsonKind kind(std::string_view pointer) const override;
    std::optional<std::string_view> text(std::string_view pointer) const override;
    std::optional<std::int64_t> integer(std::string_view pointer) const override;
    std::optional<double> number(std::string_view pointer) const override;
    std::optional<bool> boolean(std::string_view pointer) const override;
    std::optional<std::string> dump(std::string_view pointer) const override;
    std::optional<std::size_t> length(std::string_view pointer) const override;

    const Node &root() const noexcept { return root_; }
    void set_root(const Node &root) { root_ = root; }

    /// Room for `count` nodes that live as long as the document.
    Node *make_nodes(std::size_t count);
    /// A copy of a text that lives as long as the document.
    std::string_view keep(std::string_view text);
    /// An object of these members, whatever their order; of several with one name the last one counts. Sorts `members`.
    Node make_object(Node *members, std::size_t count);

    /// Once the root is set: lets go of all that it doesn't lead to. Nothing is made or kept afterwards. A large document stays as it is.
    void pack();

private:
    /// Where a document is put together: enough for a usual envelope and what it is made from, within what malloc keeps in a thread's
    /// cache.
    struct Workshop {
        static constexpr std::size_t kOwnBytes = 704;
        alignas(Node) std::array<std::byte, kOwnBytes> own;
        std::pmr::monotonic_buffer_resource memory{own.data(), own.size()};
        std::size_t used = 0; ///< at most, alignment included

        void *take(std::size_t bytes, std::size_t alignment) {
            used += bytes + alignment - 1;
            return memory.allocate(bytes, alignment);
        }
        bool holds(const char *text) const {
            const auto *byte = reinterpret_cast<const std::byte *>(text);
            return !std::less<>()(byte, own.data()) && std::less<>()(byte, own.data() + own.size());
        }
    };
    struct Packing;

    std::shared_ptr<const void> source_;
    Node root_;
    std::unique_ptr<Workshop> workshop_ = std::make_unique_for_overwrite<Workshop>(); ///< null once packed
    std::unique_ptr<std::byte[]> packed_;                                             ///< nodes, then texts
};

/// Parses JSON text. A member that is there twice counts with its last value; a byte order mark in front is skipped.
/// @param text outlives the document, or is kept alive by its source
/// @param out what was read, with its parts in `document`
/// @return why it can't be had, without anything of what the text holds; `out` is then of no use
std::optional<Refusal> parse_into(Document &document, std::string_view text, std::size_t max_depth, Node &out);

/// The same value as a tree of nlohmann's.
nlohmann::json make_tree(const Node &node);

/// The offset of the first byte that is not part of well-formed UTF-8; nothing where all of it is. [RFC 3629, section 4]
std::optional<std::size_t> find_invalid_utf8(std::string_view text) noexcept;

} // namespace weir::event
