// SPDX-License-Identifier: Apache-2.0
#include "engine/request_keys.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace weir::engine {

namespace {

// At once, so that batches don't wait long for the file, and kept answers, which are read with their rows, don't fill the memory.
constexpr std::uint32_t kFirstPage = 64;
constexpr std::uint32_t kSmallestPage = 4;
constexpr std::uint32_t kLargestPage = 4000;
constexpr std::size_t kPageBytes = 4u << 20;

enum RequestColumn : std::uint32_t { kId, kFingerprint, kStatus, kHeaders, kContentType, kBody, kReceivedAt, kPublished };

store::Column column(const char *name, store::Type type, bool nullable = false) {
    store::Column made;
    made.name = name;
    made.type = type;
    made.nullable = nullable;
    return made;
}

std::string text_of_cell(const store::Value &value) {
    const auto *text = std::get_if<std::string>(&value);
    return text ? *text : std::string();
}

/// As CBOR, which takes any bytes as text.
std::string pack(std::span<const store::OutboxEntry> published) {
    nlohmann::json list = nlohmann::json::array();
    for (const store::OutboxEntry &event : published) {
        nlohmann::json headers = nlohmann::json::array();
        for (const event::Header &header : event.headers) {
            headers.push_back({header.first, header.second});
        }
        list.push_back({event.topic, event.key, event.envelope, std::move(headers)});
    }
    std::string packed;
    nlohmann::json::to_cbor(list, packed);
    return packed;
}

std::vector<store::OutboxEntry> unpack(const std::string &packed) {
    std::vector<store::OutboxEntry> published;
    if (packed.empty()) {
        return published;
    }
    for (const nlohmann::json &from : nlohmann::json::from_cbor(packed)) {
        store::OutboxEntry &event = published.emplace_back();
        from.at(0).get_to(event.topic);
        from.at(1).get_to(event.key);
        from.at(2).get_to(event.envelope);
        for (const nlohmann::json &header : from.at(3)) {
            event.headers.emplace_back(header.at(0).get<std::string>(), header.at(1).get<std::string>());
        }
    }
    return published;
}

KeptRequest read_row(const store::Row &row) {
    KeptRequest kept;
    kept.fingerprint = event::Uuid::parse(text_of_cell(row[kFingerprint])).value_or(event::Uuid{});
    const auto *status = std::get_if<std::int64_t>(&row[kStatus]);
    if (!status) { // noted before answers were kept of everything
        kept.answer = RouteAnswer::problem(409, "idempotency_key_undecided",
                                           "Idempotency-Key: what became of the request with this key is not known; use a new key");
        return kept;
    }
    kept.answer.status = static_cast<int>(*status);
    kept.answer.content_type = text_of_cell(row[kContentType]);
    kept.answer.body = text_of_cell(row[kBody]);
    const nlohmann::json headers = nlohmann::json::parse(text_of_cell(row[kHeaders]));
    for (const auto &[name, value] : headers.items()) {
        kept.answer.headers.emplace_back(name, value.get<std::string>());
    }
    kept.published = unpack(text_of_cell(row[kPublished]));
    return kept;
}

} // namespace

store::Table request_table() {
    using store::Type;
    store::Table table;
    table.name = "http_requests";
    table.columns = {column("request_id", Type::uuid),       column("fingerprint", Type::uuid),        column("status", Type::int64, true),
                     column("headers", Type::json, true),    column("content_type", Type::text, true), column("body", Type::bytes, true),
                     column("received_at", Type::timestamp), column("published", Type::bytes, true)};
    table.primary_key = {kId};
    table.indexes = {{"http_requests_received_at", {kReceivedAt}, false}};
    return table;
}

bool keeps_requests(const plugin::Description &description) {
    return std::any_of(description.routes.begin(), description.routes.end(),
                       [](const plugin::Route &route) { return route.method == WEIR_HTTP_POST; });
}

store::Schema schema_with_requests(const plugin::Description &description) {
    store::Schema schema = description.schema;
    if (keeps_requests(description)) {
        schema.tables.push_back(request_table());
    }
    return schema;
}

