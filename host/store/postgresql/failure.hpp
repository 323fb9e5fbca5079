// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store.hpp"

#include <string>
#include <string_view>

namespace weir::store::postgresql {

/// What the caller takes a failure for, where its class alone doesn't say.
enum class Meaning {
    plain,
    rows,     ///< writing a batch's rows: what isn't known for anything else is said of one of them, as a trigger may say anything
    creation, ///< of a row of Weir's own: a unique key that exists means to run the batch again
    standard, ///< writing to Weir's own tables: data that they refuse is the schema's fault, not the event's
    setup,    ///< taking on the domain's role: whatever is refused is the schema's fault
};

/// 42P01: a table isn't there.
class TableMissing : public SchemaWrong {
public:
    using SchemaWrong::SchemaWrong;
};

/// What the server said, without values of rows: those stand in the details, and in quotes in the messages of class 22.
struct ServerError {
    std::string state; ///< SQLSTATE
    std::string message;
    std::string table;
    std::string column;
    std::string constraint;
    bool on_new_connection = false; ///< which has served no transaction before: nothing that it holds prepared can be out of date
    bool of_statement = false;      ///< it was said when the statement was prepared: of any row, not of those that were sent
};

/// Throws what a failure means for the caller: RunAgain, Unavailable, DataRefused or SchemaWrong. [PostgreSQL, appendix A; what of it is
/// whose fault: docs/decisions/0036]
/// @param place which store, to be named in the message
[[noreturn]] void throw_failure(const ServerError &error, Meaning meaning, const std::string &place);

/// Whether prepared statements may be out of date: the connection is not to be used again.
bool is_stale_plan(const ServerError &error) noexcept;

/// Throws what the server's text for a failed connection attempt means, with what is wrong and which key to change: Misconfigured where the
/// login is refused, else Unavailable. It goes by the words: libpq gives no SQLSTATE for an attempt that failed, so the refusals of a
/// server that speaks another language than English are Unavailable, too.
[[noreturn]] void throw_connection_failure(const std::string &said, const std::string &place);

} // namespace weir::store::postgresql
