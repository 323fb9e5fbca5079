// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"

#include "connection_string.hpp"

#include <atomic>
#include <poll.h>
#include <sys/socket.h>

namespace weir::store::postgresql {

namespace {

constexpr std::size_t kQueriesMax = 64; ///< of SOCI, kept prepared

std::string without_first_line_of_soci(const std::string &message) {
    constexpr std::string_view kPrefix = "Cannot establish connection to the database.\n";
    return message.starts_with(kPrefix) ? message.substr(kPrefix.size()) : message;
}

/// "Cannot execute query. ERROR:  relation ..." and its like -> "relation ..."
std::string without_prefix(std::string message) {
    for (const char *severity : {"ERROR:  ", "FATAL:  ", "PANIC:  "}) {
        if (const auto at = message.find(severity); at != std::string::npos) {
            message.erase(0, at + std::string_view(severity).size());
        }
    }
    return message;
}

} // namespace

std::string quote_name(const std::string &name) {
    std::string out = "\"";
    for (const char c : name) {
        out += c;
        if (c == '"') {
            out += c;
        }
    }
    return out + '"';
}

std::string quote_text(const std::string &text) {
    std::string out = "'";
    for (const char c : text) {
        out += c;
        if (c == '\'') {
            out += c;
        }
    }
    return out + '\'';
}

std::uint64_t Reply::touched() const {
    const char *count = PQcmdTuples(get());
    return *count ? std::strtoull(count, nullptr, 10) : 0;
}

Connection::Connection(const PostgresqlOptions &options, ReplyWatch &watch)
    : place_("the store " + options.name), watch_(watch), reply_timeout_(options.reply_timeout) {
    static std::atomic<std::uint64_t> numbers{0};
    number_ = ++numbers;
    if (watch_.has_ended_all()) {
        throw Unavailable("nothing waits for " + place_ + " any more, because the process ends");
    }
    try {
        session_.open(soci::postgresql, connection_string(options));
    } catch (const soci::soci_error &error) {
        throw_connection_failure(without_first_line_of_soci(error.get_error_message()), place_);
    }
    PQsetNoticeProcessor(
        handle(), [](void *, const char *) {}, nullptr);
    PQsetErrorVerbosity(handle(), PQERRORS_TERSE); // details hold values of rows
}

Connection::~Connection() {
    ::shutdown(PQsocket(handle()), SHUT_RDWR); // else SOCI says goodbye for each statement, and waits for the answers
}

PGconn *Connection::handle() noexcept { return static_cast<soci::postgresql_session_backend *>(session_.get_backend())->conn_; }

bool Connection::is_broken() noexcept { return broken_ || PQstatus(handle()) != CONNECTION_OK; }

bool Connection::in_transaction() noexcept { return PQtransactionStatus(handle()) != PQTRANS_IDLE; }

bool Connection::was_closed() noexcept {
    pollfd waits{PQsocket(handle()), POLLIN, 0};
    if (::poll(&waits, 1, 0) <= 0) {
        return false;
    }
    // Something came unasked: a notice, or the end.
    return (waits.revents & (POLLERR | POLLHUP)) != 0 || PQconsumeInput(handle()) == 0 || PQstatus(handle()) != CONNECTION_OK;
}

void Connection::fail(const std::string &state, const std::string &message, Meaning meaning) {
    const bool is_over = state.starts_with("57P") || state == "25P03"; // the server ended the connection
    if (is_over || is_broken() || state.size() != 5 || state == "     ") {
        lost(false, without_prefix(message));
    }
    const ServerError error{state, without_prefix(message), "", "", "", is_new_};
    if (is_stale_plan(error)) {
        set_broken();
    }
    throw_failure(error, meaning, place_);
}

void Connection::fail(const Reply &reply, Meaning meaning, bool of_statement) {
    const auto field = [&](int code) {
        const char *text = PQresultErrorField(reply.get(), code);
        return std::string(text ? text : "");
    };
    ServerError error{field(PG_DIAG_SQLSTATE),
                      field(PG_DIAG_MESSAGE_PRIMARY),
                      field(PG_DIAG_TABLE_NAME),
                      field(PG_DIAG_COLUMN_NAME),
                      field(PG_DIAG_CONSTRAINT_NAME),
                      is_new_,
                      of_statement};
    if (error.state == "2BP01") { // which names objects, and no row
        const std::string detail = field(PG_DIAG_MESSAGE_DETAIL);
        error.message = error.message.substr(0, error.message.find('\n')) + ": " + detail.substr(0, detail.find('\n'));
    }
    if (is_stale_plan(error)) {
        set_broken();
    }
    throw_failure(error, meaning, place_);
}

void Connection::lost(bool commits, const std::string &why) {
    set_broken();
    const std::string text = without_prefix(why);
    const std::string said = text.substr(0, text.find('\n'));
    if (commits) {
        throw InDoubt("the connection to " + place_ + " was lost while it was committing: " + said);
    }
    throw Unavailable("the connection to " + place_ + " was lost: " + said);
}

Query &Connection::query(const std::string &sql, std::size_t parameters, std::size_t results) {
    if (const auto found = queries_.find(sql); found != queries_.end()) {
        return *found->second;
    }
    if (queries_.size() >= kQueriesMax) {
        queries_.clear();
    }
    return guard([&]() -> Query & { return *(queries_[sql] = std::make_unique<Query>(session_, sql, parameters, results)); });
}

void Connection::execute(const std::string &sql) {
    guard([&] { session_ << sql; });
}

} // namespace weir::store::postgresql
