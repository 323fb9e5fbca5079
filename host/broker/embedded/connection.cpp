// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <condition_variable>
#include <deque>

namespace weir::broker::embedded {

using sqlite_api::sqlite3;

[[noreturn]] void rethrow(const EmbeddedOptions &options) {
    const std::string where = "broker embedded://" + options.file.string() + ": ";
    try {
        throw;
    } catch (const soci::sqlite3_soci_error &error) {
        const std::string reason = error.get_error_message();
        switch (error.result() & 0xff) {
        case SQLITE_NOTADB:
            throw Misconfigured(where + "the file is not an embedded broker; name another file in broker.url (WEIR_BROKER_URL) (" + reason +
                                ")");
        case SQLITE_CORRUPT:
            throw Misconfigured(where +
                                "the file is damaged; stop every host that uses it, save what `sqlite3 FILE .recover` still reads, restore "
                                "or move the file away, and name it in broker.url (WEIR_BROKER_URL) (" +
                                reason + ")");
        case SQLITE_FULL:
            throw Unavailable(where + "no room is left on its disk; free some or name another file in broker.url (" + reason + ")");
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_CANTOPEN:
            throw Unavailable(where +
                              "the file or its directory can't be opened for writing by this user; change its mode or broker.url (" +
                              reason + ")");
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_PROTOCOL:
            throw Unavailable(where + "another process held the file for longer than busy_timeout_ms=" +
                              std::to_string(options.busy_timeout.count()) + " (" + reason + ")");
        case SQLITE_ERROR:
        case SQLITE_MISMATCH:
        case SQLITE_CONSTRAINT:
            throw Misconfigured(where + "the file's tables are not as this version of Weir makes them; name another file in broker.url (" +
                                reason + ")");
        default:
            throw Unavailable(where + reason);
        }
    } catch (const soci::soci_error &error) {
        throw Misconfigured(where + "the file's tables are not as this version of Weir makes them; name another file in broker.url (" +
                            error.get_error_message() + ")");
    }
}

namespace {
struct Cell {
    long long integer = 0;
    std::string text;
    soci::indicator indicator = soci::i_ok;
};

/// SQLite's own busy timeout sleeps up to 100 ms at a time; this waits less, with a deadline that is kept.
struct BusyWait {
    std::chrono::milliseconds timeout{0};
    std::chrono::steady_clock::time_point begun;
    std::mutex mutex;
    std::condition_variable never;

