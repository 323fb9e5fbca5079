// SPDX-License-Identifier: Apache-2.0
#include "failure.hpp"

#include <algorithm>
#include <iterator>

namespace weir::store::postgresql {

namespace {

/// The first line, without "ERROR:  " and without what stands in quotes, which may be a value.
std::string without_values(const ServerError &error) {
    std::string text = error.message.substr(0, error.message.find('\n'));
    if (!error.state.starts_with("22")) {
        return text;
    }
    const auto from = text.find('"');
    const auto to = text.rfind('"');
    if (from != std::string::npos && to > from) {
        text.replace(from, to - from + 1, "(a value)");
    }
    return text;
}

std::string describe(const ServerError &error) {
    std::string text = without_values(error) + " (SQLSTATE " + error.state;
    const auto add = [&](const char *what, const std::string &name) {
        if (!name.empty()) {
            text += std::string(", ") + what + " " + name;
        }
    };
    add("table", error.table);
    add("column", error.column);
    add("constraint", error.constraint);
    return text + ")";
}

template <std::size_t count> bool is_one_of(std::string_view what, const std::string_view (&all)[count]) {
    return std::find(std::begin(all), std::end(all), what) != std::end(all);
}

/// What passes when the transaction is run again: others were in the way, or a limit of time was reached. 25P02: an earlier statement of
/// the transaction failed, and was the cause.
constexpr std::string_view kAgain[] = {"25P02", "40000", "40001", "40003", "40P01", "55006", "55P03", "57014", "72000"};
/// Data, whoever says it. P0, 27, 44: what triggers and checked views say of a row.
constexpr std::string_view kDataGroups[] = {"22", "23", "27", "44", "P0"};
/// 54000: a key that is too long for an index
constexpr std::string_view kData[] = {"40002", "54000", "54001"};
/// What is wrong for every row: tables, rights, transactions, prerequisites.
constexpr std::string_view kSchemaGroups[] = {"0L", "0P", "21", "25", "28", "2B", "3D", "3F", "42", "55"};
/// Connection, resources, an operator, the system, the server's files, another server (foreign data), the server's own faults.
constexpr std::string_view kOutageGroups[] = {"08", "53", "57", "58", "F0", "HV", "XX"};

constexpr const char *kNameAnother = "see that store.url and the domain's service.schema name the right one. ";

} // namespace

bool is_stale_plan(const ServerError &error) noexcept {
    if (error.state == "0A000") { // a plan's result changed its type; or something can't be done at all, which a new connection tells
        return !error.on_new_connection;
    }
    return error.state == "26000" || error.state == "42P05"; // a statement is gone, or is there
}

void throw_failure(const ServerError &error, Meaning meaning, const std::string &place) {
    const std::string said = describe(error);
    const std::string &state = error.state;
    const std::string_view group = std::string_view(state).substr(0, 2);
    if (meaning == Meaning::setup && (group == "22" || group == "42")) {
        throw SchemaWrong(place +
                          ": the domain's role can't be taken on: let `weir run` migrate the schema, grant the role to the login, or set " +
                          "store.roles to false. " + said);
    }
    if (meaning == Meaning::creation && state == "23505") {
        throw RunAgain("a row that was absent exists by now: " + said);
    }
    if (is_one_of(state, kAgain) || is_stale_plan(error)) {
        throw RunAgain("another transaction was in the way in " + place + ": " + said);
    }
    if (error.of_statement && meaning == Meaning::rows && !is_one_of(group, kOutageGroups)) {
        throw SchemaWrong(place +
                          " can't do for any row what the domain's tables need: drop the rule or whatever else stands in the way, let " +
                          "`weir run` migrate it, or " + kNameAnother + said);
    }
    const bool is_data = is_one_of(group, kDataGroups) || is_one_of(state, kData);
    const bool is_known = is_data || is_one_of(group, kSchemaGroups) || is_one_of(group, kOutageGroups);
    const bool is_own = meaning == Meaning::standard || meaning == Meaning::creation;
    if (is_data || (!is_known && (is_own || meaning == Meaning::rows))) {
        if (is_own) {
            throw SchemaWrong(place + " refuses what Weir writes into a table of its own: drop the constraint or trigger, or widen the " +
                              "column. " + said);
        }
        throw DataRefused(said);
    }
    if (state == "25006") {
        throw Unavailable(place + " takes no writes at the moment (a standby, or default_transaction_read_only): name the primary in " +
                          "store.url, with target_session_attrs=read-write where there are several hosts. " + said);
    }
    if (state == "53100") {
        throw Unavailable("no space is left for " + place + ": free some on the server's disk; Weir goes on by itself then. " + said);
    }
    if (state == "53300") {
        throw Unavailable(place + " takes no more connections: raise the server's max_connections, or lower store.pool.max. " + said);
    }
    if (state == "2BP01") {
        throw SchemaWrong(place + ": something that another program made depends on a table that Weir wants to drop. Drop it, or let it " +
                          "read another table (event_ledger_all shows the whole ledger). " + said);
    }
    if (is_one_of(group, kSchemaGroups) || group == "0A") {
        const std::string text =
            state == "42501"
                ? place + " refuses the login of store.url a right that it needs: grant it. " + said
                : place + " doesn't have the tables that are needed: let `weir run` migrate it, mend it by hand, or " + kNameAnother + said;
        if (state == "42P01") {
            throw TableMissing(text);
        }
        throw SchemaWrong(text);
    }
    throw Unavailable(place + " can't be used at the moment: " + said);
}

void throw_connection_failure(const std::string &said, const std::string &place) {
    const auto has = [&](const char *part) { return said.find(part) != std::string::npos; };
    // A line for each address that was tried: the one where a server answered tells more than "connection refused" of another.
    const std::size_t answer = said.find("FATAL:");
    const std::size_t from = answer == std::string::npos ? 0 : said.rfind('\n', answer) + 1; // npos + 1 is the beginning
    const std::string text = said.substr(from, said.find('\n', from) - from);
    bool refused = true;
    std::string advice;
    if ((has("certificate") || has("private key")) && !has("authentication failed")) { // some say of a file that it "does not exist"
        refused = false;
        advice = "set sslmode, sslrootcert, sslcert and sslkey in store.url as the server needs them";
    } else if (has("password authentication failed") || has("no password supplied")) {
        advice = "correct user and password in store.url, or the server's password for that user";
    } else if (has("no pg_hba.conf entry") || has("authentication failed")) {
        advice = "the server lets this user in from here only when its pg_hba.conf says so; else change the user, the database or sslmode "
                 "in store.url";
    } else if (has("\" does not exist") && has("database")) {
        advice = "create it, or name another in store.url";
    } else if (has("\" does not exist")) {
        advice = "create that user, or name another in store.url";
    } else if (has("permission denied for database") || has("not permitted to log in")) {
        advice = "grant it to the user of store.url, or name another user there";
    } else {
        refused = false;
        advice = has("too many") || has("remaining connection slots") ? "raise the server's max_connections, or lower store.pool.max"
                 : has("SSL") ? "set sslmode, sslrootcert, sslcert and sslkey in store.url as the server needs them"
                 : has("starting up") || has("shutting down") || has("recovery mode") ? "Weir goes on by itself when it is up"
                 : has("translate host name")                                         ? "correct the host in store.url, or its name service"
                                              : "see that the host and port in store.url are right and that the server runs";
    }
    if (refused) {
        throw Misconfigured(place + " refuses the login: " + text + "; " + advice);
    }
    throw Unavailable(place + " can't be reached: " + text + "; " + advice);
}

} // namespace weir::store::postgresql
