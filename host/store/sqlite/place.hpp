// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sqlite_store.hpp"

#include <filesystem>
#include <string>

namespace weir::store::sqlite {

/// Where one domain's schema lies.
struct Place {
    SqliteOptions options;
    std::string schema;

    std::filesystem::path file() const { return options.directory / (schema + ".db"); }
    /// For messages: "the store sqlite:///var/lib/weir (linting.db)".
    std::string name() const { return "the store sqlite://" + options.directory.string() + " (" + schema + ".db)"; }
};

/// Makes the directory (0700) and the file (0600) where they are missing. Safe in several processes at once. Throws
/// Unavailable where they can't be made, SchemaWrong where others than their owner and group may write to them or the schema's name can't
/// be attached.
void prepare_file(const Place &place);

/// Held while a file is switched to the write-ahead log, so that its first users take turns: SQLite doesn't wait there. (The lock is on a
/// file of its own: closing a database's file would drop the locks that this process holds on it.)
class SetupLock {
public:
    explicit SetupLock(const Place &place);
    ~SetupLock();
    SetupLock(const SetupLock &) = delete;
    SetupLock &operator=(const SetupLock &) = delete;

private:
    int descriptor_;
};

} // namespace weir::store::sqlite
