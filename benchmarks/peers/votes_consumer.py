#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The other half of the votes service in Python: reads the stream ten entries at a time, counts each vote in a transaction of its own, and acknowledges it.

    votes_consumer.py REDIS_URL STORE_URL

It runs beside votes_service.py, on tables that are there, until it is ended. A vote whose acknowledgement is lost is counted twice: it keeps no ledger.
"""
import sys

import psycopg2
import redis

READ_AT_ONCE = 10
GROUP = "python"


def main(redis_url, store_url):
    broker = redis.Redis.from_url(redis_url)
    store = psycopg2.connect(store_url)
    broker.xgroup_create("votes", GROUP, id="$", mkstream=True)
    while True:
        for _, entries in broker.xreadgroup(GROUP, "peer", {"votes": ">"}, count=READ_AT_ONCE, block=1000):
            for entry_id, fields in entries:
                with store, store.cursor() as cursor:
                    cursor.execute("select votes.increment_vote(%s)", (fields[b"vote"].decode(),))
                broker.xack("votes", GROUP, entry_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
