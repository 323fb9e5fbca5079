// SPDX-License-Identifier: Apache-2.0
// bench_postgresql_forms CONNINFO [ROUNDS [ROWS]]: in which form a batch of rows (1,000) is best handed to PostgreSQL. Each round writes
// one batch in each form, in turns: a ledger of ids and an upsert of five columns; prints the medians. Makes and drops the schema
// weir_forms. Commits don't wait for the disk, which would cost each form the same.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <libpq-fe.h>
#include <random>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Batch {
    std::vector<std::string> ids;
    std::vector<std::string> names;
    std::vector<std::string> times;
    std::vector<long long> counts;
};

Batch make_batch(std::mt19937_64 &random, int rows) {
    Batch batch;
    for (int i = 0; i < rows; ++i) {
        char id[37];
        std::snprintf(id, sizeof id, "%08x-%04x-4%03x-8%03x-%012llx", static_cast<unsigned>(random()),
                      static_cast<unsigned>(random() & 0xffff), static_cast<unsigned>(random() & 0xfff),
                      static_cast<unsigned>(random() & 0xfff), static_cast<unsigned long long>(random() & 0xffffffffffffU));
        batch.ids.emplace_back(id);
        batch.names.push_back("user" + std::to_string(random() % 20000) + "@example.org");
        batch.times.emplace_back("2025-11-24T10:00:07.040058Z");
        batch.counts.push_back(static_cast<long long>(random() % 1000));
    }
    std::sort(batch.ids.begin(), batch.ids.end());
    std::sort(batch.names.begin(), batch.names.end());
    batch.names.erase(std::unique(batch.names.begin(), batch.names.end()), batch.names.end());
    return batch;
}

std::string text_array(const std::vector<std::string> &values) {
    std::string out = "{";
    for (const std::string &value : values) {
        out += out.size() > 1 ? ",\"" : "\"";
        for (const char c : value) {
            if (c == '"' || c == '\\') {
                out += '\\';
            }
            out += c;
        }
        out += '"';
    }
    return out + "}";
}

std::string text_array(const std::vector<long long> &values) {
    std::string out = "{";
    for (const long long value : values) {
        out += (out.size() > 1 ? "," : "") + std::to_string(value);
    }
    return out + "}";
}

void put(std::string &out, std::uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) {
        out += static_cast<char>(value >> (8 * i) & 0xff);
    }
}

std::string array_head(unsigned type, std::size_t count) {
    std::string out;
    for (const std::uint64_t word : {std::uint64_t{1}, std::uint64_t{0}, std::uint64_t{type}, std::uint64_t{count}, std::uint64_t{1}}) {
        put(out, word, 4);
    }
    return out;
}

std::string binary_texts(const std::vector<std::string> &values) {
    std::string out = array_head(25, values.size());
    for (const std::string &value : values) {
        put(out, value.size(), 4);
        out += value;
    }
    return out;
}

std::string binary_uuids(const std::vector<std::string> &values) {
    std::string out = array_head(2950, values.size());
    for (const std::string &value : values) {
        put(out, 16, 4);
        for (std::size_t i = 0; i < value.size(); i += 2) {
            i += value[i] == '-' ? 1 : 0;
            out += static_cast<char>(std::stoi(value.substr(i, 2), nullptr, 16));
        }
    }
    return out;
}

std::string binary_integers(unsigned type, const std::vector<long long> &values) {
    std::string out = array_head(type, values.size());
    for (const long long value : values) {
        put(out, 8, 4);
        put(out, static_cast<std::uint64_t>(value), 8);
    }
    return out;
}

struct Statement {
    const char *name;
    std::vector<std::string> parameters;
    std::vector<int> formats;
};

class Forms {
public:
    explicit Forms(const char *where)
        : session_(soci::postgresql, where), connection_(static_cast<soci::postgresql_session_backend *>(session_.get_backend())->conn_) {
        PQsetNoticeProcessor(
            connection_, [](void *, const char *) {}, nullptr);
        run("drop schema if exists weir_forms cascade; create schema weir_forms; set search_path = weir_forms; set synchronous_commit = "
            "off; "
            "set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; "
            "set jit = off");
        run("create table ledger (event_id uuid primary key, received_at timestamptz not null, outcome text not null); "
            "create table users (name text primary key, id uuid not null, count bigint not null, at timestamptz not null, status text not "
            "null); "
            "create temp table given_ids (event_id uuid, received_at timestamptz, outcome text); "
            "create temp table given_users (name text, id uuid, count bigint, at timestamptz, status text)");
        prepare("ledger", "insert into ledger select * from unnest($1::uuid[], $2::timestamptz[], $3::text[])");
        prepare(
            "users",
            (std::string("insert into users select * from unnest($1::text[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::text[])") +
             kConflict)
                .c_str());
    }
    ~Forms() { PQclear(PQexec(connection_, "drop schema weir_forms cascade")); }

