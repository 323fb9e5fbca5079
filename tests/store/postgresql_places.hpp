// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "servers.hpp"
#include "store/postgresql/postgresql_store.hpp"
#include "store_contract.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <string>

namespace weir::test {

/// The server of this test program, started when it is first asked for.
PostgresServer &postgres();

/// Options for a url, as the command line reads it.
store::postgresql::PostgresqlOptions options_for(const std::string &url);

/// An empty database of its own.
class PostgresPlace final : public StorePlace {
public:
    PostgresPlace();
    ~PostgresPlace() override;
    std::unique_ptr<store::Store> open() override;
    void settle() override;
    void as_another(const std::string &schema, const std::string &sql) override { query("set search_path = " + schema + "; " + sql); }
    std::string ask(const std::string &schema, const std::string &sql) override { return one("set search_path = " + schema + "; " + sql); }

    store::postgresql::PostgresqlOptions options() const { return options_for(postgres().url(database_)); }
    const std::string &database() const { return database_; }
    /// What another program does, as the superuser.
    std::vector<PostgresServer::Row> query(const std::string &sql) const { return postgres().query(sql, database_); }
    /// The first column of the first row.
    std::string one(const std::string &sql) const;

private:
    std::string database_;
};

/// Runs what has to throw an `Error`. @return its message
template <class Error, class Work> std::string refusal_of(Work work) {
    try {
        work();
    } catch (const Error &error) {
        return error.what();
    } catch (const std::exception &error) {
        FAIL("another error: " << error.what());
    }
    FAIL("no error");
    return "";
}

} // namespace weir::test
