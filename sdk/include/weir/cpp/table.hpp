// SPDX-License-Identifier: Apache-2.0
/// @file
/// Tables, declared as structs whose members are typed columns. A declaration that is wrong does not compile.
#pragma once

#include "values.hpp"

#include <initializer_list>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weir {

/// What a column holds where a row is made and nothing was said of it.
struct ColumnDefault {
    std::uint32_t kind = WEIR_DEFAULT_NONE; ///< WEIR_DEFAULT_*
    std::string_view text;                  ///< a literal
    std::int64_t number = 0;                ///< a literal of a whole number or 0/1
    char form = 'n';                        ///< literal form: 't'ext, 'i'nteger, 'b'ool
};

/// A literal default as text: text itself, decimals ("0.00"), times (RFC 3339), JSON, bytes in hexadecimal.
constexpr ColumnDefault default_to(std::string_view literal) { return {WEIR_DEFAULT_LITERAL, literal, 0, 't'}; }
/// A literal default that is text. (Without this, a string literal would be taken for a bool.)
constexpr ColumnDefault default_to(const char *literal) { return default_to(std::string_view(literal)); }
/// A literal default of a bool column.
constexpr ColumnDefault default_to(bool literal) { return {WEIR_DEFAULT_LITERAL, {}, literal ? 1 : 0, 'b'}; }
/// A literal default of an int64 column.
constexpr ColumnDefault default_to(std::int64_t literal) { return {WEIR_DEFAULT_LITERAL, {}, literal, 'i'}; }
/// A literal default of an int64 column.
constexpr ColumnDefault default_to(int literal) { return default_to(static_cast<std::int64_t>(literal)); }
/// Timestamps: the event's clock.
inline constexpr ColumnDefault default_now{WEIR_DEFAULT_NOW, {}, 0, 'n'};
/// UUIDs: an id that follows from the event's id, the same in every rerun.
inline constexpr ColumnDefault default_new_id{WEIR_DEFAULT_NEW_ID, {}, 0, 'n'};

/// @cond internal
namespace detail {

template <std::uint32_t Type, class V> struct Kind {
    using Value = V;
    static constexpr std::uint32_t type = Type;
    static constexpr std::uint32_t precision = 0;
    static constexpr std::uint32_t scale = 0;
};
template <unsigned Precision, unsigned Scale> struct DecimalKind : Kind<WEIR_TYPE_DECIMAL, Decimal<Scale>> {
    static_assert(Precision >= 1 && Precision <= 18 && Scale <= Precision, "a decimal has 1 to 18 digits, up to that many after the point");
    static constexpr std::uint32_t precision = Precision;
    static constexpr std::uint32_t scale = Scale;
};

/// `[a-z_][a-z0-9_]{0,62}`, checked while compiling.
constexpr bool is_identifier(std::string_view name) noexcept {
    if (name.empty() || name.size() > 63 || (name[0] >= '0' && name[0] <= '9')) {
        return false;
    }
    for (const char c : name) {
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) {
            return false;
        }
    }
    return true;
}

template <class Kind> constexpr bool default_fits(const ColumnDefault &value) noexcept {
    switch (value.kind) {
    case WEIR_DEFAULT_NOW:
        return Kind::type == WEIR_TYPE_TIMESTAMP;
    case WEIR_DEFAULT_NEW_ID:
        return Kind::type == WEIR_TYPE_UUID;
    case WEIR_DEFAULT_LITERAL:
        return (value.form == 'b') == (Kind::type == WEIR_TYPE_BOOL) && (value.form == 'i') == (Kind::type == WEIR_TYPE_INT64);
    default:
        return true;
    }
}

} // namespace detail
/// @endcond

template <class Owner> class Table;

