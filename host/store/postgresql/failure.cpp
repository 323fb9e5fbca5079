// SPDX-License-Identifier: Apache-2.0
#include "failure.hpp"

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

} // namespace

bool is_stale_plan(std::string_view state) noexcept {
    return state == "0A000" || state == "26000" || state == "42P05"; // a plan's result changed its type; a statement is gone, or is there
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
    if (state == "40001" || state == "40P01" || state == "55P03" || state == "55006" || state == "57014" || state == "25P02" ||
        is_stale_plan(state)) {
        // 25P02: an earlier statement of the transaction failed, and was the cause
        throw RunAgain("another transaction was in the way in " + place + ": " + said);
    }
    // 54000: a key that is too long for an index; P0, 27, 44: what triggers and checked views say of a row
    if (group == "22" || group == "23" || group == "P0" || group == "27" || group == "44" || state == "54000" || state == "54001") {
        if (meaning == Meaning::standard) {
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
    if (group == "42" || group == "3F" || group == "25" || group == "3D" || group == "28" || group == "21" || group == "2B") {
        const std::string text =
            place +
            (state == "42501" ? " refuses the login of store.url a right that it needs: grant it. "
                              : " doesn't have the tables that are needed: let `weir run` migrate it, or mend it by hand. ") +
            said;
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
