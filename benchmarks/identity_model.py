# SPDX-License-Identifier: Apache-2.0
"""What identity events come to, one after the other: written anew from the plugin's documentation, to hold every contender against."""
import csv
import io
import json


def events(path, limit=None):
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if limit is not None and number >= limit:
                return
            yield json.loads(line)


class Model:
    """Rows as tuples of text: projection[tenant, user] = (email, display_name, status, updated_at), prefs[tenant, user] = updated_at."""

    def __init__(self):
        self.ledger = set()
        self.projection = {}
        self.prefs = {}

    def apply(self, event):
        """@return False where the event was known already"""
        if event["event_id"] in self.ledger:
            return False
        self.ledger.add(event["event_id"])
        payload = event["payload"]
        key = (event["tenant_id"], payload["user_id"])
        at = event["occurred_at"]  # of one format, so that text compares as time does
        email, name, status, updated_at = self.projection.get(key, (None, None, "active", ""))
        late = updated_at > at
        kind = event["event_type"]
        if kind == "user.created.v1":
            if not late:
                self.projection[key] = (payload.get("email"), payload.get("display_name"), "active", at)
            self.prefs.setdefault(key, at)
        elif late:
            pass
        elif kind == "user.disabled.v1":
            self.projection[key] = (None, None, "disabled", at)
        elif status == "disabled" and payload.get("status") != "active":
            self.projection[key] = (email, name, status, at)
        else:
            self.projection[key] = (payload.get("email", email), payload.get("display_name", name), payload.get("status") or status, at)
        return True

    def rows(self):
        projection = {(*key, email or "", name or "", status, at) for key, (email, name, status, at) in self.projection.items()}
        return {"identity_projection": projection, "user_prefs": {(*key, at) for key, at in self.prefs.items()},
                "event_ledger": {(event_id,) for event_id in self.ledger}}


def model_of(path, limit=None):
    model = Model()
    for event in events(path, limit):
        model.apply(event)
    return model


TIME = """to_char(updated_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
COLUMNS = {"identity_projection": f"tenant_id, user_id, email, display_name, status, {TIME}", "user_prefs": f"tenant_id, user_id, {TIME}",
           "event_ledger": "event_id"}


def differences(model, postgres, database, schema):
    """What a database holds that the model doesn't, and the other way round; one line a table."""
    found = []
    for table, wanted in model.rows().items():
        text = postgres.sql(f"copy (select {COLUMNS[table]} from {schema}.{table}) to stdout (format csv)", database)
        rows = {tuple(row) for row in csv.reader(io.StringIO(text))}
        if rows != wanted:
            example = next(iter(rows ^ wanted))
            found.append(f"{table}: {len(rows - wanted)} rows too many or wrong, {len(wanted - rows)} missing or wrong, such as {example}")
    return found
