// SPDX-License-Identifier: Apache-2.0
// [routes]
#include <weir/http.hpp>

struct Entries : weir::Table<Entries> {
    Uuid id{this, "id"};
    Text name{this, "name"};
    Timestamp signed_at{this, "signed_at"};

    constexpr Entries() : Table("entries") {}
    constexpr auto primary_key() const { return weir::key(id); }
    constexpr auto indexes() const { return weir::list(weir::index("entries_by_time", signed_at)); }
};
inline constexpr Entries entries;

WEIR_ROUTE(sign) {
    const auto name = request.body().text("/name");
    if (name.empty()) {
        return reply.problem(422, "no_name", "/name: must not be empty");
    }
    const std::string payload = weir::JsonObject().add("name", name).text();
    reply.publish({.type = "guestbook.signed.v1", .payload = payload}).status(202);
}

WEIR_ROUTE(list) {
    weir::JsonArray names;
    call.scan(entries).along("entries_by_time").limit(100).each([&](const weir::Row<Entries> &row) { names.add(row[entries.name]); });
    reply.json(names.text());
}

WEIR_PLUGIN(guestbook, "guestbook", "1.0.0") {
    using namespace std::chrono_literals;
    plugin.tables(entries).domain({.name = "guestbook", .schema = "guestbook", .group = "guestbook", .topics = {"guestbook.v1"}});
    weir::Routes(plugin)
        .post("/guestbook", sign, {.summary = "Signs the guest book"})
        .get("/guestbook", list, {.summary = "Who has signed", .max_age = 1s});
}

WEIR_HANDLER(guestbook, guestbook_signed) {
    call.insert(entries, event.id()).set(entries.name, event.text("/name")).set(entries.signed_at, call.now());
}
// [/routes]