    void soci_rows(const Batch &batch) {
        Batch copy = users_of(batch);
        std::vector<std::string> ids = batch.ids;
        std::vector<std::string> times = batch.times;
        std::vector<std::string> outcomes(ids.size(), "applied");
        std::vector<std::string> statuses(copy.names.size(), "active");
        run("begin");
        session_ << "insert into ledger values (cast(:a as uuid), cast(:b as timestamptz), :c)", soci::use(ids), soci::use(times),
            soci::use(outcomes);
        session_ << std::string("insert into users values (:a, cast(:b as uuid), :c, cast(:d as timestamptz), :e)") + kConflict,
            soci::use(copy.names), soci::use(copy.ids), soci::use(copy.counts), soci::use(copy.times), soci::use(statuses);
        run("commit");
    }

    void soci_arrays(const Batch &batch) {
        const Batch users = users_of(batch);
        const std::string ids = text_array(batch.ids);
        const std::string times = text_array(batch.times);
        const std::string outcomes = text_array(std::vector<std::string>(batch.ids.size(), "applied"));
        const std::string names = text_array(users.names);
        const std::string user_ids = text_array(users.ids);
        const std::string counts = text_array(users.counts);
        const std::string user_times = text_array(users.times);
        const std::string statuses = text_array(std::vector<std::string>(users.names.size(), "active"));
        run("begin");
        session_ << "insert into ledger select * from unnest(cast(:a as uuid[]), cast(:b as timestamptz[]), cast(:c as text[]))",
            soci::use(ids), soci::use(times), soci::use(outcomes);
        session_ << std::string("insert into users select * from unnest(cast(:a as text[]), cast(:b as uuid[]), cast(:c as bigint[]), "
                                "cast(:d as timestamptz[]), cast(:e as text[]))") +
                        kConflict,
            soci::use(names), soci::use(user_ids), soci::use(counts), soci::use(user_times), soci::use(statuses);
        run("commit");
    }

    std::vector<Statement> text_statements(const Batch &batch) {
        const Batch users = users_of(batch);
        return {{"ledger",
                 {text_array(batch.ids), text_array(batch.times), text_array(std::vector<std::string>(batch.ids.size(), "applied"))},
                 {0, 0, 0}},
                {"users",
                 {text_array(users.names), text_array(users.ids), text_array(users.counts), text_array(users.times),
                  text_array(std::vector<std::string>(users.names.size(), "active"))},
                 {0, 0, 0, 0, 0}}};
    }

    std::vector<Statement> binary_statements(const Batch &batch) {
        const Batch users = users_of(batch);
        const std::vector<long long> times(batch.ids.size(), 817'293'607'040'058);
        const std::vector<long long> user_times(users.names.size(), 817'293'607'040'058);
        return {
            {"ledger",
             {binary_uuids(batch.ids), binary_integers(1184, times), binary_texts(std::vector<std::string>(batch.ids.size(), "applied"))},
             {1, 1, 1}},
            {"users",
             {binary_texts(users.names), binary_uuids(users.ids), binary_integers(20, users.counts), binary_integers(1184, user_times),
              binary_texts(std::vector<std::string>(users.names.size(), "active"))},
             {1, 1, 1, 1, 1}}};
    }

    void one_by_one(const std::vector<Statement> &statements) {
        run("begin");
        for (const Statement &statement : statements) {
            send(statement);
            finish();
        }
        run("commit");
    }

    void pipelined(const std::vector<Statement> &statements) {
        PQenterPipelineMode(connection_);
        PQsendQueryParams(connection_, "begin", 0, nullptr, nullptr, nullptr, nullptr, 0);
        for (const Statement &statement : statements) {
            send(statement);
        }
        PQsendQueryParams(connection_, "commit", 0, nullptr, nullptr, nullptr, nullptr, 0);
        PQpipelineSync(connection_);
        for (std::size_t i = 0; i < statements.size() + 2; ++i) {
            finish();
        }
        PQclear(PQgetResult(connection_));
        PQexitPipelineMode(connection_);
    }

