// SPDX-License-Identifier: Apache-2.0
#include "wire.hpp"

#include "store/store.hpp"

#include <bit>
#include <cstring>

namespace weir::store::postgresql {

namespace {

constexpr std::int64_t kEpoch2000 = 946'684'800'000'000; ///< PostgreSQL counts microseconds from 2000-01-01

struct Type {
    const char *name;
    unsigned element;
    unsigned array;
};

// Object ids of built-in types never change. [PostgreSQL, pg_type.dat]
constexpr Type kTypes[] = {{"text", 25, 1009},    {"bigint", 20, 1016}, {"double precision", 701, 1022}, {"numeric", 1700, 1231},
                           {"boolean", 16, 1000}, {"uuid", 2950, 2951}, {"timestamptz", 1184, 1185},     {"json", 114, 199},
                           {"jsonb", 3802, 3807}, {"bytea", 17, 1001}};

const Type &type(Form form) { return kTypes[static_cast<std::size_t>(form)]; }

template <class Integer> void put(std::string &out, Integer value) {
    char bytes[sizeof value];
    for (std::size_t i = sizeof value; i-- > 0;) {
        bytes[i] = static_cast<char>(value & 0xff);
        value = static_cast<Integer>(sizeof value > 1 ? value >> 8 : 0);
    }
    out.append(bytes, sizeof bytes);
}

template <class Integer> Integer get(std::string_view bytes, std::size_t at = 0) {
    Integer value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) {
        value = static_cast<Integer>((value << 8) | static_cast<unsigned char>(bytes[at + i]));
    }
    return value;
}

void expect(bool fits) {
    if (!fits) {
        throw SchemaWrong("a column holds a value that its declared type can't: an infinite time, NaN, or a number of too many digits");
    }
}

std::int64_t power_of_ten(int exponent) {
    std::int64_t power = 1;
    for (int i = 0; i < exponent; ++i) {
        power *= 10;
    }
    return power;
}

/// The digits come in groups of four; group i counts 10000^(weight - i). [PostgreSQL, numeric_recv]
std::int64_t decode_numeric(std::string_view bytes, std::uint32_t scale) {
    expect(bytes.size() >= 8);
    const int groups = get<std::uint16_t>(bytes);
    const int weight = static_cast<std::int16_t>(get<std::uint16_t>(bytes, 2));
    const unsigned sign = get<std::uint16_t>(bytes, 4);
    expect((sign == 0 || sign == 0x4000) && bytes.size() == 8 + 2 * static_cast<std::size_t>(groups));
    std::int64_t sum = 0;
    for (int i = 0; i < groups; ++i) {
        std::int64_t group = get<std::uint16_t>(bytes, 8 + 2 * static_cast<std::size_t>(i));
        const int exponent = (weight - i) * 4 + static_cast<int>(scale);
        if (exponent < 0) {
            const std::int64_t divisor = exponent < -4 ? 10'000 : power_of_ten(-exponent);
            expect(group % divisor == 0);
            group /= divisor;
        } else {
            expect(group == 0 || exponent <= 18);
            expect(group == 0 || !__builtin_mul_overflow(group, power_of_ten(exponent), &group));
        }
        expect(!__builtin_add_overflow(sum, group, &sum));
    }
    return sign == 0 ? sum : -sum;
}

} // namespace

const char *type_of(Form form) noexcept { return type(form).name; }

Array::Array(Form form, std::uint32_t scale) : form_(form), scale_(scale) {
    put<std::uint32_t>(bytes_, 1); // dimensions
    put<std::uint32_t>(bytes_, 0); // whether there are nulls: see take
    put<std::uint32_t>(bytes_, type(form).element);
    put<std::uint32_t>(bytes_, 0); // how many: see take
    put<std::uint32_t>(bytes_, 1); // the first one's number
}

void Array::length(std::size_t bytes) {
    ++count_;
    put(bytes_, static_cast<std::uint32_t>(bytes));
}