/// A column of the table `Owner`. Made by the aliases in `Table`; it stays inside its table and is never copied.
template <class Owner, class Kind, bool IsNullable> class Column {
public:
    using Table = Owner;                         ///< the struct it is a member of
    using Value = typename Kind::Value;          ///< what it holds
    static constexpr bool nullable = IsNullable; ///< whether null may stand in it
    using Type = Kind;                           ///< its type in the ABI

    /// @param owner `this`, the table being declared
    /// @param name  `[a-z_][a-z0-9_]{0,62}`
    /// @param value `default_to(...)`, `default_now` or `default_new_id`
    constexpr Column(Owner *owner, std::string_view name, ColumnDefault value = {}) {
        if (!detail::is_identifier(name)) {
            throw std::invalid_argument("a column's name is [a-z_][a-z0-9_]{0,62}");
        }
        if (!detail::default_fits<Kind>(value)) {
            throw std::invalid_argument("this default does not fit the column's type");
        }
        weir_column_v1 column{};
        column.name = detail::view(name);
        column.type = Kind::type;
        column.flags = IsNullable ? WEIR_COLUMN_NULLABLE : 0;
        column.precision = Kind::precision;
        column.scale = Kind::scale;
        column.default_kind = value.kind;
        column.default_text = detail::view(value.text);
        if (value.form == 'b') {
            column.default_text = detail::view(value.number ? "true" : "false");
        } else if (value.form == 'i') {
            column.default_text = detail::view(digits(value.number));
        }
        index_ = static_cast<weir::Table<Owner> *>(owner)->append(column); // a column may be called "append"
    }
    Column(const Column &) = delete;
    Column &operator=(const Column &) = delete;

    /// Its place in the table.
    constexpr std::uint32_t index() const noexcept { return index_; }

private:
    constexpr std::string_view digits(std::int64_t number) {
        std::size_t at = digits_.size();
        std::uint64_t rest = number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
        do {
            digits_[--at] = static_cast<char>('0' + rest % 10);
            rest /= 10;
        } while (rest);
        if (number < 0) {
            digits_[--at] = '-';
        }
        return {digits_.data() + at, digits_.size() - at};
    }

    std::uint32_t index_ = 0;
    std::array<char, 20> digits_{};
};

/// Columns of one table in an order: a primary key, or one side of a reference.
template <class... Columns> struct Key {
    static_assert(sizeof...(Columns) >= 1 && sizeof...(Columns) <= 16, "a key has 1 to 16 columns");
    using Table = typename std::tuple_element_t<0, std::tuple<Columns...>>::Table; ///< whose columns these are
    static_assert((std::is_same_v<Table, typename Columns::Table> && ...), "a key's columns are of one table");
    using Values = std::tuple<typename Columns::Value...>;       ///< a value for each
    static constexpr bool nullable = (Columns::nullable || ...); ///< whether one of them may be null
    std::array<std::uint32_t, sizeof...(Columns)> columns{};     ///< their places
};

/// Names the columns of a key, in order.
template <class... Columns> constexpr Key<Columns...> key(const Columns &...columns) { return {{columns.index()...}}; }

/// An index of a table, or a unique constraint.
struct Index {
    std::string_view name;                   ///< unique in the schema
    std::array<std::uint32_t, 16> columns{}; ///< places in the table
    std::uint32_t count = 0;                 ///< how many of `columns`
    bool unique = false;                     ///< no two rows agree in all columns
};

/// @cond internal
namespace detail {
template <class... Columns> constexpr Index make_index(std::string_view name, bool unique, const Columns &...columns) {
    if (!is_identifier(name)) {
        throw std::invalid_argument("an index's name is [a-z_][a-z0-9_]{0,62}");
    }
    const auto places = key(columns...).columns;
    Index index{name, {}, static_cast<std::uint32_t>(places.size()), unique};
    for (std::size_t i = 0; i < places.size(); ++i) {
        index.columns[i] = places[i];
    }
    return index;
}
} // namespace detail
/// @endcond

/// An index over columns of one table; routes scan along it.
template <class... Columns> constexpr Index index(std::string_view name, const Columns &...columns) {
    return detail::make_index(name, false, columns...);
}
/// A unique constraint over columns of one table. Null agrees with nothing.
template <class... Columns> constexpr Index unique(std::string_view name, const Columns &...columns) {
    return detail::make_index(name, true, columns...);
}

/// A reference to another table of the same plugin.
struct Reference {
    std::array<std::uint32_t, 16> columns{};        ///< places in this table
    std::array<std::uint32_t, 16> target_columns{}; ///< places in the other
    std::uint32_t count = 0;                        ///< how many of both
    const void *target = nullptr;                   ///< the other table
};

