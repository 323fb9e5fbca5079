// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace weir::store::sqlite {

/**
 * Tells which holders of leases are alive, so that a standby needn't wait for a dead one's leases to expire: each holder keeps a file
 * `<directory>/.holders/<schema>.<holder>.alive` locked (flock), and the kernel unlocks it when its process ends, however it ends. Where
 * the file system can't do that, nobody is known to be gone, and expiry decides. Correctness never hangs on it: epochs fence. Thread-safe.
 */
class Holders {
public:
    Holders(std::filesystem::path store_directory, std::string schema);
    /// Removes this process's files.
    ~Holders();
    Holders(const Holders &) = delete;
    Holders &operator=(const Holders &) = delete;

    /// Shows that a holder lives, for as long as this object does. Repeating is cheap.
    void keep_alive(const std::string &holder);

    /// Whether a holder is known to be gone. One that was never seen alive here is not.
    bool is_gone(const std::string &holder);

    /// Removes the files of holders that are gone and not among `named`.
    void sweep(const std::set<std::string> &named);

private:
    std::filesystem::path file_of(const std::string &holder) const;

    std::filesystem::path directory_;
    std::string schema_;
    std::mutex mutex_;
    std::map<std::string, int> kept_; ///< holder -> descriptor that holds the lock
};

} // namespace weir::store::sqlite
