// SPDX-License-Identifier: Apache-2.0
#include "roles.hpp"

namespace weir::store::postgresql {

Surroundings look_around(Connection &connection, const Place &place) {
    Surroundings found;
    const std::string role = place.role();
    connection.guard([&] {
        connection
            .query("select current_user, current_database(), exists (select from pg_namespace where nspname = :a), "
                   "exists (select from pg_roles where rolname = :b), has_database_privilege(current_database(), 'create'), "
                   "(select rolsuper or rolcreaterole from pg_roles where rolname = current_user), "
                   "coalesce((select has_schema_privilege(oid, 'create') and has_schema_privilege(oid, 'usage') from pg_namespace "
                   "where nspname = :c), false), coalesce((select pg_has_role(oid, 'member') from pg_roles where rolname = :d), false)",
                   4, 8)
            .text(0, place.schema)
            .text(1, role)
            .text(2, place.schema)
            .text(3, role)
            .each([&](Query &row) {
                found.login = row.take_text(0);
                found.database = row.take_text(1);
                found.has_schema = row.take_boolean(2);
                found.has_role = row.take_boolean(3) || role.empty();
                found.may_make_schema = row.take_boolean(4);
                found.may_make_role = row.take_boolean(5);
                found.may_use_schema = row.take_boolean(6);
                found.is_member = row.take_boolean(7) || role.empty();
            });
    });
    return found;
}

std::string missing_rights(const Surroundings &found, const Place &place) {
    std::string sql;
    const std::string role = place.role();
    const std::string login = quote_name(found.login);
    bool lacks_role = false;
    if (!found.has_role && !found.may_make_role) {
        lacks_role = true;
        sql += "\n  CREATE ROLE " + role + " NOLOGIN;\n  GRANT " + role + " TO " + login + ";";
    } else if (found.has_role && !found.is_member && !found.may_make_role) {
        lacks_role = true;
        sql += "\n  GRANT " + role + " TO " + login + ";";
    }
    if (!found.has_schema && !found.may_make_schema) {
        sql += "\n  CREATE SCHEMA " + place.schema + " AUTHORIZATION " + login + ";";
    } else if (found.has_schema && !found.may_use_schema) {
        sql += "\n  GRANT USAGE, CREATE ON SCHEMA " + place.schema + " TO " + login + ";";
    }
    if (sql.empty()) {
        return {};
    }
    return place.name() + ": the login " + found.login +
           " of store.url may not make the domain's schema and role. Let an administrator run in the database " + found.database + ":" +
           sql + (lacks_role ? "\nor set store.roles to false, and every domain works with all rights of the login" : "");
}

std::vector<std::string> make_surroundings(Connection &connection, const Surroundings &found, const Place &place) {
    std::vector<std::string> steps;
    const std::string role = place.role();
    if (!found.has_role) {
        connection.execute("create role " + quote_name(role) + " nologin");
        steps.push_back("created role " + role);
    }
    if (!role.empty() && !found.is_member) { // a superuser is a member of all
        connection.execute("grant " + quote_name(role) + " to " + quote_name(found.login));
    }
    if (!found.has_schema) {
        connection.execute("create schema " + quote_name(place.schema));
        steps.push_back("created schema " + place.schema);
    }
    return steps;
}

void grant_tables(Connection &connection, const Place &place, const std::vector<std::string> &tables) {
    const std::string role = place.role();
    if (role.empty()) {
        return;
    }
    bool may_use = false;
    connection.guard([&] {
        connection.query("select has_schema_privilege(:a, :b, 'usage')", 2, 1).text(0, role).text(1, place.schema).each([&](Query &row) {
            may_use = row.take_boolean(0);
        });
    });
    if (!may_use) {
        connection.execute("grant usage on schema " + quote_name(place.schema) + " to " + quote_name(role));
    }
    for (const std::string &table : tables) {
        const std::string name = place.qualified(table);
        bool has_all = false;
        connection.guard([&] {
            connection
                .query("select has_table_privilege(:a, :b, 'select') and has_table_privilege(:c, :d, 'insert') and "
                       "has_table_privilege(:e, :f, 'update') and has_table_privilege(:g, :h, 'delete')",
                       8, 1)
                .text(0, role)
                .text(1, name)
                .text(2, role)
                .text(3, name)
                .text(4, role)
                .text(5, name)
                .text(6, role)
                .text(7, name)
                .each([&](Query &row) { has_all = row.take_boolean(0); });
        });
        if (!has_all) {
            connection.execute("grant select, insert, update, delete on " + name + " to " + quote_name(role));
        }
    }
    std::vector<std::string> sequences; // of tables whose rows are numbered as serial columns are; identities need no right
    connection.guard([&] {
        connection
            .query("select c.relname from pg_class c where case when c.relkind = 'S' and c.relnamespace = "
                   "(select oid from pg_namespace where nspname = :a) then not has_sequence_privilege(:b, c.oid, 'usage') else false end",
                   2, 1)
            .text(0, place.schema)
            .text(1, role)
            .each([&](Query &row) { sequences.push_back(row.take_text(0)); });
    });
    for (const std::string &sequence : sequences) {
        connection.execute("grant usage on sequence " + place.qualified(sequence) + " to " + quote_name(role));
    }
}

void remove_schema(Connection &connection, const Place &place) {
    const Surroundings found = look_around(connection, place);
    if (!found.has_schema) {
        return;
    }
    if (found.may_make_schema) {
        connection.execute("drop schema " + quote_name(place.schema) + " cascade");
        if (!place.role().empty() && found.may_make_role) {
            connection.execute("drop role if exists " + quote_name(place.role()));
        }
        return;
    }
    std::string tables;
    connection.guard([&] {
        connection
            .query(
                "select relname from pg_class where relkind in ('r', 'p') and relnamespace = (select oid from pg_namespace where nspname "
                "= :a)",
                1, 1)
            .text(0, place.schema)
            .each([&](Query &row) { tables += (tables.empty() ? "" : ", ") + place.qualified(row.take_text(0)); });
    });
    if (!tables.empty()) {
        connection.execute("drop table " + tables + " cascade");
    }
}

} // namespace weir::store::postgresql
