// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "servers.hpp"

#include <future>
#include <stdexcept>
#include <string>

namespace weir::test {

/// Holds a table of a host's from it, as another program's long transaction would.
class TableLock {
public:
    TableLock(const PostgresServer &server, const std::string &database, const std::string &table)
        : server_(server), database_(database), held_(std::async(std::launch::async, [&server, database, table] {
              try {
                  server.query("/* the test's */ begin; lock table " + table + " in access exclusive mode; select pg_sleep(600)", database);
              } catch (const std::runtime_error &) { // it is ended below
              }
          })) {}
    ~TableLock() { release(); }
    TableLock(const TableLock &) = delete;
    TableLock &operator=(const TableLock &) = delete;

    bool held() const {
        return server_
                   .query("select 1 from pg_locks where mode = 'AccessExclusiveLock' and granted and locktype = 'relation' and database = "
                          "(select oid from pg_database where datname = '" +
                          database_ + "')")
                   .size() > 0;
    }
    void release() {
        if (held_.valid()) {
            server_.query("select pg_terminate_backend(pid) from pg_stat_activity where query like '/* the test''s */%'");
            held_.get();
        }
    }

private:
    const PostgresServer &server_;
    std::string database_;
    std::future<void> held_;
};

} // namespace weir::test
