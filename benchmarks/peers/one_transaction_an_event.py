#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A consumer as a Python service has it: one transaction an event, with redis-py and SQLAlchemy's ORM. The peer that Weir is measured against.

    one_transaction_an_event.py REDIS_URL STORE_URL TOPIC GROUP COUNT

It reads from a group, validates, writes the ledger, the projection and the user's default preferences, commits, and acknowledges; what it read and did
not acknowledge comes again, and the ledger decides. Ends after COUNT messages and prints {"seconds": S, "messages": N}.
"""
import datetime
import json
import sys
import time
import uuid

import redis
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID, insert
from sqlalchemy.orm import Session, declarative_base

READ_AT_ONCE = 100
SCHEMA = "linting"
Base = declarative_base(metadata=sa.MetaData(schema=SCHEMA))


class Ledger(Base):
    __tablename__ = "event_ledger"
    event_id = sa.Column(UUID(as_uuid=True), primary_key=True)
    received_at = sa.Column(sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


class Projection(Base):
    __tablename__ = "identity_projection"
    tenant_id = sa.Column(UUID(as_uuid=True), primary_key=True)
    user_id = sa.Column(UUID(as_uuid=True), primary_key=True)
    email = sa.Column(sa.Text)
    display_name = sa.Column(sa.Text)
    status = sa.Column(sa.Text, nullable=False)
    updated_at = sa.Column(sa.DateTime(timezone=True), nullable=False)


class Prefs(Base):
    __tablename__ = "user_prefs"
    tenant_id = sa.Column(UUID(as_uuid=True), primary_key=True)
    user_id = sa.Column(UUID(as_uuid=True), primary_key=True)
    rules = sa.Column(JSONB, nullable=False, server_default="{}")
    version = sa.Column(sa.BigInteger, nullable=False, server_default="1")
    updated_at = sa.Column(sa.DateTime(timezone=True), nullable=False)


class Event:
    """The envelope, checked."""

    def __init__(self, body):
        envelope = json.loads(body)
        self.id = uuid.UUID(envelope["event_id"])
        self.type = envelope["event_type"]
        self.tenant_id = uuid.UUID(envelope["tenant_id"])
        self.occurred_at = datetime.datetime.fromisoformat(envelope["occurred_at"])
        self.payload = envelope["payload"]
        self.user_id = uuid.UUID(self.payload["user_id"])
        for name in ("email", "display_name", "status"):
            if not isinstance(self.payload.get(name, ""), str):
                raise ValueError(f"{name} is no text")

    @property
    def key(self):
        return {"tenant_id": self.tenant_id, "user_id": self.user_id}


def upsert(session, event, **columns):
    statement = insert(Projection).values(**event.key, updated_at=event.occurred_at, **columns)
    session.execute(statement.on_conflict_do_update(
        index_elements=["tenant_id", "user_id"], set_={"updated_at": statement.excluded.updated_at, **columns},
        where=Projection.updated_at <= statement.excluded.updated_at))


def created(session, event):
    upsert(session, event, email=event.payload.get("email"), display_name=event.payload.get("display_name"), status="active")
    session.execute(insert(Prefs).values(**event.key, updated_at=event.occurred_at).on_conflict_do_nothing())


def updated(session, event):
    row = session.get(Projection, (event.tenant_id, event.user_id), with_for_update=True)
    carried = {name: event.payload[name] for name in ("email", "display_name", "status") if name in event.payload}
    if row is None:
        session.add(Projection(**event.key, updated_at=event.occurred_at, **{"status": "active", **carried}))
    elif row.updated_at <= event.occurred_at:
        row.updated_at = event.occurred_at
        if row.status != "disabled" or carried.get("status") == "active":
            for name, value in carried.items():
                setattr(row, name, value)


def disabled(session, event):
    upsert(session, event, email=None, display_name=None, status="disabled")


HANDLERS = {"user.created.v1": created, "user.updated.v1": updated, "user.disabled.v1": disabled}


def apply(engine, body):
    event = Event(body)
    with Session(engine) as session, session.begin():
        claimed = session.execute(insert(Ledger).values(event_id=event.id).on_conflict_do_nothing())
        if claimed.rowcount == 1:
            HANDLERS[event.type](session, event)


def main(redis_url, store_url, topic, group, count):
    broker = redis.Redis.from_url(redis_url)
    engine = sa.create_engine(store_url)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(SCHEMA))
        Base.metadata.create_all(connection)
    broker.xgroup_create(topic, group, id="0", mkstream=True)
    done = 0
    began = time.perf_counter()
    while done < count:
        for _, entries in broker.xreadgroup(group, "peer", {topic: ">"}, count=min(READ_AT_ONCE, count - done), block=1000):
            for entry_id, fields in entries:
                apply(engine, fields[b"event"])
                broker.xack(topic, group, entry_id)
                done += 1
    print(json.dumps({"seconds": time.perf_counter() - began, "messages": done}))


if __name__ == "__main__":
    main(*sys.argv[1:5], int(sys.argv[5]))
