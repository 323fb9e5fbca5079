// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "failure.hpp"
#include "postgresql_store.hpp"
#include "query.hpp"
#include "reply_watch.hpp"
#include "wire.hpp"

#include <exception>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir::store::postgresql {

/// One statement of an exchange.
struct Command {
    std::string sql; ///< parameters are $1, $2, ...
    std::vector<Parameter> parameters;
    bool prepared = true; ///< kept prepared under its text; else parsed each time
    Meaning meaning = Meaning::plain;
};

/// What the server answered to a command; results in binary form.
class Reply {
public:
    explicit Reply(PGresult *result) : result_(result, &PQclear) {}
    PGresult *get() const noexcept { return result_.get(); }
    int rows() const noexcept { return PQntuples(get()); }
    bool is_null(int row, int column) const noexcept { return PQgetisnull(get(), row, column) != 0; }
    std::string_view bytes(int row, int column) const noexcept {
        return {PQgetvalue(get(), row, column), static_cast<std::size_t>(PQgetlength(get(), row, column))};
    }
    Value value(int row, int column, Form form, std::uint32_t scale) const {
        return is_null(row, column) ? Value() : decode(form, scale, bytes(row, column));
    }
    std::uint64_t touched() const;
    std::string_view tag() const noexcept { return PQcmdStatus(get()); }

private:
    std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

/**
 * One connection to the server, opened by SOCI. A batch's statements go through libpq on SOCI's handle, many at once in pipeline mode
 * (docs/decisions/0030); everything else through SOCI. Used by one thread at a time; serves any domain, whose role is taken on for one
 * transaction at a time.
 */
class Connection {
public:
    /// Connects; throws Unavailable.
    Connection(const PostgresqlOptions &options, ReplyWatch &watch);
    ~Connection();
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    soci::session &session() noexcept { return session_; }
    PGconn *handle() noexcept;

    /// Sends all commands at once and returns their answers, as many. Throws what the first failure means; the commands after it are not
    /// run then. Throws InDoubt where `commit` is among them, it was sent, and its answer isn't the tag COMMIT.
    std::vector<Reply> exchange(std::vector<Command> commands);

    struct Both {
        std::exception_ptr first_failure; ///< DataRefused, as `exchange` would throw it; none: all of it was run
        std::vector<Reply> second;
        std::exception_ptr second_failure;
    };
    /// Two exchanges in one trip, of which neither commits: where something of the first is refused, the second is run all the same. Throws
    /// what else the first failure means, with nothing known of the second.
    Both exchange_both(std::vector<Command> first, std::vector<Command> second);

    /// A statement of SOCI by its text, prepared once.
    Query &query(const std::string &sql, std::size_t parameters, std::size_t results);

    /// Runs `work`, which talks to the server through SOCI; turns its failures into the store's, and waits no longer than the reply
    /// timeout.
    template <class Work> decltype(auto) guard(Work &&work, Meaning meaning = Meaning::plain) {
        const ReplyWatch::Guard watched(watch_, PQsocket(handle()), reply_timeout_);
        try {
            return work();
        } catch (const soci::postgresql_soci_error &error) {
            fail(error.sqlstate(), error.get_error_message(), meaning);
        } catch (const soci::soci_error &error) {
            fail("", error.get_error_message(), meaning);
        }
    }
    /// SQL without parameters and results.
    void execute(const std::string &sql);

    /// For migrations, which may take long.
    void set_reply_timeout(std::chrono::milliseconds timeout) noexcept { reply_timeout_ = timeout; }

    /// From now on what it has prepared may be out of date. The pool says so when it comes back.
    void set_used() noexcept { is_new_ = false; }
    /// Whether it can't be used any more.
    bool is_broken() noexcept;
    void set_broken() noexcept { broken_ = true; }
    /// Whether the server has closed it in the meantime; looks, and asks nothing.
    bool was_closed() noexcept;
    bool in_transaction() noexcept;

    std::uint64_t number() const noexcept { return number_; }

private:
    struct Prepared {
        std::string name;
        std::list<const std::string *>::iterator used;
    };
    class Flight;

    [[noreturn]] void fail(const std::string &state, const std::string &message, Meaning meaning);
    [[noreturn]] void fail(const Reply &reply, Meaning meaning, bool of_statement = false);
    [[noreturn]] void lost(bool commits, const std::string &why);

    std::string place_;
    ReplyWatch &watch_;
    std::chrono::milliseconds reply_timeout_;
    soci::session session_;
    std::unordered_map<std::string, std::unique_ptr<Query>> queries_; // after the session: statements go before it
    std::unordered_map<std::string, Prepared> prepared_;
    std::list<const std::string *> by_use_; ///< the texts of `prepared_`, the one used last in front
    std::uint64_t names_ = 0;
    std::uint64_t number_;
    bool broken_ = false;
    bool is_new_ = true;
};

/// "name", with quotes in it doubled.
std::string quote_name(const std::string &name);
/// 'text', with quotes in it doubled.
std::string quote_text(const std::string &text);

} // namespace weir::store::postgresql
