// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

/// Columns of text with a head line, for people. Numbers go to the right.
class Table {
public:
    explicit Table(std::vector<std::string> head);
    void row(std::vector<std::string> cells);
    /// Writes it to standard output; nothing but the head where it has no rows.
    void print() const;

private:
    std::vector<std::vector<std::string>> rows_; // the head first
};

/// Text that can't act on a terminal: control characters as \xNN, broken UTF-8 too. For names and reasons that came from elsewhere.
std::string printable(std::string_view text);

/// The same with its lines kept, each but the first indented: for reasons that bring statements to run.
std::string printable_lines(std::string_view text);

/// "1,234 events": a count with its noun in the right number.
std::string counted(std::size_t count, std::string_view singular, std::string_view plural);

/// A line on standard error that counts up while something long goes on; nothing where that is no terminal.
class Progress {
public:
    /// @param total 0: not known
    Progress(std::string label, std::size_t total);
    ~Progress(); ///< wipes the line
    Progress(const Progress &) = delete;
    Progress &operator=(const Progress &) = delete;
    void set(std::size_t done);

private:
    std::string label_;
    std::size_t total_;
    std::string shown_;
    bool terminal_;
    std::chrono::steady_clock::time_point next_{}; // no sooner is it drawn again
};

/// Writes to standard output and makes sure that it arrived. Throws Failure where it can't be written (a full disk, a closed pipe).
void print(std::string_view text);
void print_line(std::string_view text);

} // namespace weir::cli
