// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

namespace weir::store::postgresql {

PostgresqlSession::PostgresqlSession(Place place, std::shared_ptr<const Layout> layout, Presence &presence,
                                     std::shared_ptr<LedgerFilters> filters, std::shared_ptr<void> owner)
    : owner_(std::move(owner)), place_(std::move(place)), layout_(std::move(layout)), presence_(presence), filters_(std::move(filters)) {}

std::vector<Reply> PostgresqlSession::exchange(std::vector<Command> commands) {
    std::vector<Command> all = std::move(waiting_);
    waiting_.clear();
    const std::size_t first = all.size();
    std::move(commands.begin(), commands.end(), std::back_inserter(all));
    std::vector<Reply> replies;
    const bool opens = !has_begun_;
    const auto run = [&](std::vector<Command> some) {
        try {
            replies = connection_->exchange(std::move(some));
            has_begun_ = true;
            wants_new_ = false;
        } catch (...) { // a statement that is refused leaves the transaction open that was begun in front of it
            has_begun_ = has_begun_ || (!connection_->is_broken() && connection_->in_transaction());
            wants_new_ = connection_->is_broken();
            throw;
        }
    };
    try {
        opens ? run(all) : run(std::move(all));
    } catch (const Unavailable &) {
        if (!opens || !connection_->is_broken()) {
            throw;
        }
        connection_ = {}; // nothing of this transaction was done: one that was idle for long may have been dead already
        connection_ = place_.pool->take_fresh();
        run(std::move(all));
    }
    replies.erase(replies.begin(), replies.begin() + static_cast<std::ptrdiff_t>(first));
    return replies;
}

Connection::Both PostgresqlSession::exchange_both(std::vector<Command> first, std::vector<Command> second) {
    std::vector<Command> all = std::move(waiting_);
    waiting_.clear();
    std::move(first.begin(), first.end(), std::back_inserter(all));
    try {
        return connection_->exchange_both(std::move(all), std::move(second));
    } catch (...) {
        wants_new_ = connection_->is_broken();
        throw;
    }
}

Connection &PostgresqlSession::connection() {
    if (!waiting_.empty()) {
        exchange({});
    }
    return *connection_;
}

void PostgresqlSession::open_transaction(const char *begin) {
    if (connection_) {
        rollback();
    }
    connection_ = wants_new_ ? place_.pool->take_fresh() : place_.pool->take(last_connection_);
    last_connection_ = connection_->number();
    has_begun_ = false;
    has_asked_ = false;
    is_immediate_ = false;
    waiting_.clear();
    defer(begin);
    const std::string role = place_.role();
    const std::string name = "weir/" + place_.schema;
    // What a crash of the server takes of a shadow is made again.
    std::string quick = is_shadow_schema(place_.schema) ? ", set_config('synchronous_commit', 'off', true)" : "";
    // By key is how batches find everything. A plan that was made while a table was nearly empty would read all of it, long after it has
    // grown.
    quick += ", set_config('enable_seqscan', 'off', true)";
    if (role.empty()) {
        defer(Command{"select set_config('application_name', $1, true)" + quick, {{0, name}}, true, Meaning::setup});
    } else {
        defer(Command{"select set_config('role', $1, true), set_config('application_name', $2, true)" + quick,
                      {{0, role}, {0, name}},
                      true,
                      Meaning::setup});
    }
}

void PostgresqlSession::begin(std::span<const Lease> leases) {
    open_transaction("begin");
    if (leases.empty()) {
        return;
    }
    // A share: batches of one holder run side by side, and its renewal goes on; a takeover waits for them (leases.cpp).
    Array topics(Form::text);
    Array partitions(Form::int8);
    Array epochs(Form::int8);
    Array holders(Form::text);
    for (const Lease &lease : leases) {
        topics.text(lease.topic);
        partitions.integer(lease.partition);
        epochs.integer(lease.epoch);
        holders.text(lease.holder);
    }
    constexpr Form kForms[] = {Form::text, Form::int8, Form::int8, Form::text};
    Command lock{"select given.n from " + given(kForms, true) + " join " + qualified("lease") +
                     " target on target.topic = given.c0 and target.partition = given.c1 and target.epoch = given.c2 and "
                     "target.holder = given.c3 order by given.n for key share of target",
                 {topics.take(), partitions.take(), epochs.take(), holders.take()}};
    try {
        std::vector<Command> commands;
        commands.push_back(std::move(lock));
        const std::vector<Reply> replies = exchange(std::move(commands));
        std::size_t held = 0;
        for (int i = 0; i < replies[0].rows() && decode_integer(replies[0].bytes(i, 0)) == static_cast<std::int64_t>(held) + 1; ++i) {
            ++held;
        }
        if (held < leases.size()) {
            throw Fenced("partition " + std::to_string(leases[held].partition) + " of " + leases[held].topic +
                         " was taken over by another host");
        }
    } catch (...) {
        rollback();
        throw;
    }
}

void PostgresqlSession::commit() {
    if (!connection_) {
        throw RunAgain("there is no transaction to commit in " + place_.name());
    }
    if (!has_begun_ && waiting_.size() <= 2) { // nothing happened in it
        waiting_.clear();
        connection_ = {};
        return;
    }
    std::vector<Command> commands;
    commands.push_back({"commit", {}, false, Meaning::standard}); // what a flush has written was looked at with it
    exchange(std::move(commands));                                // what fails here is left to rollback
    connection_ = {};
    has_begun_ = false;
}

void PostgresqlSession::rollback() noexcept {
    waiting_.clear();
    try {
        if (connection_ && has_begun_ && !connection_->is_broken() && connection_->in_transaction()) {
            std::vector<Command> commands;
            commands.push_back({"rollback", {}, false});
            connection_->exchange(std::move(commands));
        }
    } catch (const std::exception &) { // the server ends it with the connection
        connection_->set_broken();
    }
    has_begun_ = false;
    connection_ = {};
}

void PostgresqlSession::savepoint(int depth) { defer("savepoint s" + std::to_string(depth)); }

void PostgresqlSession::rollback_to(int depth) { defer("rollback to savepoint s" + std::to_string(depth)); }

void PostgresqlSession::release(int depth) { defer("release savepoint s" + std::to_string(depth)); }

const TableLayout &PostgresqlSession::table_of(std::uint32_t table) const {
    if (table >= layout_->tables.size()) {
        throw SchemaWrong("table number " + std::to_string(table) + " isn't declared: open sessions after the migration");
    }
    return layout_->tables[table];
}

} // namespace weir::store::postgresql