bool is_idempotency_key(std::string_view key) {
    constexpr std::size_t kMost = 255;
    return !key.empty() && key.size() <= kMost && std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

event::Uuid request_id(const DomainSpec &spec, const plugin::Route &route, std::string_view key) {
    const event::Uuid scope = event::Uuid::v5(event::weir_namespace(), "route/" + spec.name + "/" + plugin::route_name(route));
    return event::Uuid::v5(scope, key);
}

event::Uuid request_fingerprint(const RouteRequest &request) {
    std::string text(request.path);
    text.append(1, '\0').append(request.query_text).append(1, '\0').append(request.body);
    return event::Uuid::v5(event::weir_namespace(), text);
}

RouteAnswer key_reused() {
    return RouteAnswer::problem(422, "idempotency_key_reused", "Idempotency-Key: this key came with another request before; use a new key");
}

std::vector<std::optional<KeptRequest>> fetch_requests(store::Session &session, std::uint32_t table, std::span<const event::Uuid> ids) {
    std::vector<store::Key> keys;
    keys.reserve(ids.size());
    for (const event::Uuid &id : ids) {
        keys.push_back({id.text()});
    }
    std::vector<std::optional<KeptRequest>> kept;
    for (const std::optional<store::Row> &row : session.fetch(table, keys)) {
        kept.push_back(row ? std::optional(read_row(*row)) : std::nullopt);
    }
    return kept;
}

store::Row request_row(const event::Uuid &id, const event::Uuid &fingerprint, const RouteAnswer &answer,
                       std::span<const store::OutboxEntry> published, event::Micros now) {
    nlohmann::json headers = nlohmann::json::object();
    for (const auto &[name, value] : answer.headers) {
        headers[name] = value;
    }
    store::Row row(kPublished + 1);
    row[kId] = id.text();
    row[kFingerprint] = fingerprint.text();
    row[kStatus] = std::int64_t{answer.status};
    row[kHeaders] = headers.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    row[kContentType] = answer.content_type;
    row[kBody] = answer.body;
    row[kReceivedAt] = now;
    if (!published.empty()) {
        row[kPublished] = pack(published);
    }
    return row;
}

namespace {

/// @param rows that were there a moment ago; another host may have been there since. @return how many it was
std::size_t erase_requests(store::Session &session, std::uint32_t table, const std::vector<store::Row> &rows) {
    std::vector<store::Key> keys;
    for (const store::Row &row : rows) {
        keys.push_back({row[kId]});
    }
    std::sort(keys.begin(), keys.end());
    session.begin({});
    const auto found = session.fetch(table, keys);
    store::TableFlush flush;
    flush.table = table;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (found[i]) {
            flush.erased.push_back(std::move(keys[i]));
        }
    }
    session.flush(std::span(&flush, 1));
    session.commit();
    return flush.erased.size();
}

/// What a page may hold where the last one held this.
std::uint32_t next_page(const std::vector<store::Row> &rows) {
    std::size_t bytes = 0;
    for (const store::Row &row : rows) {
        bytes += 100 + text_of_cell(row[kHeaders]).size() + text_of_cell(row[kBody]).size() + text_of_cell(row[kPublished]).size();
    }
    const auto fits = static_cast<std::uint32_t>(std::min<std::size_t>(kPageBytes * rows.size() / bytes, kLargestPage));
    return std::clamp(fits, kSmallestPage, static_cast<std::uint32_t>(8 * rows.size()));
}

} // namespace

std::uint64_t forget_requests(store::Session &session, std::uint32_t table, event::Micros until, const std::function<bool()> &goes_on) {
    store::Session::Scan old;
    old.table = table;
    old.index = 0;
    old.to = {until};
    old.limit = kFirstPage;
    std::uint64_t forgotten = 0;
    for (;;) {
        const std::vector<store::Row> rows = session.scan(old);
        if (rows.empty()) {
            return forgotten;
        }
        forgotten += erase_requests(session, table, rows);
        if (rows.size() < old.limit || !goes_on()) {
            return forgotten;
        }
        old.limit = next_page(rows);
    }
}

} // namespace weir::engine
