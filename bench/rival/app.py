"""The honest rival: usage into PostgreSQL by FastAPI, pydantic and asyncpg, written fairly.

One statement, and so one transaction, for each request: the events whose key is new, and from them
the rollup. uvicorn with uvloop and httptools, a pool of connections, prepared statements (asyncpg
keeps them), a commit that waits for the disk, and keys looked up by their digest and remembered for
two seconds, as ours are. Batches are sorted by key, so that two that share keys cannot deadlock.

It does less than Tallystick: a key that comes again with other contents is a duplicate like any
other, a batch with one bad event is refused whole, and no ledger and no publishing follow.

    RIVAL_URL=postgresql://… python -m uvicorn bench.rival.app:app
"""

import hashlib
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg
from fastapi import FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, TypeAdapter, ValidationError

POOL = 16
REMEMBERED_SECONDS = 2.0

TAKE = """
WITH fresh AS (
    INSERT INTO event (tenant, key, code, quantity, occurred_at, properties)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::timestamptz[],
                         $6::jsonb[])
    ON CONFLICT (tenant, key) DO NOTHING
    RETURNING tenant, code, quantity, date_trunc('hour', occurred_at) AS hour
), rolled AS (
    INSERT INTO rollup (tenant, code, hour, events, total)
    SELECT tenant, code, hour, count(*), sum(quantity) FROM fresh
    GROUP BY tenant, code, hour ORDER BY tenant, code, hour
    ON CONFLICT (tenant, code, hour) DO UPDATE
    SET events = rollup.events + excluded.events, total = rollup.total + excluded.total
)
SELECT count(*) FROM fresh
"""


class CloudEvent(BaseModel):
    """One report."""

    specversion: str
    type: str
    source: str
    subject: str
    time: datetime
    id: str
    data: dict[str, Any]


ONE = TypeAdapter(CloudEvent)
MANY = TypeAdapter(list[CloudEvent])


@asynccontextmanager
async def lifespan(running: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["RIVAL_URL"], min_size=POOL, max_size=POOL) as pool:
        running.state.pool = pool
        running.state.keys = {}
        yield


app = FastAPI(lifespan=lifespan, openapi_url=None)


@app.post("/api/v1/events")
async def post_events(request: Request) -> Response:
    """Take one report or a batch; answered when it is on the disk."""
    await check_key(request)
    body = await request.body()
    is_batch = b"batch" in request.headers.get("content-type", "").encode()
    try:
        events = MANY.validate_json(body) if is_batch else [ONE.validate_json(body)]
        rows = sorted(map(row_of, events))
    except (ValidationError, ArithmeticError, KeyError) as error:
        raise HTTPException(422, str(error)) from error
    recorded = await request.app.state.pool.fetchval(TAKE, *zip(*rows, strict=True))
    counts = f"recorded={recorded}, duplicate={len(rows) - recorded}"
    return Response(status_code=204, headers={"counts": counts})


def row_of(event: CloudEvent) -> tuple[str, str, str, Decimal, datetime, str]:
    properties = {name: value for name, value in event.data.items() if name != "quantity"}
    quantity = Decimal(str(event.data["quantity"]))
    key = f"{len(event.source)}:{event.source}{event.id}"
    return event.subject, key, event.type, quantity, event.time, json.dumps(properties)


async def check_key(request: Request) -> None:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    digest = hashlib.sha256(text.encode()).digest()
    now = time.monotonic()
    known = request.app.state.keys
    if scheme != "Bearer":
        raise HTTPException(401)
    if now - known.get(digest, now - REMEMBERED_SECONDS) >= REMEMBERED_SECONDS:
        found = await request.app.state.pool.fetchval(
            "SELECT name FROM api_key WHERE digest = $1", digest
        )
        if found is None:
            raise HTTPException(401)
        known[digest] = now


@app.get("/readyz")
async def readyz(request: Request) -> Response:
    await request.app.state.pool.fetchval("SELECT 1")
    return Response(status_code=200)
