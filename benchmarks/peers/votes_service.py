# SPDX-License-Identifier: Apache-2.0
"""The votes service as it is written in Python with FastAPI: the peer that Weir's is measured against. uvicorn serves `app`, with uvloop and httptools.

It takes a vote, checks it, adds it to a Redis stream and answers 202; and tells the counts that are in PostgreSQL, kept for a second as Weir's are. Counting
is another process's business: votes_consumer.py. REDIS_URL and DATABASE_URL say where the servers are.
"""
import os
import time
import typing

import asyncpg
import fastapi
import pydantic
import redis.asyncio
from fastapi.responses import JSONResponse

OPTIONS = ("cats", "dogs")
RESULTS_SECONDS = 1

app = fastapi.FastAPI()
# A few connections that are waited for: a little less work a command than one for each request that is under way.
stream = redis.asyncio.Redis(connection_pool=redis.asyncio.BlockingConnectionPool.from_url(os.environ["REDIS_URL"], max_connections=8))
kept = {"until": 0.0, "results": None}


class Vote(pydantic.BaseModel):
    vote: typing.Literal[OPTIONS]


@app.on_event("startup")
async def connect():
    app.state.database = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=4)


@app.post("/api/vote", status_code=202)
async def cast_vote(vote: Vote):
    try:
        entry = await stream.xadd("votes", {"vote": vote.vote})
    except redis.exceptions.RedisError:
        return JSONResponse({"detail": "the stream can't be reached"}, status_code=503)
    return JSONResponse({"status": "accepted", "vote": vote.vote, "id": entry.decode()}, status_code=202)


@app.get("/api/results")
async def show_results():
    if time.monotonic() >= kept["until"]:
        rows = dict(await app.state.database.fetch("select option, count from votes.vote_counts"))
        counts = {option: rows.get(option, 0) for option in OPTIONS}
        total = sum(counts.values())
        percentages = {option: round(100 * count / total, 2) if total else 0.0 for option, count in counts.items()}
        kept["results"] = {"options": OPTIONS, "counts": counts, "total": total, "percentages": percentages}
        kept["until"] = time.monotonic() + RESULTS_SECONDS
    return JSONResponse(kept["results"])