/// `references(key(account_id), accounts, key(accounts.id))`: what is in `from` must be in `to`, the primary key or a unique index of
/// `target`.
template <class... From, class Target, class... To>
constexpr Reference references(const Key<From...> &from, const Target &target, const Key<To...> &to) {
    static_assert(std::is_same_v<typename Key<From...>::Values, typename Key<To...>::Values>,
                  "both sides of a reference have the same types");
    static_assert(std::is_same_v<typename Key<To...>::Table, Target>, "the target's columns are columns of the target");
    Reference reference;
    reference.count = sizeof...(From);
    reference.target = static_cast<const void *>(&target);
    for (std::size_t i = 0; i < sizeof...(From); ++i) {
        reference.columns[i] = from.columns[i];
        reference.target_columns[i] = to.columns[i];
    }
    return reference;
}

/// Several indexes, or several references.
template <class First, class... Rest> constexpr auto list(const First &first, const Rest &...rest) {
    return std::array<First, 1 + sizeof...(Rest)>{first, rest...};
}

/**
 * The base of every table:
 *
 *     struct Users : weir::Table<Users> {
 *         Uuid id{this, "id"};
 *         Nullable<Text> email{this, "email"};
 *         constexpr Users() : Table("users") {}
 *         constexpr auto primary_key() const { return weir::key(id); }
 *         constexpr auto indexes() const { return weir::list(weir::unique("users_email", email)); } // optional
 *     };
 *     inline constexpr Users users; // constexpr: mistakes are found by the compiler, and nothing runs at load time
 *
 * `indexes()` and `references()` are optional.
 */
template <class Owner> class Table {
public:
    /// @name Column types
    /// @{
    using Text = Column<Owner, detail::Kind<WEIR_TYPE_TEXT, std::string_view>, false>;
    using CaseInsensitiveText = Column<Owner, detail::Kind<WEIR_TYPE_CITEXT, std::string_view>, false>; ///< ASCII case does not count
    using Int64 = Column<Owner, detail::Kind<WEIR_TYPE_INT64, std::int64_t>, false>;
    using Float64 = Column<Owner, detail::Kind<WEIR_TYPE_FLOAT64, double>, false>; ///< finite
    template <unsigned Precision, unsigned Scale>
    using Decimal = Column<Owner, detail::DecimalKind<Precision, Scale>, false>; ///< exact, up to 18 digits
    using Bool = Column<Owner, detail::Kind<WEIR_TYPE_BOOL, bool>, false>;
    using Uuid = Column<Owner, detail::Kind<WEIR_TYPE_UUID, weir::Uuid>, false>;
    using Timestamp = Column<Owner, detail::Kind<WEIR_TYPE_TIMESTAMP, weir::Timestamp>, false>; ///< microseconds, UTC
    using Json = Column<Owner, detail::Kind<WEIR_TYPE_JSON, weir::Json>, false>;
    using Bytes = Column<Owner, detail::Kind<WEIR_TYPE_BYTES, weir::Bytes>, false>;
    /// The same column type, where null may stand.
    template <class C> using Nullable = Column<Owner, typename C::Type, true>;
    /// @}

    /// @param name of the table, `[a-z_][a-z0-9_]{0,62}`
    constexpr explicit Table(std::string_view name) : name_(name) {
        if (!detail::is_identifier(name)) {
            throw std::invalid_argument("a table's name is [a-z_][a-z0-9_]{0,62}");
        }
    }
    Table(const Table &) = delete;
    Table &operator=(const Table &) = delete;

    /// The table's name.
    constexpr std::string_view name() const noexcept { return name_; }
    /// The declared columns, in order.
    constexpr const weir_column_v1 *columns() const noexcept { return columns_.data(); }
    /// How many columns are declared.
    constexpr std::uint32_t column_count() const noexcept { return count_; }

    /// For `Column` alone. @return the new column's place
    constexpr std::uint32_t append(const weir_column_v1 &column) {
        if (count_ == columns_.size()) {
            throw std::length_error("a table has up to 64 columns");
        }
        for (std::uint32_t i = 0; i < count_; ++i) {
            if (std::string_view(columns_[i].name.data, columns_[i].name.size) == std::string_view(column.name.data, column.name.size)) {
                throw std::invalid_argument("two columns of one name");
            }
        }
        columns_[count_] = column;
        return count_++;
    }

private:
    std::string_view name_;
    std::array<weir_column_v1, 64> columns_{};
    std::uint32_t count_ = 0;
};

/// @cond internal
namespace detail {
template <class T> using KeyOf = decltype(std::declval<const T &>().primary_key());
template <class T>
concept IsTable = std::is_base_of_v<Table<T>, T> && requires(const T &table) {
    table.primary_key();
};
} // namespace detail
/// @endcond

} // namespace weir