    static int wait(void *self, int attempt) { return static_cast<BusyWait *>(self)->once(attempt) ? 1 : 0; }
    bool once(int attempt) {
        const auto now = std::chrono::steady_clock::now();
        if (attempt == 0) {
            begun = now;
        }
        if (now - begun >= timeout) {
            return false;
        }
        std::unique_lock lock(mutex);
        never.wait_until(lock, now + std::chrono::microseconds(attempt < 10 ? 200 : attempt < 50 ? 1000 : 5000));
        return true;
    }
};
} // namespace

struct Connection::State {
    BusyWait busy;
    soci::session session;
    sqlite3 *handle = nullptr; ///< for what SOCI has no words: the busy handler, and whether a transaction is open
};

struct Statement::State {
    const EmbeddedOptions &options;
    soci::statement statement;
    std::deque<Cell> inputs;
    std::deque<Cell> outputs;
    State(Connection &connection, soci::session &session) : options(connection.options()), statement(session) {}
};

Statement::Statement(Connection &connection, std::string_view sql, std::string_view inputs, std::string_view outputs) {
    try {
        state_ = std::make_unique<State>(connection, connection.state_->session);
        soci::statement &statement = state_->statement;
        for (const char type : inputs) {
            Cell &cell = state_->inputs.emplace_back();
            type == 'i' ? statement.exchange(soci::use(cell.integer, cell.indicator))
                        : statement.exchange(soci::use(cell.text, cell.indicator));
        }
        for (const char type : outputs) {
            Cell &cell = state_->outputs.emplace_back();
            type == 'i' ? statement.exchange(soci::into(cell.integer, cell.indicator))
                        : statement.exchange(soci::into(cell.text, cell.indicator));
        }
        statement.alloc();
        statement.prepare(std::string(sql));
        statement.define_and_bind();
    } catch (...) {
        rethrow(connection.options());
    }
}

Statement::~Statement() = default;

void Statement::set(std::size_t index, std::int64_t value) {
    Cell &cell = state_->inputs.at(index);
    cell.integer = value;
    cell.indicator = soci::i_ok;
}

void Statement::set(std::size_t index, std::string_view value) {
    Cell &cell = state_->inputs.at(index);
    cell.text.assign(value);
    cell.indicator = soci::i_ok;
}

void Statement::set(std::size_t index, std::nullptr_t) { state_->inputs.at(index).indicator = soci::i_null; }

bool Statement::execute() {
    try {
        return state_->statement.execute(true);
    } catch (...) {
        reset();
        rethrow(state_->options);
    }
}

bool Statement::next() {
    try {
        return state_->statement.fetch();
    } catch (...) {
        reset();
        rethrow(state_->options);
    }
}

void Statement::reset() noexcept {
    // SOCI resets only at the next execution; a statement left standing on a row would keep its snapshot, and the WAL from being
    // checkpointed.
    auto *backend = static_cast<soci::sqlite3_statement_backend *>(state_->statement.get_backend());
    sqlite_api::sqlite3_reset(backend->stmt_);
}

std::int64_t Statement::integer(std::size_t column) const { return is_null(column) ? 0 : state_->outputs.at(column).integer; }

std::string &Statement::text(std::size_t column) {
    Cell &cell = state_->outputs.at(column);
    if (cell.indicator == soci::i_null) {
        cell.text.clear();
    }
    return cell.text;
}

bool Statement::is_null(std::size_t column) const { return state_->outputs.at(column).indicator == soci::i_null; }

std::int64_t Statement::changes() { return state_->statement.get_affected_rows(); }

Connection::Connection(const EmbeddedOptions &options, Synchronous synchronous) : options_(options), state_(std::make_unique<State>()) {
    try {
        state_->session.open(soci::sqlite3, "dbname=\"" + options.file.string() + "\"");
        state_->handle = static_cast<soci::sqlite3_session_backend *>(state_->session.get_backend())->conn_;
        state_->busy.timeout = options.busy_timeout;
        sqlite_api::sqlite3_busy_handler(state_->handle, &BusyWait::wait, &state_->busy);
    } catch (...) {
        rethrow(options_);
    }
    execute(synchronous == Synchronous::full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    execute("PRAGMA foreign_keys=OFF");
    execute("PRAGMA wal_autocheckpoint=4000");
    execute("PRAGMA journal_size_limit=67108864");
    execute("PRAGMA cache_size=-4096");
}

Connection::~Connection() {
    rollback();
    statements_.clear(); // before the session: sqlite3_close refuses while a statement lives
}

Statement &Connection::statement(std::string_view sql, std::string_view inputs, std::string_view outputs) {
    auto &slot = statements_[sql];
    if (!slot) {
        slot = std::make_unique<Statement>(*this, sql, inputs, outputs);
    }
    return *slot;
}

void Connection::execute(const std::string &sql) { Statement(*this, sql, "", "").run(); }

void Connection::rollback() noexcept {
    if (!state_ || !state_->handle || sqlite_api::sqlite3_get_autocommit(state_->handle) != 0) {
        return;
    }
    try {
        statement("ROLLBACK", "", "").run();
    } catch (const std::exception &) {
        // SQLite has rolled back by itself where even this fails; the next BEGIN tells otherwise.
    }
}

std::int64_t Connection::data_version() {
    Statement &version = statement("PRAGMA data_version", "", "i");
    version.first();
    return version.integer(0);
}

Transaction::Transaction(Connection &connection, WriteLock &lock) : connection_(connection), held_(lock, std::defer_lock) {
    // The wall clock: ThreadSanitizer of GCC 12 does not know the call that libstdc++ makes for the steady one. A jump ends the wait early.
    if (!held_.try_lock_until(std::chrono::system_clock::now() + connection.options().busy_timeout)) {
        throw Unavailable("broker embedded://" + connection.options().file.string() +
                          ": another writer of this process held the file for longer than busy_timeout_ms=" +
                          std::to_string(connection.options().busy_timeout.count()));
    }
    connection_.rollback(); // one that could not be rolled back before, for want of a working disk
    connection_.statement("BEGIN IMMEDIATE", "", "").run();
    open_ = true;
}

Transaction::~Transaction() {
    if (open_) {
        connection_.rollback();
    }
}

void Transaction::commit() {
    connection_.statement("COMMIT", "", "").run();
    open_ = false;
}

} // namespace weir::broker::embedded
