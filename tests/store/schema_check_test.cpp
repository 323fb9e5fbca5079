// SPDX-License-Identifier: Apache-2.0
#include "store/schema.hpp"

#include <catch2/catch.hpp>

#include <functional>

using namespace weir::store;

namespace {

Column plain(const std::string &name, Type type, bool nullable = false) {
    Column column;
    column.name = name;
    column.type = type;
    column.nullable = nullable;
    return column;
}

Schema good() {
    Schema schema;
    Table users;
    users.name = "users";
    users.columns = {plain("id", Type::uuid), plain("email", Type::citext), plain("age", Type::int64, true), plain("seen", Type::timestamp),
                     plain("about", Type::json, true)};
    users.primary_key = {0};
    users.indexes = {{"users_by_email", {1}, true}, {"users_by_age", {2, 3}, false}};
    Table notes;
    notes.name = "notes";
    notes.columns = {plain("owner", Type::uuid), plain("n", Type::int64), plain("owner_email", Type::citext, true),
                     plain("next", Type::int64, true)};
    notes.primary_key = {0, 1};
    notes.references = {{{0}, 0, {0}}, {{2}, 0, {1}}, {{0, 3}, 1, {0, 1}}};
    schema.tables = {users, notes};
    return schema;
}

/// The reason that a schema is refused after one thing in it was spoilt.
std::string refusal(const std::function<void(Schema &)> &spoil) {
    Schema schema = good();
    spoil(schema);
    return check_schema(schema).value_or("(taken)");
}

} // namespace

TEST_CASE("a schema that either store can hold is taken") {
    CHECK_FALSE(check_schema(good()));
    CHECK_FALSE(check_schema(Schema{}));
    CHECK(refusal([](Schema &s) { s.tables[0].name = std::string(63, 'a'); }) == "(taken)");
    CHECK(refusal([](Schema &s) { s.tables[0].columns[2].name = "_2"; }) == "(taken)");
}

TEST_CASE("names that a store could not hold, or would confuse, are refused") {
    using Catch::Contains;
    for (const std::string &name : {std::string(), std::string("Users"), std::string("1a"), std::string("a-b"), std::string("a b"),
                                    std::string("a\"b"), std::string(64, 'a')}) {
        CHECK_THAT(refusal([&](Schema &s) { s.tables[0].name = name; }), Contains("[a-z_][a-z0-9_]{0,62}"));
        CHECK_THAT(refusal([&](Schema &s) { s.tables[0].columns[1].name = name; }), Contains("table users: column"));
        CHECK_THAT(refusal([&](Schema &s) { s.tables[0].indexes[0].name = name; }), Contains("table users: index"));
    }
    for (const char *name : {"event_ledger", "dead_letter_queue", "outbox", "positions", "lease", "event_attempts", "schema_migrations"}) {
        CHECK_THAT(refusal([&](Schema &s) { s.tables[0].name = name; }), Contains("the host's own tables"));
    }
    for (const char *name : {"sqlite_users", "pg_users", "weir_users", "dead_letter_queue_status"}) {
        CHECK_THAT(refusal([&](Schema &s) { s.tables[0].name = name; }), Contains("reserved"));
    }
    CHECK_THAT(refusal([](Schema &s) { s.tables[0].columns[1].name = "ctid"; }), Contains("reserved by PostgreSQL"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[1].name = "users"; }), Contains("there are two"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[0].columns[1].name = "id"; }), Contains("there are two"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[0].indexes[1].name = "users_by_email"; }), Contains("there are two"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[0].indexes[1].name = "notes"; }), Contains("there are two"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[0].indexes[1].name = "notes_pkey"; }), Contains("there are two"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[0].indexes[1].name = "outbox_pkey"; }), Contains("there are two"));
}

TEST_CASE("columns whose type, precision or default is wrong are refused") {
    using Catch::Contains;
    const auto column = [](std::size_t index, const std::function<void(Column &)> &spoil) {
        return refusal([&](Schema &s) { spoil(s.tables[0].columns[index]); });
    };
    CHECK_THAT(column(2, [](Column &c) { c.type = static_cast<Type>(0); }), Contains("type 0 is unknown"));
    CHECK_THAT(column(2, [](Column &c) { c.type = static_cast<Type>(11); }), Contains("type 11 is unknown"));
    CHECK_THAT(column(2, [](Column &c) { c.precision = 3; }), Contains("for decimal columns only"));
    for (const auto &[precision, scale] : {std::pair{0U, 0U}, {19U, 0U}, {2U, 3U}}) {
        CHECK_THAT(column(2,
                          [p = precision, s = scale](Column &c) {
                              c.type = Type::decimal;
                              c.precision = p;
                              c.scale = s;
                          }),
                   Contains("precision of 1 to 18"));
    }
    CHECK_THAT(column(2, [](Column &c) { c.default_kind = Default::now; }), Contains("only timestamp columns"));
    CHECK_THAT(column(2, [](Column &c) { c.default_kind = Default::new_id; }), Contains("only uuid columns"));
    CHECK_THAT(column(2, [](Column &c) { c.default_kind = Default::literal; }), Contains("without a value"));
    CHECK_THAT(column(2, [](Column &c) { c.default_kind = static_cast<Default>(9); }), Contains("unknown kind"));
    CHECK_THAT(column(2,
                      [](Column &c) {
                          c.default_kind = Default::literal;
                          c.default_value = std::string("7");
                      }),
               Contains("no value of type int64"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[0].columns.clear(); }), Contains("1 to 64"));
    CHECK_THAT(refusal([](Schema &s) {
                   for (int i = 0; i < 60; ++i) {
                       s.tables[0].columns.push_back(plain("x" + std::to_string(i), Type::text, true));
                   }
               }),
               Contains("1 to 64"));
}

TEST_CASE("keys, indexes and references that cannot be are refused, naming them") {
    using Catch::Contains;
    CHECK_THAT(refusal([](Schema &s) { s.tables[0].primary_key = {}; }), Contains("table users: primary key: it names no column"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[0].primary_key = {9}; }), Contains("does not exist"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[1].primary_key = {0, 0}; }), Contains("named twice"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[0].primary_key = {2}; }), Contains("nullable"));
    CHECK_THAT(refusal([](Schema &s) {
                   s.tables[0].columns[4].nullable = false;
                   s.tables[0].primary_key = {4};
               }),
               Contains("can't be a key"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[0].columns[0].type = Type::float64; }), Contains("can't be a key"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[0].indexes[1].columns = {4}; }), Contains("has no order"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[0].indexes[1].columns = {7}; }), Contains("index users_by_age: column 7 does not exist"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[1].references[0].target_table = 2; }),
               Contains("table notes: reference 0: its target table 2"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[1].references[0].target_columns = {2}; }),
               Contains("neither the primary key nor a unique index"));
    CHECK_THAT(refusal([](Schema &s) {
                   s.tables[1].references[2].target_columns = {1, 0};
               }),
               Contains("neither the primary key nor a unique index"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[0].indexes[0].unique = false; }), Contains("reference 1"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[1].references[1].columns = {3}; }), Contains("not of the type of users.email"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[1].references[2].columns = {0}; }), Contains("another number of columns"));
    CHECK_THAT(refusal([](Schema &s) { s.tables[1].references[0].columns = {4}; }), Contains("column 4 does not exist"));
}
