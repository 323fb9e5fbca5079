// SPDX-License-Identifier: Apache-2.0
#include "row_guess.hpp"

#include "value_text.hpp"

#include <algorithm>
#include <charconv>
#include <compare>

namespace weir::store::postgresql {

namespace {

constexpr std::size_t kShownMost = 64; ///< bytes of a value, where a whole row is shown [PostgreSQL, ExecBuildSlotValueDescription]

/// Values as they stand in an error's details: "(a, b)".
class Details {
public:
    explicit Details(std::string_view detail) {
        const std::size_t equals = detail.find(")=(");
        if (equals != std::string_view::npos) { // of some columns, which are named
            names_ = detail.substr(0, equals);
            values_ = detail.substr(equals + 2);
        } else {
            values_ = detail.substr(std::min(detail.find('('), detail.size()));
        }
        values_ = values_.substr(0, values_.rfind(')') + 1);
    }

    bool are_of_key() const { return !names_.empty(); }
    bool may_be_of(const std::string &column) const { return names_.empty() || names_.find(column) != std::string_view::npos; }

    bool have(const std::string &value) const {
        if (!are_of_key() && value.size() > kShownMost) {
            std::size_t shown = kShownMost;
            while (shown > 0 && (static_cast<unsigned char>(value[shown]) & 0xC0) == 0x80) { // no part of a character
                --shown;
            }
            return have_part(value.substr(0, shown) + "...");
        }
        return have_part(value);
    }

private:
    bool have_part(std::string_view value) const {
        for (std::size_t at = values_.find(value, 1); at != std::string_view::npos; at = values_.find(value, at + 1)) {
            const std::string_view before = values_.substr(0, at);
            const std::string_view behind = values_.substr(at + value.size());
            if ((before.ends_with("(") || before.ends_with(", ")) && (behind.starts_with(")") || behind.starts_with(", "))) {
                return true;
            }
        }
        return false;
    }

    std::string_view names_;
    std::string_view values_;
};

/// The server shows times as 2025-11-24 10:00:07.04+00.
std::string shown(const ColumnLayout &column, const Value &value) {
    std::string text = text_of(column.form, column.scale, value);
    if (column.form == Form::timestamptz && text.size() >= 20 && text.ends_with('Z')) {
        text.pop_back();
        text[10] = ' ';
        if (text.find('.') != std::string::npos) {
            text.erase(text.find_last_not_of('0') + 1);
            text.erase(text.find_last_not_of('.') + 1);
        }
        text += "+00";
    }
    return text;
}

std::uint32_t column_of(const WrittenRows &written, std::size_t cell) {
    return written.columns.empty() ? static_cast<std::uint32_t>(cell) : written.columns[cell];
}

RefusedRow place_of(const WrittenRows &written, const Row &row) {
    RefusedRow place{written.table, {}};
    for (const std::uint32_t part : written.layout->table->primary_key) {
        for (std::size_t cell = 0; cell < row.size(); ++cell) {
            if (column_of(written, cell) == part) {
                place.key.push_back(row[cell]);
            }
        }
    }
    return place;
}

/// How much of a row the details show. The whole key counts for more than any number of others.
struct Score {
    bool has_key = false;
    std::size_t cells = 0;
    auto operator<=>(const Score &) const = default;
};

Score score_of(const WrittenRows &written, const Row &row, const Details &details) {
    const Table &table = *written.layout->table;
    Score score;
    std::size_t missing = table.primary_key.size();
    for (std::size_t cell = 0; cell < row.size(); ++cell) {
        const std::uint32_t number = column_of(written, cell);
        const ColumnLayout &column = written.layout->columns[number];
        if (std::holds_alternative<std::monostate>(row[cell]) || !details.may_be_of(table.columns[number].name)) {
            continue;
        }
        const std::string text = shown(column, row[cell]);
        if (!text.empty() && (details.have(text) || (column.folded && details.have(fold_case(text))))) {
            ++score.cells;
            missing -= static_cast<std::size_t>(std::count(table.primary_key.begin(), table.primary_key.end(), number));
        }
    }
    score.has_key = missing == 0 && !details.are_of_key();
    return score;
}

/// A text that is too long for its column is shown by nothing but the number of characters that fit: "... varying(10)".
std::optional<RefusedRow> too_long(const RefusedByServer::Said &said, const WrittenRows &written) {
    std::size_t most = 0;
    const std::size_t open = said.message.rfind('(');
    if (open == std::string::npos ||
        std::from_chars(said.message.data() + open + 1, said.message.data() + said.message.size(), most).ec != std::errc()) {
        return std::nullopt;
    }
    for (const Row &row : written.rows) {
        for (std::size_t cell = 0; cell < row.size(); ++cell) {
            const auto *text = std::get_if<std::string>(&row[cell]);
            const ColumnLayout &column = written.layout->columns[column_of(written, cell)];
            const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
            if (text && column.form == Form::text && !column.is_plain &&
                static_cast<std::size_t>(std::count_if(text->begin(), text->end(), begins)) > most) {
                return place_of(written, row);
            }
        }
    }
    return std::nullopt;
}

} // namespace

std::optional<RefusedRow> guess_refused_row(const RefusedByServer::Said &said, std::span<const WrittenRows> statements) {
    if (said.from_last >= statements.size()) {
        return std::nullopt;
    }
    const std::size_t number = statements.size() - 1 - said.from_last;
    if (const WrittenRows &failed = statements[number]; failed.layout) {
        if (failed.rows.size() == 1) {
            return place_of(failed, failed.rows.front());
        }
        if (said.state == "22001") {
            return too_long(said, failed);
        }
        statements = statements.subspan(number, 1);
    } // else it looked at what all of them wrote
    const Details details(said.detail);
    Score best;
    std::optional<RefusedRow> guess;
    for (const WrittenRows &written : statements) {
        for (const Row &row : written.rows) {
            const Score score = score_of(written, row, details);
            if (score > best) {
                best = score;
                guess = place_of(written, row);
            } else if (score == best) {
                guess.reset();
            }
        }
    }
    return guess;
}

} // namespace weir::store::postgresql
