// SPDX-License-Identifier: Apache-2.0
#include "failure.hpp"

#include "store/store.hpp"

#include <soci/sqlite3/soci-sqlite3.h>

namespace weir::store::sqlite {

namespace {

std::string with_code(const std::string &message, int code) { return message + " (SQLite code " + std::to_string(code) + ")"; }

} // namespace

bool is_key_conflict(int code) noexcept { return code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_ROWID; }

void throw_failure(int code, const std::string &message, const std::string &place) {
    const std::string said = with_code(message, code);
    switch (code & 0xff) { // the primary code, https://www.sqlite.org/rescode.html
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        throw DataRefused(said);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
        throw RunAgain("another transaction holds " + place + ": " + said);
    case SQLITE_FULL:
        throw Unavailable("no space is left for " + place + ": free some space on its disk; Weir goes on by itself then. " + said);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        throw Unavailable(place +
                          " can't be written: make the directory and its files writable for the user that runs Weir, or name another in "
                          "store.url (WEIR_STORE_URL). " +
                          said);
    case SQLITE_CANTOPEN:
        throw Unavailable(place +
                          " can't be opened: see that the directory exists and is writable for the user that runs Weir, or name another in "
                          "store.url (WEIR_STORE_URL). " +
                          said);
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_PROTOCOL:
    case SQLITE_NOLFS:
        throw Unavailable(place + " can't be read or written at the moment: " + said);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        throw SchemaWrong(
            place +
            " is damaged or no SQLite database: stop Weir, then restore the file from a backup, or save what can be read with "
            "`sqlite3 FILE .recover`. " +
            said);
    default: // SQLITE_ERROR stands for tables and columns that aren't there
        throw SchemaWrong(place +
                          " doesn't have the tables that are needed: let `weir run` migrate it, mend it by hand, or see that store.url "
                          "(WEIR_STORE_URL) and the domain's service.schema name the right one. " +
                          said);
    }
}

} // namespace weir::store::sqlite
