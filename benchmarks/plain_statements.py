# SPDX-License-Identifier: Apache-2.0
"""The set-based statements that somebody would write by hand for these events, as messages of PostgreSQL's protocol for bench_replay_statements.

They make the same promise as Weir's (fencing, what is decided already, rows locked, ledger, positions), know beforehand what to write, and share
nothing with Weir: where Weir sends needless statements, a replay of its own would be slow as well, and the ratio to it flattering.
"""
import struct

import identity_model

TABLES = """
create schema plain;
create table plain.event_ledger (event_id uuid primary key, received_at timestamptz not null, outcome text not null);
create table plain.identity_projection (tenant_id uuid, user_id uuid, email text, display_name text, status text not null,
    updated_at timestamptz not null, primary key (tenant_id, user_id));
create table plain.user_prefs (tenant_id uuid, user_id uuid, rules jsonb not null default '{}', version bigint not null default 1,
    updated_at timestamptz not null, primary key (tenant_id, user_id));
create table plain.lease (topic text, partition bigint, epoch bigint not null, primary key (topic, partition));
create table plain.positions (topic text, partition bigint, position text not null, primary key (topic, partition));
create table plain.event_ledger_counts (outcome text primary key, events bigint not null);
insert into plain.lease values ('identity.user.v1', 0, 1);
insert into plain.positions values ('identity.user.v1', 0, '');
insert into plain.event_ledger_counts values ('applied', 0);
"""

STATEMENTS = {
    "lease": "select epoch from plain.lease where topic = $1 for share",
    "decided": "select event_id from plain.event_ledger where event_id = any ($1::uuid[])",
    "rows": "select p.* from plain.identity_projection p join unnest($1::uuid[], $2::uuid[]) k (tenant_id, user_id) using (tenant_id, user_id)"
            " order by tenant_id, user_id for update of p",
    "projection": "insert into plain.identity_projection select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[],"
                  " $6::timestamptz[]) on conflict (tenant_id, user_id) do update set email = excluded.email,"
                  " display_name = excluded.display_name, status = excluded.status, updated_at = excluded.updated_at",
    "prefs": "insert into plain.user_prefs (tenant_id, user_id, updated_at) select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[])"
             " on conflict do nothing",
    "ledger": "insert into plain.event_ledger select id, now(), 'applied' from unnest($1::uuid[]) id",
    "counts": "update plain.event_ledger_counts set events = events + $1::bigint where outcome = 'applied'",
    "position": "update plain.positions set position = $1 where topic = 'identity.user.v1'",
}


def message(kind, body):
    return kind + struct.pack("!i", len(body) + 4) + body


def text(value):
    return value.encode() + b"\0"


def query(sql):
    return message(b"Q", text(sql))


def execute(name, *values):
    body = text("") + text(name) + struct.pack("!hh", 0, len(values))
    for value in values:
        raw = value.encode()
        body += struct.pack("!i", len(raw)) + raw
    body += struct.pack("!h", 0)
    return message(b"B", body) + message(b"E", text("") + struct.pack("!i", 0)) + message(b"S", b"")


def array(values):
    def item(value):
        return "NULL" if value is None else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "{" + ",".join(item(value) for value in values) + "}"


def write(path, out, batch_size):
    """Writes the messages for a file of events; each batch leaves the rows that its events come to."""
    model = identity_model.Model()
    batch = []
    with open(out, "wb") as file:
        for name, sql in STATEMENTS.items():
            file.write(message(b"P", text(name) + text(sql) + struct.pack("!h", 0)) + message(b"S", b""))
        for event in identity_model.events(path):
            batch.append(event)
            if len(batch) == batch_size:
                file.write(transaction(model, batch))
                batch = []
        if batch:
            file.write(transaction(model, batch))
    return model


def transaction(model, batch):
    new_users = {}
    applied = set()
    touched = set()
    for event in batch:
        key = (event["tenant_id"], event["payload"]["user_id"])
        known = key in model.prefs
        if model.apply(event):
            applied.add(event["event_id"])
            touched.add(key)
        if not known and key in model.prefs:
            new_users[key] = model.prefs[key]
    keys = sorted(touched)
    ids = sorted(applied)
    messages = [query("begin"), execute("lease", "identity.user.v1"),
                execute("decided", array(sorted({event["event_id"] for event in batch}))),
                execute("rows", array(key[0] for key in keys), array(key[1] for key in keys)),
                execute("projection", array(key[0] for key in keys), array(key[1] for key in keys),
                        *(array(model.projection[key][column] for key in keys) for column in range(4)))]
    if new_users:
        created = sorted(new_users)
        messages.append(execute("prefs", array(key[0] for key in created), array(key[1] for key in created),
                                array(new_users[key] for key in created)))
    messages += [execute("ledger", array(ids)), execute("counts", str(len(ids))), execute("position", ids[-1] if ids else ""), query("commit")]
    return b"".join(messages)
