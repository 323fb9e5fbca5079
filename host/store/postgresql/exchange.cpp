// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"
#include "refusal.hpp"

#include <algorithm>
#include <iterator>
#include <poll.h>

namespace weir::store::postgresql {

namespace {

constexpr std::size_t kPreparedMax = 200; ///< shapes of changes are few

bool is_commit(const Command &command) { return command.sql == "commit"; }

} // namespace

/// The commands of one exchange on their way: sent in pipeline mode, ended by one synchronisation. [libpq, section 34.5]
class Connection::Flight {
public:
    Flight(Connection &connection, const std::vector<Command> &commands) : connection_(connection), commands_(commands) {}

    std::vector<Reply> run() {
        const ReplyWatch::Guard watched(connection_.watch_, PQsocket(handle()), connection_.reply_timeout_); // for when all is to end
        enter();
        send();
        flush();
        return receive_and_leave();
    }

    /// With another behind it that is sent before this one is answered.
    Connection::Both run_with(Flight &second) {
        const ReplyWatch::Guard watched(connection_.watch_, PQsocket(handle()), connection_.reply_timeout_);
        enter();
        send();
        second.deadline_ = deadline_;
        second.unprepared_ = &steps_;
        second.send();
        flush();
        Connection::Both both;
        is_last_ = false;
        std::exception_ptr other;
        try {
            receive();
        } catch (const DataRefused &) {
            both.first_failure = std::current_exception();
        } catch (...) {
            if (connection_.is_broken()) {
                throw;
            }
            other = std::current_exception(); // when the second one's answers are read
        }
        try {
            both.second = second.receive_and_leave();
        } catch (...) {
            if (connection_.is_broken()) {
                throw;
            }
            both.second_failure = std::current_exception();
        }
        if (other) {
            std::rethrow_exception(other);
        }
        return both;
    }

private:
    void enter() {
        deadline_ = std::chrono::steady_clock::now() + connection_.reply_timeout_;
        if (PQstatus(handle()) != CONNECTION_OK || PQsetnonblocking(handle(), 1) != 0 || PQenterPipelineMode(handle()) != 1) {
            connection_.lost(false, PQerrorMessage(handle())); // nothing was sent
        }
    }
    void send() {
        commits_ = !commands_.empty() && is_commit(commands_.back());
        for (const Command &command : commands_) {
            send(command);
        }
        check(PQpipelineSync(handle()) == 1);
    }
    std::vector<Reply> receive_and_leave() {
        std::vector<Reply> replies = receive();
        check(PQexitPipelineMode(handle()) == 1 && PQsetnonblocking(handle(), 0) == 0);
        return replies;
    }

    struct Step {
        enum class Kind { run, prepare, forget };
        const Command *command;
        Kind kind;
    };

    PGconn *handle() { return connection_.handle(); }

    void check(bool done) {
        if (!done) {
            connection_.lost(commits_, PQerrorMessage(handle()));
        }
    }

    void send(const Command &command) {
        std::vector<Oid> types;
        std::vector<const char *> values;
        std::vector<int> lengths;
        std::vector<int> formats;
        for (const Parameter &parameter : command.parameters) {
            types.push_back(parameter.array_type);
            values.push_back(parameter.is_null ? nullptr : parameter.bytes.c_str());
            lengths.push_back(static_cast<int>(parameter.bytes.size()));
            formats.push_back(parameter.array_type == 0 ? 0 : 1);
        }
        const int count = static_cast<int>(command.parameters.size());
        if (!command.prepared || is_doubtful(command)) {
            check(PQsendQueryParams(handle(), command.sql.c_str(), count, types.data(), values.data(), lengths.data(), formats.data(), 1) ==
                  1);
            steps_.push_back({&command, Step::Kind::run});
            return;
        }
        const std::string &name = prepare(command, types);
        check(PQsendQueryPrepared(handle(), name.c_str(), count, values.data(), lengths.data(), formats.data(), 1) == 1);
        steps_.push_back({&command, Step::Kind::run});
    }

    /// Whether it may not be prepared: that was asked for by an exchange that isn't answered yet, and may be skipped in it.
    bool is_doubtful(const Command &command) const {
        return unprepared_ && std::any_of(unprepared_->begin(), unprepared_->end(), [&](const Step &step) {
                   return step.kind == Step::Kind::prepare && step.command->sql == command.sql;
               });
    }

    const std::string &prepare(const Command &command, const std::vector<Oid> &types) {
        auto &known = connection_.prepared_;
        auto &by_use = connection_.by_use_;
        if (const auto found = known.find(command.sql); found != known.end()) {
            by_use.splice(by_use.begin(), by_use, found->second.used);
            return found->second.name;
        }
        if (known.size() >= kPreparedMax) {
            const auto oldest = known.find(*by_use.back());
            check(PQsendQueryParams(handle(), ("deallocate " + oldest->second.name).c_str(), 0, nullptr, nullptr, nullptr, nullptr, 1) ==
                  1);
            steps_.push_back({&command, Step::Kind::forget});
            by_use.pop_back();
            known.erase(oldest);
        }
        const std::string name = "weir_" + std::to_string(++connection_.names_);
        check(PQsendPrepare(handle(), name.c_str(), command.sql.c_str(), static_cast<int>(types.size()), types.data()) == 1);
        steps_.push_back({&command, Step::Kind::prepare});
        const auto made = known.emplace(command.sql, Prepared{name, {}}).first;
        by_use.push_front(&made->first);
        made->second.used = by_use.begin();
        return made->second.name;
    }

