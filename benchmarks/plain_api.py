"""What a POST is measured against: FastAPI, one pydantic model, one INSERT by an asyncpg pool, and nothing else.

No token, no permission, no directory, no words kept apart, no repeated request recognised. The server is set up as
`shared/service/serve.py` sets up ours.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.log import INSERT, row
from shared.web.connection import Connection

POOL = 32
"""Connections: as many as there are callers, which is the best it can have."""


class NewThread(BaseModel):
    channel_id: UUID
    title: str
    body: str
    tags: list[str]


class Thread(NewThread):
    id: UUID
    opened_at: datetime


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(sys.argv[2], min_size=POOL, max_size=POOL) as pool:
        app.state.pool = pool
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/threads", status_code=201)
async def post_thread(body: NewThread) -> Thread:
    thread = Thread(**body.model_dump(), id=uuid4(), opened_at=datetime.now(UTC))
    await app.state.pool.execute(INSERT, *row(thread.id, thread.model_dump_json().encode()))
    return thread


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="asyncio",
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
    )
