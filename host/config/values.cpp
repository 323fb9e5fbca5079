// SPDX-License-Identifier: Apache-2.0
#include "values.hpp"

#include "http.hpp"
#include "spelling.hpp"
#include "text.hpp"
#include "urls.hpp"

#include <algorithm>
#include <limits>

namespace weir::config {

namespace {

std::string type_name(const nlohmann::json &value) {
    return value.is_null()           ? "null"
           : value.is_number_float() ? "a number with a fraction"
           : value.is_number()       ? "a number"
           : value.is_boolean()      ? "a boolean"
           : value.is_string()       ? "a text"
           : value.is_array()        ? "an array"
                                     : "an object";
}

/// Shown in a message; never more than a glance, never a secret.
std::string shown(const Key &key, const Leaf &leaf, const nlohmann::json &value) {
    if (leaf.secret || names_a_secret(key.path)) {
        return std::string(kMask);
    }
    const std::string text =
        value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    const bool url = text.find("://") != std::string::npos;
    return value.is_string() ? in_quotes(url ? mask_url(text) : text) : text.size() > 60 ? type_name(value) : text;
}

bool consists_of(std::string_view text, std::string_view first, std::string_view others, std::size_t most) {
    const auto among = [](char c, std::string_view classes) {
        const bool lower = c >= 'a' && c <= 'z';
        const bool upper = c >= 'A' && c <= 'Z';
        const bool digit = c >= '0' && c <= '9';
        return (lower && classes.find('a') != std::string_view::npos) || (upper && classes.find('A') != std::string_view::npos) ||
               (digit && classes.find('0') != std::string_view::npos) ||
               (!lower && !upper && !digit && classes.find(c) != std::string_view::npos);
    };
    return !text.empty() && text.size() <= most && among(text[0], first) &&
           std::all_of(text.begin() + 1, text.end(), [&](char c) { return among(c, others); });
}

/// What text of a variable stands for: JSON where it looks like an array, else parts between commas.
nlohmann::json list_of(const std::string &text) {
    const std::string inner = trimmed(text);
    if (inner.starts_with("[")) {
        const auto parsed = parse_value(inner);
        return parsed ? *parsed : nlohmann::json(text);
    }
    nlohmann::json list = nlohmann::json::array();
    std::size_t at = 0;
    while (at <= inner.size()) {
        const std::size_t comma = std::min(inner.find(',', at), inner.size());
        list.push_back(trimmed(std::string_view(inner).substr(at, comma - at)));
        at = comma + 1;
    }
    return list;
}

/// The reading of one leaf.
class Reading {
public:
    Reading(const Key &key, const Leaf &leaf, Load &load, Value &out) : key_(key), leaf_(leaf), load_(load), out_(out) {}

    bool run() {
        switch (key_.type) {
        case Type::boolean:
            return boolean();
        case Type::integer:
            return integer(leaf_.value, {}, out_.integer);
        case Type::integer_list:
            return integers();
        case Type::topic_list:
        case Type::origin_list:
        case Type::host_list:
            return texts();
        case Type::object:
            return object();
        case Type::bindings:
        case Type::domains:
            return true;
        default:
            return text() && text_of_type();
        }
    }

private:
    bool refuse(const std::string &what, const std::string &inner = {}) {
        std::string from;
        for (const std::string &name : leaf_.set_by) {
            from += (from.empty() ? "; its value comes from the environment variable " : ", ") + name;
        }
        load_.problems.push_back({leaf_.where(inner), what + from});
        return false;
    }
    std::string is() const { return std::string(key_.path) + " is " + shown(key_, leaf_, leaf_.value); }

