// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"
#include "storable.hpp"

#include <nlohmann/json.hpp>

namespace weir::store::postgresql {

namespace {

/// [["name", "value"], ...]: names may repeat, and their order counts.
std::string headers_json(const std::vector<event::Header> &headers) {
    nlohmann::json array = nlohmann::json::array();
    for (const auto &[name, value] : headers) {
        array.push_back({name, value});
    }
    return array.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<event::Header> headers_from(const std::string &text) {
    std::vector<event::Header> headers;
    const nlohmann::json array = nlohmann::json::parse(text, nullptr, false);
    if (!array.is_array()) {
        return headers; // written by another hand: the event itself still goes out
    }
    for (const nlohmann::json &pair : array) {
        if (pair.is_array() && pair.size() == 2 && pair[0].is_string() && pair[1].is_string()) {
            headers.emplace_back(pair[0].get<std::string>(), pair[1].get<std::string>());
        }
    }
    return headers;
}

} // namespace

void PostgresqlSession::add_outbox(std::span<const OutboxEntry> entries) {
    if (entries.empty()) {
        return;
    }
    within_transaction([&] {
        Array ids(Form::uuid);
        Array topics(Form::text);
        Array keys(Form::text);
        Array types(Form::text);
        Array envelopes(Form::json);
        Array headers(Form::json);
        Array times(Form::timestamptz);
        for (const OutboxEntry &entry : entries) {
            ids.uuid(entry.event_id);
            topics.text(entry.topic);
            keys.text(entry.key);
            types.text(entry.event_type);
            envelopes.text(entry.envelope);
            headers.text(headers_json(entry.headers));
            times.integer(entry.created_at);
        }
        // Numbers are given out before the commit: whoever writes the outbox commits before the next one takes its numbers.
        defer(Command{"select cast(pg_advisory_xact_lock(cast($1 as bigint)) as text)", {{0, std::to_string(place_.lock_key("outbox"))}}});
        constexpr Form kForms[] = {Form::uuid, Form::text, Form::text, Form::text, Form::json, Form::json, Form::timestamptz};
        defer(Command{"insert into " + qualified("outbox") +
                          " (event_id, topic, key, event_type, envelope, headers, created_at) select c0, c1, c2, c3, c4, c5, c6 from " +
                          given(kForms, true) + " order by n",
                      {ids.take(), topics.take(), keys.take(), types.take(), envelopes.take(), headers.take(), times.take()},
                      true,
                      Meaning::standard});
    });
}

std::vector<OutboxEntry> PostgresqlSession::outbox(std::size_t limit) {
    std::vector<OutboxEntry> entries;
    within_transaction([&] {
        Connection &connection = live();
        connection.guard([&] {
            connection
                .query("select id, event_id, topic, key, event_type, envelope, headers, created_at from " + qualified("outbox") +
                           " order by id limit cast(:a as bigint)",
                       1, 8)
                .integer(0, static_cast<std::int64_t>(limit))
                .each([&](Query &row) {
                    OutboxEntry &entry = entries.emplace_back();
                    entry.id = row.take_integer(0);
                    entry.event_id = event::Uuid::parse(row.take_text(1)).value_or(event::Uuid{});
                    entry.topic = row.take_text(2);
                    entry.key = row.take_text(3);
                    entry.event_type = row.take_text(4);
                    entry.envelope = row.take_text(5);
                    entry.headers = headers_from(row.take_text(6));
                    entry.created_at = row.take_time(7);
                });
        });
    });
    return entries;
}

void PostgresqlSession::remove_outbox(std::span<const std::int64_t> ids) {
    if (ids.empty()) {
        return;
    }
    within_transaction([&] {
        Array array(Form::int8);
        for (const std::int64_t id : ids) {
            array.integer(id);
        }
        defer(Command{"delete from " + qualified("outbox") + " where id = any($1)", {array.take()}});
    });
}

} // namespace weir::store::postgresql
