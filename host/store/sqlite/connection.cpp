// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"

#include "store/store.hpp"

#include <sys/stat.h>

namespace weir::store::sqlite {

namespace {

constexpr std::size_t kStatementsMax = 256; ///< kept prepared of each kind; shapes of changes are few

/// "sqlite3_statement_backend::loadOne: no such table: t" -> "no such table: t"
std::string without_function_name(const std::string &message) {
    if (message.starts_with("sqlite3_statement_backend::")) {
        const auto end = message.find(": ");
        return end == std::string::npos ? message : message.substr(end + 2);
    }
    return message;
}

} // namespace

std::string quote_name(const std::string &name) {
    std::string out = "\"";
    for (const char c : name) {
        out += c;
        if (c == '"') {
            out += c;
        }
    }
    return out + '"';
}

Connection::Connection(Place place) : place_(std::move(place)) {
    guard([&] {
        session_.open(soci::sqlite3, "dbname=:memory:");
        sqlite_api::sqlite3_extended_result_codes(handle(), 1);
        sqlite_api::sqlite3_busy_timeout(handle(), static_cast<int>(place_.options.busy_timeout.count()));
        const std::string file = place_.file().string();
        session_ << "attach database :file as " + quote_name(place_.schema), soci::use(file);
        sqlite_api::sqlite3_limit(handle(), SQLITE_LIMIT_ATTACHED, 1);
        sqlite_api::sqlite3_db_config(handle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
        sqlite_api::sqlite3_db_config(handle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
        const std::string schema = quote_name(place_.schema);
        {
            const SetupLock lock(place_);
            std::string mode;
            session_ << "pragma " + schema + ".journal_mode = wal", soci::into(mode);
            if (mode != "wal") {
                throw Unavailable(place_.name() + ": this file system can't hold a write-ahead log (journal mode " + mode +
                                  "): choose a local disk");
            }
        }
        session_ << "pragma foreign_keys = on";
        session_ << "pragma " + schema + ".synchronous = " + (place_.options.synchronous == Synchronous::full ? "full" : "normal");
        session_ << "pragma " + schema + ".cache_size = -4000";
        session_ << "pragma " + schema +
                        ".wal_autocheckpoint = 10000"; // pages, 40 MB: a page that is written again and again is copied back once
        session_ << "pragma " + schema + ".journal_size_limit = 50331648";
    });
    if (sqlite_api::sqlite3_db_readonly(handle(), place_.schema.c_str()) == 1) {
        throw_failure(SQLITE_READONLY, "the file was opened read-only", place_.name());
    }
    struct stat status {};
    if (::stat(place_.file().c_str(), &status) == 0) {
        device_ = status.st_dev;
        inode_ = status.st_ino;
    }
}

sqlite_api::sqlite3 *Connection::handle() noexcept { return static_cast<soci::sqlite3_session_backend *>(session_.get_backend())->conn_; }

std::string Connection::qualified(const std::string &table) const { return quote_name(place_.schema) + "." + quote_name(table); }

bool Connection::in_transaction() { return sqlite_api::sqlite3_get_autocommit(handle()) == 0; }

void Connection::execute(const std::string &sql) {
    guard([&] { query(sql, {}, {}).run(); });
}

/// SQLite goes on writing to a file that was removed or replaced, and nobody would find what it wrote.
void Connection::check_file() const {
    struct stat status {};
    if (::stat(place_.file().c_str(), &status) != 0 || status.st_dev != device_ || status.st_ino != inode_) {
        throw Unavailable(place_.name() + ": the file was removed or replaced while it was in use");
    }
}

void Connection::begin() {
    check_file();
    if (query_only_) {
        set_query_only(false);
    }
    execute("begin immediate");
}

void Connection::begin_reading() {
    check_file();
    set_query_only(true);
    execute("begin");
}

void Connection::set_query_only(bool on) {
    // Takes effect when it is prepared, so that one that is kept would do nothing. [sqlite.org/pragma.html]
    guard([&] { session_ << (on ? "pragma query_only = on" : "pragma query_only = off"); });
    query_only_ = on;
}

void Connection::commit() {
    try {
        query("commit", {}, {}).run();
    } catch (const soci::sqlite3_soci_error &error) {
        if ((error.result() & 0xff) == SQLITE_IOERR) { // the log may hold the commit, and be read again by whoever opens it next
            throw InDoubt("the disk failed while " + place_.name() +
                          " was committing: " + without_function_name(error.get_error_message()));
        }
        fail(error.result(), error.get_error_message(), KeyConflict::data_refused);
    }
}

void Connection::rollback() noexcept {
    try {
        if (in_transaction()) {
            query("rollback", {}, {}).run();
        }
        if (query_only_) {
            set_query_only(false);
        }
    } catch (const std::exception &) { // SQLite ended it by itself, or the connection is broken: the next begin says so
    }
}

void Connection::fail(int code, const std::string &message, KeyConflict conflict) const {
    const std::string said = without_function_name(message);
    if (conflict == KeyConflict::run_again && is_key_conflict(code)) {
        throw RunAgain("a row that was absent exists by now: " + said);
    }
    throw_failure(code, said, place_.name());
}

Bulk &Connection::bulk(const std::string &sql, std::span<const Storage> parameters) {
    if (const auto found = bulks_.find(sql); found != bulks_.end()) {
        return *found->second;
    }
    if (bulks_.size() >= kStatementsMax) {
        bulks_.clear();
    }
    return guard([&]() -> Bulk & { return *(bulks_[sql] = std::make_unique<Bulk>(session_, sql, parameters)); });
}

Query &Connection::query(const std::string &sql, std::span<const Storage> parameters, std::span<const Storage> results) {
    if (const auto found = queries_.find(sql); found != queries_.end()) {
        return *found->second;
    }
    if (queries_.size() >= kStatementsMax) {
        queries_.clear();
    }
    return guard([&]() -> Query & { return *(queries_[sql] = std::make_unique<Query>(session_, sql, parameters, results)); });
}

} // namespace weir::store::sqlite
