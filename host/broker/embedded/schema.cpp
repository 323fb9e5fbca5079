// SPDX-License-Identifier: Apache-2.0
#include "schema.hpp"

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::broker::embedded {

namespace {
constexpr std::int64_t kApplicationId = 0x57454952; // "WEIR"
constexpr std::int64_t kVersion = 1;

// A message's id is its stream and its offset in one integer: messages of a partition lie side by side in the tree, are found without a
// second index, and are appended and trimmed at the ends of a run. Offsets begin at 1 and have no gaps, so every count is a subtraction.
// `headers` is a JSON array of [name, value]. `pending` holds ranges: what one read handed out is one row, whatever its size.
const char *const kTables[] = {
    "CREATE TABLE topics(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, incarnation TEXT NOT NULL, partitions INTEGER "
    "NOT NULL, "
    "max_age_ms INTEGER NOT NULL, max_messages INTEGER NOT NULL, max_bytes INTEGER NOT NULL) STRICT",
    "CREATE TABLE streams(id INTEGER PRIMARY KEY AUTOINCREMENT, topic INTEGER NOT NULL, number INTEGER NOT NULL, first INTEGER NOT NULL, "
    "next INTEGER NOT NULL, bytes INTEGER NOT NULL, last_at INTEGER NOT NULL, UNIQUE(topic, number)) STRICT",
    "CREATE TABLE messages(id INTEGER PRIMARY KEY, size INTEGER NOT NULL, appended_at INTEGER NOT NULL, key BLOB, headers BLOB, body BLOB "
    "NOT NULL) STRICT",
    "CREATE TABLE cursors(stream INTEGER NOT NULL, grp TEXT NOT NULL, next INTEGER NOT NULL, PRIMARY KEY(stream, grp)) STRICT, WITHOUT "
    "ROWID",
    "CREATE TABLE pending(stream INTEGER NOT NULL, grp TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, consumer TEXT NOT "
    "NULL, "
    "delivered_at INTEGER NOT NULL, deliveries INTEGER NOT NULL, PRIMARY KEY(stream, grp, first)) STRICT, WITHOUT ROWID",
    "CREATE VIEW log AS SELECT t.name AS topic, s.number AS partition, m.id & 8796093022207 AS position, m.appended_at, CAST(m.key AS "
    "TEXT) AS key, "
    "CAST(m.headers AS TEXT) AS headers, CAST(m.body AS TEXT) AS body FROM messages m JOIN streams s ON s.id = m.id >> 43 JOIN topics t ON "
    "t.id = s.topic",
};

std::int64_t pragma(Connection &connection, const char *name) {
    Statement read(connection, std::string("PRAGMA ") + name, "", "i");
    read.first();
    return read.integer(0);
}

[[noreturn]] void refuse(const EmbeddedOptions &options, const std::string &what) {
    throw Misconfigured("broker embedded://" + options.file.string() + ": " + what);
}

void make_file(const EmbeddedOptions &options) {
    const auto unavailable = [&](const std::string &what) {
        throw Unavailable("broker embedded://" + options.file.string() + ": " + what + "; change its mode or broker.url (WEIR_BROKER_URL)");
    };
    std::filesystem::path made;
    for (const auto &part : options.file.parent_path()) {
        made /= part;
        std::error_code ignored;
        if (!std::filesystem::exists(made, ignored) && mkdir(made.c_str(), 0700) != 0 && errno != EEXIST) {
            unavailable("the directory " + made.string() + " can't be made (" + std::strerror(errno) + ")");
        }
    }
    const int file = open(options.file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) {
        unavailable(std::string("the file can't be opened for writing (") + std::strerror(errno) + ")");
    }
    struct stat status {};
    const bool regular = fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    close(file);
    if (!regular) {
        refuse(options, "this is not a regular file; name another in broker.url (WEIR_BROKER_URL)");
    }
}

/// Turning the WAL on needs the file alone and does not always wait for it, so it is asked again until the deadline.
void turn_on_wal(Connection &connection) {
    const auto deadline = std::chrono::steady_clock::now() + connection.options().busy_timeout;
    std::mutex mutex;
    std::condition_variable never;
    for (;;) {
        try {
            Statement mode(connection, "PRAGMA journal_mode=WAL", "", "t");
            mode.first();
            if (mode.text(0) == "wal") {
                return;
            }
            refuse(connection.options(),
                   "its file system has no shared memory for SQLite's WAL; put the file on a local disk (broker.url)");
        } catch (const Unavailable &) {
            if (std::chrono::steady_clock::now() >= deadline) {
                throw;
            }
        }
        std::unique_lock lock(mutex);
        never.wait_until(lock, std::chrono::steady_clock::now() + std::chrono::milliseconds(2));
    }
}

void check_version(Connection &connection) {
    const std::int64_t version = pragma(connection, "user_version");
    if (pragma(connection, "application_id") != kApplicationId) {
        refuse(connection.options(), "the file is another program's database; name another file in broker.url (WEIR_BROKER_URL)");
    }
    if (version > kVersion) {
        refuse(connection.options(), "the file was written by a later version of Weir (format " + std::to_string(version) +
                                         ", this one knows " + std::to_string(kVersion) +
                                         "); install that version or name another file in broker.url");
    }
}
} // namespace

void prepare_file(const EmbeddedOptions &options) {
    make_file(options);
    Connection connection(options, Synchronous::full);
    const auto objects = [&] {
        Statement count(connection, "SELECT count(*) FROM sqlite_master", "", "i");
        count.first();
        return count.integer(0);
    };
    if (objects() == 0) {
        turn_on_wal(connection);
        WriteLock lock;
        Transaction transaction(connection, lock);
        if (objects() == 0) {
            for (const char *table : kTables) {
                connection.execute(table);
            }
            connection.execute("PRAGMA application_id=" + std::to_string(kApplicationId));
            connection.execute("PRAGMA user_version=" + std::to_string(kVersion));
        }
        transaction.commit();
    }
    check_version(connection);
    turn_on_wal(connection);
}

} // namespace weir::broker::embedded
