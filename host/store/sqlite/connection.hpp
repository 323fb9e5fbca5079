// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "failure.hpp"
#include "place.hpp"
#include "statement.hpp"

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <memory>
#include <string>
#include <unordered_map>

namespace weir::store::sqlite {

/// What a primary key that exists already means to the caller.
enum class KeyConflict { data_refused, run_again };

/**
 * One connection to one domain's file, which is attached under the schema's name to an empty database in memory: no transaction can write
 * two files, and a further file can't be attached. Keeps its statements prepared. Used by one thread at a time.
 */
class Connection {
public:
    /// Opens the file, which has to be there (see prepare_file).
    explicit Connection(Place place);

    const Place &place() const noexcept { return place_; }
    soci::session &session() noexcept { return session_; }
    sqlite_api::sqlite3 *handle() noexcept;

    /// The name of a table in SQL: "schema"."table".
    std::string qualified(const std::string &table) const;

    bool in_transaction();
    void begin();
    /// A transaction that only reads, and sees the same throughout; until `rollback`.
    void begin_reading();
    /// Throws InDoubt where the disk failed in the middle of it.
    void commit();
    void rollback() noexcept;
    void execute(const std::string &sql);

    /// Runs `work`; turns SQLite's failures into the store's.
    template <class Work> decltype(auto) guard(Work &&work, KeyConflict conflict = KeyConflict::data_refused) {
        try {
            return work();
        } catch (const soci::sqlite3_soci_error &error) {
            fail(error.result(), error.get_error_message(), conflict);
        } catch (const soci::soci_error &error) {
            fail(SQLITE_ERROR, error.get_error_message(), conflict);
        }
    }

    /// Runs `work` in the transaction that was begun, or in one of its own.
    template <class Work> decltype(auto) within_transaction(Work &&work) {
        struct Own {
            Connection &connection;
            bool open = false;
            ~Own() {
                if (open) {
                    connection.rollback();
                }
            }
        } own{*this};
        if (!in_transaction()) {
            begin();
            own.open = true;
        }
        if constexpr (std::is_void_v<decltype(work())>) {
            work();
            if (own.open) {
                commit();
                own.open = false;
            }
        } else {
            auto result = work();
            if (own.open) {
                commit();
                own.open = false;
            }
            return result;
        }
    }

    /// Runs `work`, which only reads, in the transaction that was begun, or in a reading one of its own: all of it sees the same.
    template <class Work> void within_snapshot(Work &&work) {
        struct Own {
            Connection &connection;
            bool open;
            ~Own() {
                if (open) {
                    connection.rollback();
                }
            }
        } own{*this, !in_transaction()};
        if (own.open) {
            execute("begin");
        }
        work();
    }

    /// Statements by their text, prepared once.
    Bulk &bulk(const std::string &sql, std::span<const Storage> parameters);
    Bulk &bulk(const std::string &sql, std::initializer_list<Storage> parameters) {
        return bulk(sql, std::span(parameters.begin(), parameters.size()));
    }
    Query &query(const std::string &sql, std::span<const Storage> parameters, std::span<const Storage> results);
    Query &query(const std::string &sql, std::initializer_list<Storage> parameters, std::initializer_list<Storage> results) {
        return query(sql, std::span(parameters.begin(), parameters.size()), std::span(results.begin(), results.size()));
    }

private:
    void set_query_only(bool on);
    [[noreturn]] void fail(int code, const std::string &message, KeyConflict conflict) const;
    void check_file() const;

    Place place_;
    soci::session session_;
    std::unordered_map<std::string, std::unique_ptr<Bulk>> bulks_; // after the session: statements go before it
    std::unordered_map<std::string, std::unique_ptr<Query>> queries_;
    bool query_only_ = false;
    std::uint64_t device_ = 0;
    std::uint64_t inode_ = 0;
};

/// "name", with quotes in it doubled.
std::string quote_name(const std::string &name);

} // namespace weir::store::sqlite
