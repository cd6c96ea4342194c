"""A POST until its event is durable: the content service's API beside FastAPI with one INSERT, 32 connections each.

Both run as one uvicorn process; the content service as `guildhall run content --only api`, with tokens, permissions,
vault and all. The load comes from a third process, so on two cores all of them have less than a core each.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2 as httpx
import msgspec

from benchmarks.http_load import Order, asked
from benchmarks.measuring import Load, Result, against, at_least, at_most, choose
from benchmarks.processes import free_port, listening, service
from deploy.local.home import Home
from deploy.local.issuer import Issuer
from services.content.app import SERVICE
from shared.db import create_engine
from shared.events.event import Event, Recorded
from shared.events.identity import derived_id, member_id
from shared.projections.merge import Merged, merge
from shared.projections.store import Batch
from shared.projections.store_postgres import PostgresReadModelStore
from shared.replicas.directory import CommunityFounded, MemberJoined, RoleGranted
from shared.settings import Settings
from shared.tables import service_metadata
from tests.databases import fresh_database
from tests.stack import Stack

CONNECTIONS = 32
WITHIN = 15.0
"""Milliseconds in which 99 of 100 requests are to be answered."""

SLUG, SUBJECT = "garden", "alice"
COMMUNITY = derived_id("community", SLUG)
WORDS = {
    "title": "When to prune roses?",
    "body": "Mine were planted last autumn, on the north side of the house. " * 4,
    "tags": ["roses"],
}


async def measure(stack: Stack) -> list[Result]:
    async with running(stack) as (port, request), _plain(stack) as (plain_port, plain_request):
        ours, plain = await against(
            lambda: drive(port, request), lambda: drive(plain_port, plain_request), choose(3, 7)
        )
    return [
        at_least("POST to durable event, 32 connections", ours.rate, plain.rate, 2.0),
        at_most("POST to durable event, p99", ours.p99, WITHIN),
    ]


async def drive(port: int, request: bytes) -> Load:
    """Let the generator send that request; every answer must be a 201."""
    return await asked(Order(port, CONNECTIONS, choose(2, 10), request), "201")


def request_of(path: str, body: dict[str, Any], token: str = "") -> bytes:
    """The bytes of a POST."""
    content = msgspec.json.encode(body)
    head = [
        f"POST {path} HTTP/1.1",
        "host: guildhall",
        "content-type: application/json",
        f"content-length: {len(content)}",
        *([f"authorization: Bearer {token}"] if token else []),
    ]
    return "\r\n".join([*head, "", ""]).encode() + content


@asynccontextmanager
async def running(stack: Stack) -> AsyncIterator[tuple[int, bytes]]:
    """The content service's API with a community, its owner and a channel; where to send, and what."""
    with tempfile.TemporaryDirectory() as folder:
        issuer = Issuer(Home(Path(folder)))
        async with fresh_database(stack, SERVICE.metadata) as settings:
            settings = settings.model_copy(update={"jwks": str(issuer.write_jwks())})
            await _found(settings)
            token, path = issuer.mint(SUBJECT), f"/v1/communities/{SLUG}"
            async with service("content", "api", settings) as port:
                channel = await _open_channel(port, path, token)
                yield port, request_of(f"{path}/threads", {"channel_id": channel, **WORDS}, token)


async def _found(settings: Settings) -> None:
    """Put the community and its owner into the directory, as its view would."""
    owner = member_id(settings.member_secret.get_secret_value().encode(), COMMUNITY, settings.issuer, SUBJECT)
    changes: Merged = {}
    happened: list[Event] = [
        CommunityFounded(SLUG, "Europe/Paris", "public", "open"),
        MemberJoined(owner),
        RoleGranted(owner, "owner"),
    ]
    for event in happened:
        merge(SERVICE.directory.fold(event, _recorded(event)), changes)
    engine = create_engine(settings, "benchmark")
    store = PostgresReadModelStore(engine)
    await store.write(Batch(changes={"": changes}))
    await store.close()
    await engine.dispose()


def _recorded(event: Event) -> Recorded:
    now = datetime.now(UTC)
    return Recorded("member", 0, 1, COMMUNITY, 1, "", uuid4(), COMMUNITY, None, now, now, None, b"{}")


async def _open_channel(port: int, path: str, token: str) -> UUID:
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        answer = await client.post(f"{path}/channels", json={"name": "Gardening"})
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


@asynccontextmanager
async def _plain(stack: Stack) -> AsyncIterator[tuple[int, bytes]]:
    port = free_port()
    async with (
        fresh_database(stack, service_metadata(facts=True)) as settings,
        listening(port, "benchmarks.plain_api", str(port), settings.database_url),
    ):
        yield port, request_of("/threads", {"channel_id": uuid4(), **WORDS})
