// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/time.hpp"
#include "store/schema.hpp"
#include "wire.hpp"

#include <soci/soci.h>

#include <deque>
#include <string>
#include <vector>

namespace weir::store::postgresql {

/// A statement with one set of parameters, run through SOCI and kept prepared. Parameters and results travel as text; the statement casts
/// them. Parameters are written :a, :b, ... in the order of their numbers, each once.
class Query {
public:
    Query(soci::session &session, const std::string &sql, std::size_t parameters, std::size_t results);
    Query(const Query &) = delete;
    Query &operator=(const Query &) = delete;

    Query &null(std::size_t parameter);
    /// A text ends at its first NUL, which PostgreSQL has no place for.
    Query &text(std::size_t parameter, std::string value);
    Query &integer(std::size_t parameter, std::int64_t value) { return text(parameter, std::to_string(value)); }
    Query &time(std::size_t parameter, event::Micros value) { return text(parameter, event::format_time(value)); }
    Query &bytes(std::size_t parameter, std::string_view value);
    /// A canonical value of a column of this form.
    Query &value(std::size_t parameter, Form form, std::uint32_t scale, const Value &value);

    /// Runs it; calls `on_row` for each row, which takes the results. Throws soci::soci_error.
    template <class OnRow> void each(OnRow on_row) {
        for (bool more = execute(); more; more = statement_.fetch()) {
            on_row(*this);
        }
    }
    /// Runs a statement without results.
    /// @return how many rows were touched
    std::uint64_t run();

    bool is_null(std::size_t result) const { return results_[result].indicator == soci::i_null; }
    std::string take_text(std::size_t result) { return is_null(result) ? std::string() : std::move(results_[result].text); }
    std::int64_t take_integer(std::size_t result) const;
    event::Micros take_time(std::size_t result) const;
    std::string take_bytes(std::size_t result) const;
    bool take_boolean(std::size_t result) const { return results_[result].text == "t"; }
    /// The result as a canonical value of a column of this form.
    Value take(std::size_t result, Form form, std::uint32_t scale);

private:
    struct Slot {
        std::string text;
        soci::indicator indicator = soci::i_null;
    };

    bool execute();

    std::deque<Slot> parameters_; // SOCI keeps the addresses
    std::deque<Slot> results_;
    std::vector<soci::details::use_type_base *> bound_; ///< the parameters as SOCI holds them; the statement's
    soci::statement statement_;
};

} // namespace weir::store::postgresql
