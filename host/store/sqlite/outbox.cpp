// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

#include <nlohmann/json.hpp>

namespace weir::store::sqlite {

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

void SqliteSession::add_outbox(std::span<const OutboxEntry> entries) {
    if (entries.empty()) {
        return;
    }
    connection_.within_transaction([&] {
        connection_.guard([&] {
            Bulk &bulk =
                connection_.bulk("insert into " + connection_.qualified("outbox") +
                                     " (event_id, topic, key, event_type, envelope, headers, created_at) values (?, ?, ?, ?, ?, ?, ?)",
                                 {Storage::text, Storage::text, Storage::text, Storage::text, Storage::text, Storage::text, Storage::time});
            for (const OutboxEntry &entry : entries) {
                bulk.text(0, entry.event_id.text());
                bulk.text(1, entry.topic);
                bulk.text(2, entry.key);
                bulk.text(3, entry.event_type);
                bulk.text(4, entry.envelope);
                bulk.text(5, headers_json(entry.headers));
                bulk.time(6, entry.created_at);
            }
            bulk.run();
        });
    });
}

std::vector<OutboxEntry> SqliteSession::outbox(std::size_t limit) {
    std::vector<OutboxEntry> entries;
    connection_.guard([&] {
        connection_
            .query(
                "select id, event_id, topic, key, event_type, envelope, headers, created_at from " + connection_.qualified("outbox") +
                    " order by id limit ?",
                {Storage::integer},
                {Storage::integer, Storage::text, Storage::text, Storage::text, Storage::text, Storage::text, Storage::text, Storage::time})
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
    return entries;
}

void SqliteSession::remove_outbox(std::span<const std::int64_t> ids) {
    if (ids.empty()) {
        return;
    }
    connection_.within_transaction([&] {
        connection_.guard([&] {
            Bulk &bulk = connection_.bulk("delete from " + connection_.qualified("outbox") + " where id = ?", {Storage::integer});
            for (const std::int64_t id : ids) {
                bulk.integer(0, id);
            }
            bulk.run();
        });
    });
}

} // namespace weir::store::sqlite