    void copied(const Batch &batch) {
        const Batch users = users_of(batch);
        std::string ledger;
        std::string rows;
        for (std::size_t i = 0; i < batch.ids.size(); ++i) {
            ledger += batch.ids[i] + "\t" + batch.times[i] + "\tapplied\n";
        }
        for (std::size_t i = 0; i < users.names.size(); ++i) {
            rows += users.names[i] + "\t" + users.ids[i] + "\t" + std::to_string(users.counts[i]) + "\t" + users.times[i] + "\tactive\n";
        }
        run("begin");
        run("truncate given_ids, given_users");
        copy("copy given_ids from stdin", ledger);
        copy("copy given_users from stdin", rows);
        run("insert into ledger select * from given_ids");
        run((std::string("insert into users select * from given_users order by name") + kConflict).c_str());
        run("commit");
    }

private:
    static constexpr const char *kConflict = " on conflict (name) do update set count = users.count + excluded.count, at = "
                                             "greatest(users.at, excluded.at), status = excluded.status";

    static Batch users_of(const Batch &batch) {
        Batch users = batch;
        users.ids.resize(batch.names.size());
        users.times.resize(batch.names.size());
        users.counts.resize(batch.names.size());
        return users;
    }

    void run(const char *sql) { check(PQexec(connection_, sql)); }
    void prepare(const char *name, const char *sql) { check(PQprepare(connection_, name, sql, 0, nullptr)); }

    void check(PGresult *result) {
        const ExecStatusType status = PQresultStatus(result);
        const std::string message = PQresultErrorMessage(result);
        PQclear(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_COPY_IN) {
            throw std::runtime_error(message);
        }
    }

    void send(const Statement &statement) {
        std::vector<const char *> values;
        std::vector<int> lengths;
        for (const std::string &parameter : statement.parameters) {
            values.push_back(parameter.data());
            lengths.push_back(static_cast<int>(parameter.size()));
        }
        PQsendQueryPrepared(connection_, statement.name, static_cast<int>(values.size()), values.data(), lengths.data(),
                            statement.formats.data(), 1);
    }

    void finish() {
        check(PQgetResult(connection_));
        PQclear(PQgetResult(connection_));
    }

    void copy(const char *sql, const std::string &rows) {
        run(sql);
        PQputCopyData(connection_, rows.data(), static_cast<int>(rows.size()));
        PQputCopyEnd(connection_, nullptr);
        finish();
    }

    soci::session session_;
    PGconn *connection_;
};

} // namespace

int main(int count, char **arguments) {
    if (count < 2) {
        std::fprintf(stderr, "usage: bench_postgresql_forms CONNINFO [ROUNDS [ROWS]]\n");
        return 2;
    }
    const int rounds = count > 2 ? std::atoi(arguments[2]) : 60;
    const int rows = count > 3 ? std::atoi(arguments[3]) : 1000;
    Forms forms(arguments[1]);
    const std::vector<std::pair<const char *, std::function<void(const Batch &)>>> all = {
        {"row by row, SOCI's vectors", [&](const Batch &batch) { forms.soci_rows(batch); }},
        {"arrays as one text, SOCI", [&](const Batch &batch) { forms.soci_arrays(batch); }},
        {"arrays as one text, prepared, libpq", [&](const Batch &batch) { forms.one_by_one(forms.text_statements(batch)); }},
        {"binary arrays, prepared, libpq", [&](const Batch &batch) { forms.one_by_one(forms.binary_statements(batch)); }},
        {"binary arrays, one pipeline a batch", [&](const Batch &batch) { forms.pipelined(forms.binary_statements(batch)); }},
        {"COPY to a temporary table", [&](const Batch &batch) { forms.copied(batch); }}};
    std::mt19937_64 random(1);
    std::vector<std::vector<double>> times(all.size());
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            const Batch batch = make_batch(random, rows);
            const auto began = std::chrono::steady_clock::now();
            all[i].second(batch);
            times[i].push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count());
        }
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::sort(times[i].begin(), times[i].end());
        std::printf("%-40s %7.2f ms a batch (fastest tenth %.2f)\n", all[i].first, times[i][times[i].size() / 2],
                    times[i][times[i].size() / 10]);
    }
}
