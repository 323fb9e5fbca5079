// SPDX-License-Identifier: Apache-2.0
#include "output.hpp"
#include "command.hpp"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace weir::cli {

namespace {

/// Columns that a text takes on a terminal, near enough: code points.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool is_number(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == ',' || c == '.' || c == '-'; });
}

/// Bytes of the character that `text` begins with; 0 where it begins with a control character or with what is not UTF-8.
std::size_t character(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    if (first < 0x80) {
        return first >= 0x20 && first != 0x7F ? 1 : 0;
    }
    const std::size_t length = first >= 0xC2 && first <= 0xDF ? 2 : (first & 0xF0) == 0xE0 ? 3 : first >= 0xF0 && first <= 0xF4 ? 4 : 0;
    if (length == 0 || text.size() < length) {
        return 0;
    }
    for (std::size_t at = 1; at < length; ++at) {
        if ((static_cast<unsigned char>(text[at]) & 0xC0) != 0x80) {
            return 0;
        }
    }
    const auto second = static_cast<unsigned char>(text[1]);
    const bool c1 = first == 0xC2 && second < 0xA0; // controls that terminals act on
    const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
    const bool outside = (first == 0xED && second >= 0xA0) || (first == 0xF4 && second >= 0x90);
    return c1 || overlong || outside ? 0 : length;
}

} // namespace

Table::Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }

void Table::row(std::vector<std::string> cells) {
    for (std::string &cell : cells) {
        cell = printable(cell);
    }
    cells.resize(rows_.front().size());
    rows_.push_back(std::move(cells));
}

void Table::print() const {
    const std::size_t columns = rows_.front().size();
    std::vector<std::size_t> widths(columns);
    std::vector<bool> numbers(columns, rows_.size() > 1);
    for (std::size_t at = 0; at < rows_.size(); ++at) {
        for (std::size_t column = 0; column < columns; ++column) {
            widths[column] = std::max(widths[column], width(rows_[at][column]));
            numbers[column] = numbers[column] && (at == 0 || is_number(rows_[at][column]));
        }
    }
    std::string text;
    for (const auto &row : rows_) {
        std::string line;
        for (std::size_t column = 0; column < columns; ++column) {
            const std::string padding(widths[column] - width(row[column]), ' ');
            line += numbers[column] ? padding + row[column] : row[column] + padding;
            line += "  ";
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    cli::print(text);
}

std::string printable(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = character(text.substr(at));
        if (length > 0) {
            out += text.substr(at, length);
            at += length;
            continue;
        }
        char hex[5];
        std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(text[at++])));
        out += hex;
    }
    return out;
}

std::string printable_lines(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        out += (out.empty() ? "" : "\n    ") + printable(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

std::string counted(std::size_t count, std::string_view singular, std::string_view plural) {
    std::string digits = std::to_string(count);
    for (std::size_t at = digits.size(); at > 3;) {
        at -= 3;
        digits.insert(at, ",");
    }
    return digits + " " + std::string(count == 1 ? singular : plural);
}

Progress::Progress(std::string label, std::size_t total) : label_(std::move(label)), total_(total), terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
    if (terminal_ && !shown_.empty()) {
        std::fputs("\r\x1b[K", stderr);
    }
}

void Progress::set(std::size_t done) {
    const auto now = terminal_ ? std::chrono::steady_clock::now() : next_;
    if (!terminal_ || now < next_) {
        return;
    }
    next_ = now + std::chrono::milliseconds(50);
    std::string line = label_ + " " + std::to_string(done);
    if (total_ > 0) {
        constexpr std::size_t kWidth = 30;
        const std::size_t filled = std::min(kWidth, done * kWidth / total_);
        line = label_ + " [" + std::string(filled, '#') + std::string(kWidth - filled, ' ') + "] " +
               std::to_string(std::min<std::size_t>(100, done * 100 / total_)) + "%";
    }
    if (line != shown_) {
        std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
        shown_ = std::move(line);
    }
}

void print(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
        throw Failure(Exit::failed, "standard output can't be written");
    }
}

void print_line(std::string_view text) {
    print(text);
    print("\n");
}

} // namespace weir::cli