void Array::null() {
    ++count_;
    has_nulls_ = true;
    put<std::uint32_t>(bytes_, 0xffff'ffff);
}

void Array::text(std::string_view value) {
    length(value.size());
    bytes_ += value;
}

void Array::integer(std::int64_t value) {
    length(8);
    put(bytes_, static_cast<std::uint64_t>(form_ == Form::timestamptz ? value - kEpoch2000 : value));
}

void Array::uuid(const event::Uuid &id) {
    length(id.bytes.size());
    bytes_.append(reinterpret_cast<const char *>(id.bytes.data()), id.bytes.size());
}

void Array::numeric(std::int64_t unscaled) {
    const bool negative = unscaled < 0;
    std::string digits = std::to_string(unscaled);
    digits.erase(0, negative ? 1 : 0);
    const std::size_t fraction_groups = (scale_ + 3) / 4;
    digits.append(fraction_groups * 4 - scale_, '0');
    digits.insert(0, (4 - digits.size() % 4) % 4, '0');
    if (digits.size() < fraction_groups * 4) {
        digits.insert(0, fraction_groups * 4 - digits.size(), '0');
    }
    const std::size_t groups = digits.size() / 4;
    length(8 + 2 * groups);
    put(bytes_, static_cast<std::uint16_t>(groups));
    put(bytes_, static_cast<std::uint16_t>(static_cast<int>(groups) - 1 - static_cast<int>(fraction_groups)));
    put<std::uint16_t>(bytes_, negative ? 0x4000 : 0);
    put(bytes_, static_cast<std::uint16_t>(scale_));
    for (std::size_t i = 0; i < groups; ++i) {
        put(bytes_, static_cast<std::uint16_t>(std::stoi(digits.substr(i * 4, 4))));
    }
}

void Array::value(const Value &value) {
    if (std::holds_alternative<std::monostate>(value)) {
        null();
        return;
    }
    switch (form_) {
    case Form::int8:
    case Form::timestamptz:
        integer(std::get<std::int64_t>(value));
        return;
    case Form::boolean:
        length(1);
        bytes_ += static_cast<char>(std::get<std::int64_t>(value));
        return;
    case Form::numeric:
        numeric(std::get<std::int64_t>(value));
        return;
    case Form::float8:
        length(8);
        put(bytes_, std::bit_cast<std::uint64_t>(std::get<double>(value)));
        return;
    case Form::uuid: {
        const auto id = event::Uuid::parse(std::get<std::string>(value));
        if (!id) {
            throw DataRefused("a uuid can't be read");
        }
        uuid(*id);
        return;
    }
    case Form::jsonb: {
        const std::string &document = std::get<std::string>(value);
        length(document.size() + 1);
        bytes_ += '\1'; // the form's version
        bytes_ += document;
        return;
    }
    case Form::text:
    case Form::json:
    case Form::bytea:
        break;
    }
    text(std::get<std::string>(value));
}

Parameter Array::take() {
    std::string head;
    put<std::uint32_t>(head, has_nulls_ ? 1 : 0);
    bytes_.replace(4, 4, head);
    head.clear();
    put(head, count_);
    bytes_.replace(12, 4, head);
    return {type(form_).array, std::move(bytes_), false};
}

std::int64_t decode_integer(std::string_view bytes) {
    expect(bytes.size() == 8);
    return static_cast<std::int64_t>(get<std::uint64_t>(bytes));
}

Value decode(Form form, std::uint32_t scale, std::string_view bytes) {
    switch (form) {
    case Form::int8:
        return decode_integer(bytes);
    case Form::timestamptz: {
        std::int64_t micros = decode_integer(bytes);
        expect(!__builtin_add_overflow(micros, kEpoch2000, &micros) && micros >= event::kEarliest && micros <= event::kLatest);
        return micros;
    }
    case Form::boolean:
        return std::int64_t{bytes.size() == 1 && bytes[0] != 0};
    case Form::numeric:
        return decode_numeric(bytes, scale);
    case Form::float8:
        return std::bit_cast<double>(decode_integer(bytes));
    case Form::uuid: {
        event::Uuid id;
        expect(bytes.size() == id.bytes.size());
        std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
        return id.text();
    }
    case Form::jsonb:
        expect(!bytes.empty());
        return std::string(bytes.substr(1));
    case Form::text:
    case Form::json:
    case Form::bytea:
        break;
    }
    return std::string(bytes);
}

} // namespace weir::store::postgresql
