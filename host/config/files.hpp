// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

/// A file's bytes, or why they can't be had.
struct FileText {
    std::filesystem::path file;
    std::string text;
    std::string failure; ///< "there is no such file: check the path"; empty: none
};

/// Reads a regular file of up to 4 MiB that not everybody may write to. Never blocks on a fifo.
FileText read_text(const std::filesystem::path &file);

/// The domain files of a directory, sorted, or why it can't be used.
struct DomainFiles {
    std::vector<FileText> files;
    std::string failure;
};
DomainFiles read_domain_files(const std::filesystem::path &directory);

/// What was read, in 64 bits: equal where names and bytes and failures are.
class Fingerprint {
public:
    void add(const FileText &file);
    void add(const DomainFiles &files);
    std::string text() const { return std::to_string(hash_); }

private:
    void add(std::string_view bytes);
    std::uint64_t hash_ = 14695981039346656037u; // FNV-1a
};

} // namespace weir::config