    bool boolean() {
        if (leaf_.value.is_boolean()) {
            out_.boolean = leaf_.value.get<bool>();
            return true;
        }
        if (leaf_.from_text && leaf_.value.is_string()) {
            std::string word = trimmed(leaf_.value.get<std::string>());
            std::transform(word.begin(), word.end(), word.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
            for (const std::string_view yes : {"true", "yes", "on", "1"}) {
                if (word == yes) {
                    return out_.boolean = true;
                }
            }
            for (const std::string_view no : {"false", "no", "off", "0"}) {
                if (word == no) {
                    out_.boolean = false;
                    return true;
                }
            }
        }
        return refuse(is() + ": write true or false");
    }

    bool integer(const nlohmann::json &value, const std::string &inner, std::int64_t &out) {
        const std::string range = "a whole number from " + std::to_string(key_.least) + " to " + std::to_string(key_.most);
        bool fits = false;
        if (value.is_number_unsigned()) {
            const auto number = value.get<std::uint64_t>();
            fits = number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
            out = fits ? static_cast<std::int64_t>(number) : 0;
        } else if (value.is_number_integer()) {
            out = value.get<std::int64_t>();
            fits = true;
        } else if (leaf_.from_text && value.is_string()) {
            const std::string text = trimmed(value.get<std::string>());
            fits = integer_of(text, out) || (key_.path.ends_with("_ms") && milliseconds_of(text, out));
        }
        if (!fits || out < key_.least || out > key_.most) {
            const bool digits_in_quotes = !leaf_.from_text && value.is_string() && integer_of(value.get<std::string>(), out);
            return refuse(std::string(key_.path) + " is " + shown(key_, leaf_, value) + ": write " + range +
                              (digits_in_quotes ? ", without quotes" : ""),
                          inner);
        }
        return true;
    }

    bool integers() {
        const nlohmann::json list = leaf_.from_text && leaf_.value.is_string() ? list_of(leaf_.value.get<std::string>()) : leaf_.value;
        constexpr std::size_t kMost = 1000;
        if (!list.is_array() || list.empty() || list.size() > kMost) {
            return refuse(is() + ": write an array of whole numbers, such as [1000, 2000, 3000]");
        }
        bool good = true;
        for (std::size_t i = 0; i < list.size(); ++i) {
            std::int64_t number = 0;
            good = integer(list[i], element(i), number) && good;
            out_.integers.push_back(number);
        }
        return good;
    }

    /// A pointer to an element, where the list stands in a file and not in one text.
    std::string element(std::size_t index) const { return leaf_.value.is_array() ? "/" + std::to_string(index) : std::string(); }

    bool texts() {
        const nlohmann::json list = leaf_.from_text && leaf_.value.is_string() ? list_of(leaf_.value.get<std::string>()) : leaf_.value;
        const bool topics = key_.type == Type::topic_list;
        const std::string one = topics ? "topic" : key_.type == Type::origin_list ? "origin" : "host name";
        if (!list.is_array() || (topics && list.empty())) {
            const std::string example = topics                           ? "identity.user.v1"
                                        : key_.type == Type::origin_list ? "https://app.example"
                                                                         : "weir.example";
            return refuse(is() + ": write an array of " + one + "s, such as [\"" + example + "\"], or leave the key out" +
                          (topics ? " to take the plugin's" : ""));
        }
        bool good = true;
        for (std::size_t i = 0; i < list.size(); ++i) {
            const std::string name = list[i].is_string() ? list[i].get<std::string>() : std::string();
            const std::string wrong = list[i].is_string() ? check_name(key_.type, name) : "write a text";
            if (!wrong.empty()) {
                good = refuse("the " + one + " is " + shown(key_, leaf_, list[i]) + ": " + wrong, element(i));
            } else if (std::find(out_.list.begin(), out_.list.end(), name) != out_.list.end()) {
                good = refuse("the " + one + " " + in_quotes(name) + " stands here twice: keep one", element(i));
            } else {
                out_.list.push_back(name);
            }
        }
        return good;
    }

    bool object() {
        if (!leaf_.value.is_object()) {
            return refuse(is() + ": write an object, {...}");
        }
        try {
            out_.text = leaf_.value.dump();
        } catch (const nlohmann::json::exception &) {
            return refuse(std::string(key_.path) + " holds text that isn't UTF-8: mend the variable that it comes from");
        }
        return true;
    }

    bool text() {
        if (!leaf_.value.is_string()) {
            return refuse(is() + ": write a text in quotes");
        }
        out_.text = leaf_.value.get<std::string>();
        return std::any_of(out_.text.begin(), out_.text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })
                   ? refuse(is() + ": control characters have no place here")
                   : true;
    }

    bool text_of_type() {
        switch (key_.type) {
        case Type::path:
        case Type::file:
            return path(out_.text);
        case Type::choice:
            return choice();
        case Type::broker_url:
        case Type::store_url:
            return url();
        case Type::redis_url:
            return redis();
        default:
            const std::string wrong = check_name(key_.type, out_.text);
            return wrong.empty() ? true : refuse(is() + ": " + wrong);
        }
    }

    bool choice() {
        if (key_.path == "log.level" && leaf_.from_text) {
            out_.text = level_of(trimmed(out_.text));
        }
        std::vector<std::string> choices;
        for (std::size_t at = 0; at <= key_.choices.size();) {
            const std::size_t bar = std::min(key_.choices.find('|', at), key_.choices.size());
            choices.emplace_back(key_.choices.substr(at, bar - at));
            at = bar + 1;
        }
        if (std::find(choices.begin(), choices.end(), out_.text) != choices.end()) {
            return true;
        }
        std::string list;
        for (const std::string &one : choices) {
            list += (list.empty() ? "" : one == choices.back() ? " or " : ", ") + one;
        }
        return refuse(is() + ": write " + list + did_you_mean(out_.text, choices));
    }

