// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "broker/embedded/embedded_broker.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::broker::embedded {

class Connection;

/// A prepared statement over SOCI. Its cells are typed by two words of one letter a cell: i integer, t text or bytes (each nullable).
/// Bytes are exact, NUL included: SOCI passes std::string with its length to SQLite, so a body is bound as text and cast to a blob in the
/// SQL.
class Statement {
public:
    Statement(Connection &connection, std::string_view sql, std::string_view inputs, std::string_view outputs);
    ~Statement();
    Statement(const Statement &) = delete;
    Statement &operator=(const Statement &) = delete;

    /// Runs to the end without reading rows.
    template <typename... Arguments> void run(const Arguments &...arguments) {
        bind(arguments...);
        execute();
        reset();
    }
    /// Runs and keeps the first row; false where there is none.
    template <typename... Arguments> bool first(const Arguments &...arguments) {
        bind(arguments...);
        const bool found = execute();
        reset();
        return found;
    }
    /// Runs up to the first row; `next` goes on. Must be read to the end or `reset`, or its read transaction stays open.
    template <typename... Arguments> bool start(const Arguments &...arguments) {
        bind(arguments...);
        return execute();
    }
    bool next();
    void reset() noexcept;

    std::int64_t integer(std::size_t column) const; ///< 0 where null
    std::string &text(std::size_t column);          ///< empty where null; may be moved from
    bool is_null(std::size_t column) const;
    std::int64_t changes();

private:
    template <typename... Arguments> void bind(const Arguments &...arguments) {
        std::size_t index = 0;
        (set(index++, arguments), ...);
    }
    void set(std::size_t index, std::int64_t value);
    void set(std::size_t index, std::uint64_t value) { set(index, static_cast<std::int64_t>(value)); }
    void set(std::size_t index, int value) { set(index, static_cast<std::int64_t>(value)); }
    void set(std::size_t index, std::uint32_t value) { set(index, static_cast<std::int64_t>(value)); }
    void set(std::size_t index, std::string_view value);
    void set(std::size_t index, std::nullptr_t);
    bool execute();

    struct State;
    std::unique_ptr<State> state_;
};

/// One connection to the file. Used by one thread at a time.
class Connection {
public:
    Connection(const EmbeddedOptions &options, Synchronous synchronous);
    ~Connection();
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    /// The statement of this text, prepared at its first use. `sql` is a literal.
    Statement &statement(std::string_view sql, std::string_view inputs, std::string_view outputs);

    /// Runs one statement that is not worth keeping.
    void execute(const std::string &sql);

    /// Rolls back where a transaction is open; never throws.
    void rollback() noexcept;

    /// Changes when another connection has committed. [sqlite.org/pragma.html#pragma_data_version]
    std::int64_t data_version();

    const EmbeddedOptions &options() const { return options_; }

private:
    friend class Statement;
    struct State;
    EmbeddedOptions options_;
    std::unique_ptr<State> state_;
    std::unordered_map<std::string_view, std::unique_ptr<Statement>> statements_;
};

/// Serialises the writers of one process, so that SQLite's lock is waited for by one of them only.
using WriteLock = std::timed_mutex;

/// A write transaction. Takes the process's lock, then the file's; rolls back unless committed.
class Transaction {
public:
    Transaction(Connection &connection, WriteLock &lock);
    ~Transaction();
    Transaction(const Transaction &) = delete;
    Transaction &operator=(const Transaction &) = delete;
    void commit();

private:
    Connection &connection_;
    std::unique_lock<WriteLock> held_;
    bool open_ = false;
};

/// A read transaction: all statements in it see one state of the file.
class Snapshot {
public:
    explicit Snapshot(Connection &connection) : connection_(connection) { connection.statement("BEGIN", "", "").run(); }
    ~Snapshot() { connection_.rollback(); }
    Snapshot(const Snapshot &) = delete;
    Snapshot &operator=(const Snapshot &) = delete;

private:
    Connection &connection_;
};

/// Rethrows the exception being handled as `Unavailable` or `Misconfigured`, without SOCI's context: that would quote bound values.
[[noreturn]] void rethrow(const EmbeddedOptions &options);

} // namespace weir::broker::embedded
