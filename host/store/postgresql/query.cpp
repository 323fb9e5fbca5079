// SPDX-License-Identifier: Apache-2.0
#include "query.hpp"

#include "store/store.hpp"
#include "value_text.hpp"

#include <charconv>

namespace weir::store::postgresql {

namespace {

[[noreturn]] void misfit(const char *what) { throw SchemaWrong(std::string("a column holds ") + what + ", which its declared type can't"); }

std::int64_t without_point(std::string text, std::uint32_t scale) {
    const auto point = text.find('.');
    std::size_t digits = 0;
    if (point != std::string::npos) {
        digits = text.size() - point - 1;
        text.erase(point, 1);
    }
    for (; digits > scale && text.back() == '0'; --digits) {
        text.pop_back();
    }
    if (digits > scale) {
        misfit("a number with more digits behind the point");
    }
    text.append(scale - digits, '0');
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
        misfit("a number of too many digits");
    }
    return value;
}

} // namespace

Query::Query(soci::session &session, const std::string &sql, std::size_t parameters, std::size_t results) : statement_(session) {
    for (std::size_t i = 0; i < results; ++i) {
        Slot &slot = results_.emplace_back();
        statement_.exchange(soci::into(slot.text, slot.indicator));
    }
    for (std::size_t i = 0; i < parameters; ++i) {
        Slot &slot = parameters_.emplace_back();
        const soci::details::use_type_ptr use(new soci::details::use_type<std::string>(slot.text, slot.indicator));
        bound_.push_back(use.get());
        statement_.exchange(use);
    }
    statement_.alloc();
    statement_.prepare(sql);
    statement_.define_and_bind();
}

Query &Query::null(std::size_t parameter) {
    parameters_[parameter].indicator = soci::i_null;
    return *this;
}

Query &Query::text(std::size_t parameter, std::string value) {
    parameters_[parameter].text = std::move(value);
    parameters_[parameter].indicator = soci::i_ok;
    return *this;
}

Query &Query::bytes(std::size_t parameter, std::string_view value) { return text(parameter, hexadecimal(value)); }

Query &Query::value(std::size_t parameter, Form form, std::uint32_t scale, const Value &value) {
    return std::holds_alternative<std::monostate>(value) ? null(parameter) : text(parameter, text_of(form, scale, value));
}

/// SOCI frees the copies of the parameters after an execution, but not after one that threw: the next would leak them.
bool Query::execute() {
    try {
        return statement_.execute(true);
    } catch (...) {
        for (soci::details::use_type_base *use : bound_) {
            use->clean_up();
        }
        throw;
    }
}

std::uint64_t Query::run() {
    execute();
    return static_cast<std::uint64_t>(statement_.get_affected_rows());
}

std::int64_t Query::take_integer(std::size_t result) const {
    const std::string &text = results_[result].text;
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// "2025-11-24 10:00:07.040058+00": the connection's zone is UTC, and a time without a zone is taken as UTC.
event::Micros Query::take_time(std::size_t result) const {
    std::string text = results_[result].text;
    if (text.ends_with("+00")) {
        text.erase(text.size() - 3);
    }
    if (text.size() >= 19 && text[10] == ' ') {
        text[10] = 'T';
        if (const auto time = event::parse_time(text + "Z")) {
            return *time;
        }
    }
    misfit("a time before the year 1, after 9999, or an infinite one");
}

std::string Query::take_bytes(std::size_t result) const {
    const std::string &text = results_[result].text;
    std::string out;
    out.reserve(text.size() / 2);
    for (std::size_t i = 2; i + 1 < text.size(); i += 2) {
        unsigned value = 0;
        std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
        out += static_cast<char>(value);
    }
    return out;
}

Value Query::take(std::size_t result, Form form, std::uint32_t scale) {
    if (is_null(result)) {
        return std::monostate();
    }
    switch (form) {
    case Form::int8:
        return take_integer(result);
    case Form::boolean:
        return std::int64_t{take_boolean(result)};
    case Form::timestamptz:
        return take_time(result);
    case Form::numeric:
        return without_point(take_text(result), scale);
    case Form::float8: {
        const std::string &digits = results_[result].text;
        double value = 0;
        if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc()) {
            misfit("no finite number");
        }
        return value;
    }
    case Form::bytea:
        return take_bytes(result);
    case Form::text:
    case Form::uuid:
    case Form::json:
    case Form::jsonb:
        break;
    }
    return take_text(result);
}

} // namespace weir::store::postgresql