    /// What a relative path is relative to.
    std::filesystem::path base() const {
        std::error_code failure;
        return leaf_.source.starts_with("environment ") ? std::filesystem::current_path(failure) : load_.base;
    }

    bool path(std::string &text) {
        if (text.empty()) {
            return refuse(std::string(key_.path) + " is empty: write a " + (key_.type == Type::file ? "file" : "directory") +
                          "'s path, or leave the key out");
        }
        text = (base() / text).lexically_normal().string(); // an absolute one replaces the base
        while (text.size() > 1 && text.back() == '/') {
            text.pop_back();
        }
        return true;
    }

    bool redis() {
        const std::string wrong = check_redis_url(out_.text);
        return wrong.empty() ? true : refuse(is() + ": " + wrong);
    }

    bool url() {
        const std::string wrong = check_url(key_.type, base(), out_.text);
        return wrong.empty() ? true : refuse(is() + ": " + wrong);
    }

    const Key &key_;
    const Leaf &leaf_;
    Load &load_;
    Value &out_;
};

nlohmann::json masked(const nlohmann::json &value) {
    if (value.is_object()) {
        nlohmann::json out = nlohmann::json::object();
        for (const auto &[name, member] : value.items()) {
            out[name] = names_a_secret(name) ? nlohmann::json(kMask) : masked(member);
        }
        return out;
    }
    if (value.is_array()) {
        nlohmann::json out = nlohmann::json::array();
        for (const auto &element : value) {
            out.push_back(masked(element));
        }
        return out;
    }
    return value.is_string() ? nlohmann::json(mask_url(value.get_ref<const std::string &>())) : value;
}

std::string joined(const std::vector<std::string> &parts) {
    std::string out;
    for (const std::string &part : parts) {
        out += (out.empty() ? "" : ", ") + part;
    }
    return out;
}

} // namespace

bool read(const Key &key, const Leaf &leaf, Load &load, Value &out) { return Reading(key, leaf, load, out).run(); }

std::string check_name(Type type, const std::string &name) {
    switch (type) {
    case Type::domain_name:
        return consists_of(name, "a", "a0_-", 63) ? "" : "write a letter, then letters, digits, - or _, all lower case, 63 at most";
    case Type::plugin_name:
        return consists_of(name, "a", "a0-", 63) ? "" : "write a letter, then letters, digits or -, all lower case, 63 at most";
    case Type::service_name:
        return consists_of(name, "aA0", "aA0._-", 100) ? "" : "write letters, digits, '.', '_' or '-', 100 at most";
    case Type::group_name:
        return consists_of(name, "aA0_", "aA0._:-", 200) ? "" : "write letters, digits, '.', '_', ':' or '-', 200 at most";
    case Type::topic_list:
        return consists_of(name, "aA0_", "aA0._-", 200) ? "" : "write letters, digits, '.', '_' or '-', 200 at most";
    case Type::schema_name:
        if (!consists_of(name, "a_", "a0_", 63)) {
            return "write a letter or _, then letters, digits or _, all lower case, 63 at most";
        }
        if (name == "main" || name == "temp" || name == "information_schema" || name.starts_with("sqlite_") || name.starts_with("pg_")) {
            return "the databases keep this name for themselves; write another";
        }
        return "";
    case Type::address:
        return check_address(name);
    case Type::secret:
        return check_secret(name);
    case Type::origin_list:
        return check_origin(name);
    case Type::host_list:
        return consists_of(name, "aA0", "aA0.-", 253) ? "" : "write a host's name without scheme and port, such as weir.example";
    default:
        return "";
    }
}

std::string display(const Key &key, const Leaf &leaf, const Value &value) {
    if (leaf.secret || names_a_secret(key.path)) {
        return std::string(kMask);
    }
    switch (key.type) {
    case Type::boolean:
        return value.boolean ? "true" : "false";
    case Type::integer:
        return std::to_string(value.integer);
    case Type::integer_list: {
        std::vector<std::string> parts;
        for (const std::int64_t number : value.integers) {
            parts.push_back(std::to_string(number));
        }
        return joined(parts);
    }
    case Type::topic_list:
    case Type::origin_list:
    case Type::host_list:
        return joined(value.list);
    case Type::object:
    case Type::bindings:
        return masked(leaf.value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    default:
        return mask_url(value.text);
    }
}

} // namespace weir::config