    /// Waits until the socket is ready for something, no longer than the answer may take.
    short wait(short events) {
        for (;;) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
            pollfd waits{PQsocket(handle()), events, 0};
            const int ready = left.count() > 0 ? ::poll(&waits, 1, static_cast<int>(left.count())) : 0;
            if (ready > 0) {
                return waits.revents;
            }
            if (ready == 0 && left.count() <= 0) {
                connection_.lost(commits_, "no answer within " + std::to_string(connection_.reply_timeout_.count()) + " ms");
            }
        }
    }

    void flush() {
        for (int left = PQflush(handle()); left != 0; left = PQflush(handle())) {
            check(left > 0);
            if ((wait(POLLIN | POLLOUT) & POLLIN) != 0) { // the server may have to be read before it reads on
                check(PQconsumeInput(handle()) == 1);
            }
        }
    }

    PGresult *next() {
        while (PQisBusy(handle()) == 1) {
            wait(POLLIN);
            if (PQconsumeInput(handle()) != 1 && PQisBusy(handle()) == 1) {
                check(false);
            }
        }
        return PQgetResult(handle());
    }

    std::vector<Reply> receive() {
        std::vector<Reply> replies;
        std::unique_ptr<Reply> failure;
        const Step *failed = nullptr;
        for (const Step &step : steps_) {
            Reply reply(next());
            if (!reply.get()) {
                connection_.lost(commits_, PQerrorMessage(handle()));
            }
            const ExecStatusType status = PQresultStatus(reply.get());
            const bool is_done = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
            if (!is_done && step.kind == Step::Kind::prepare) {
                forget(*step.command);
            }
            if (!is_done && !failed) {
                failure = std::make_unique<Reply>(std::move(reply));
                failed = &step;
            } else if (is_done && step.kind == Step::Kind::run) {
                replies.push_back(std::move(reply));
            }
            while (PQstatus(handle()) == CONNECTION_OK && Reply(next()).get()) { // one answer a command, then its end
            }
            if (failed && PQstatus(handle()) != CONNECTION_OK) {
                break;
            }
        }
        if (failed) {
            end_failed(*failure, *failed, replies);
        }
        const Reply synchronised(next());
        if (!synchronised.get() || PQresultStatus(synchronised.get()) != PGRES_PIPELINE_SYNC) {
            connection_.lost(commits_, PQerrorMessage(handle()));
        }
        if (commits_ && replies.back().tag() != "COMMIT") {
            PQexitPipelineMode(handle());
            throw InDoubt("the server answered " + std::string(replies.back().tag()) + " to a commit in " + connection_.place_);
        }
        return replies;
    }

    [[noreturn]] void end_failed(const Reply &failure, const Step &failed, const std::vector<Reply> &done) {
        const char *severity = PQresultErrorField(failure.get(), PG_DIAG_SEVERITY_NONLOCALIZED);
        const bool is_over = PQstatus(handle()) != CONNECTION_OK || !severity || std::string_view(severity) != "ERROR";
        if (!is_over) {
            const Reply synchronised(next());
            if (PQstatus(handle()) != CONNECTION_OK ||
                (is_last_ && (PQexitPipelineMode(handle()) != 1 || PQsetnonblocking(handle(), 0) != 0))) {
                connection_.set_broken();
            }
        } else {
            connection_.set_broken();
        }
        if (is_over) {
            // Where the server said that it ends here, what came after it was not done. Where the connection just broke, it may have been.
            const bool was_told = PQresultErrorField(failure.get(), PG_DIAG_SQLSTATE) != nullptr;
            connection_.lost(commits_ && (!was_told || is_commit(*failed.command)), PQresultErrorMessage(failure.get()));
        }
        try {
            connection_.fail(failure, failed.command->meaning, failed.kind == Step::Kind::prepare);
        } catch (const DataRefused &refused) {
            const auto field = [&](int code) {
                const char *text = PQresultErrorField(failure.get(), code);
                return std::string(text ? text : "");
            };
            const auto behind = static_cast<std::size_t>(&commands_.back() - failed.command);
            std::vector<std::uint64_t> touched;
            std::transform(done.begin(), done.end(), std::back_inserter(touched), [](const Reply &reply) { return reply.touched(); });
            throw RefusedByServer(refused.what(), {field(PG_DIAG_SQLSTATE), field(PG_DIAG_MESSAGE_PRIMARY), field(PG_DIAG_MESSAGE_DETAIL),
                                                   behind, std::move(touched)});
        }
    }

    void forget(const Command &command) {
        if (const auto found = connection_.prepared_.find(command.sql); found != connection_.prepared_.end()) {
            connection_.by_use_.erase(found->second.used);
            connection_.prepared_.erase(found);
        }
    }

    Connection &connection_;
    const std::vector<Command> &commands_;
    std::vector<Step> steps_;
    const std::vector<Step> *unprepared_ = nullptr; ///< of the one in front that isn't answered yet
    bool is_last_ = true;                           ///< nothing was sent behind it
    std::chrono::steady_clock::time_point deadline_;
    bool commits_ = false;
};

std::vector<Reply> Connection::exchange(std::vector<Command> commands) { return Flight(*this, commands).run(); }

Connection::Both Connection::exchange_both(std::vector<Command> first, std::vector<Command> second) {
    Flight in_front(*this, first);
    Flight behind(*this, second);
    return in_front.run_with(behind);
}

} // namespace weir::store::postgresql
