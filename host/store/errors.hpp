// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>

namespace weir::store {

/*
 * Errors say what to do next. Each carries the server's own words, without values of rows.
 */

/// SQLSTATE 08, 57P, 53, 58 and their like (disk full, file gone): wait, and try the same again. Nothing was committed.
class Unavailable : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
/// The server is there and lets this login not in (password, user, database, its rules of who may come from where): waiting alone does not
/// mend it, though trying again is harmless. The message says what to change.
class Misconfigured : public Unavailable {
public:
    using Unavailable::Unavailable;
};
/// 22, 23, 54001: some row's data is refused. Roll back to the savepoint and find out whose.
class DataRefused : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
/// 40001, 40P01, 55P03, 57014, or a created row that exists by now: roll back and run the batch again.
class RunAgain : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
/// 42, 3F, 25, or tables that don't fit: nothing will work until somebody changes the schema or its rights; the message says what.
class SchemaWrong : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
/// The commit may or may not have happened. Run the batch again on a new session; the ledger decides.
class InDoubt : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
/// The lease of a partition is another's by now: stop reading it; nothing was committed.
class Fenced : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

} // namespace weir::store
