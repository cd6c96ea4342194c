"""Reading the metrics of a community of 100,000 members and 10 million facts over HTTP, one request at a time.

`guildhall run projection --only api` is one process, the load another. The first question about influence finds
nothing in memory: that is the refresh from cold. Then each endpoint is asked for a few seconds; days of `as_of` are
other ones each time, so that none is found kept. At the end the same is asked while facts arrive.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx2 as httpx

from benchmarks.arriving import arriving, forget
from benchmarks.http_load import Order, asked
from benchmarks.made_databases import made, server
from benchmarks.measuring import Load, Result, at_most, choose, figure
from benchmarks.memory import used
from benchmarks.processes import served
from benchmarks.synthetic import FULL, Size, last_day
from benchmarks.topics import new_topics
from deploy.local.home import Home
from deploy.local.issuer import Issuer
from services.projection.app import SERVICE
from shared.settings import Settings
from tests.stack import Stack

PATIENCE = 300.0
"""Seconds for the first answer about influence."""
FAST, SLOW = 50.0, 300.0
"""Milliseconds within which 99 of 100 answers come: of what a front end shows first, and of what one looks up."""


@dataclass(frozen=True)
class Question:
    """`paths` are asked in turns; `within` is the budget in milliseconds, None where there is none."""

    name: str
    paths: tuple[str, ...]
    within: float | None = None


@dataclass(frozen=True)
class Api:
    """The running API of one community, and who is most influential there."""

    port: int
    pid: int
    token: str
    prefix: str
    most_influential: UUID
    cold: float
    """Seconds until the first answer about influence."""

    def request(self, path: str) -> bytes:
        """Of a question about the first community; a path from the root is taken as it is."""
        target = path if path.startswith("/") else f"{self.prefix}/{path}"
        lines = (f"GET {target} HTTP/1.1", "host: guildhall", f"authorization: Bearer {self.token}")
        return "\r\n".join([*lines, "", ""]).encode()

    async def load(self, paths: Sequence[str], seconds: float) -> Load:
        """One connection; every answer must be a 200."""
        first, *others = map(self.request, paths)
        return await asked(Order(self.port, 1, seconds, first, tuple(others)), "200")


async def measure(stack: Stack) -> list[Result]:
    results: list[Result] = []
    with server() as postgres:
        async with made(postgres, stack, FULL, keep=True) as (settings, seconds):
            if seconds:
                results.append(figure("making the community", seconds, "s"))
            async with api(settings, FULL) as it:
                results.append(figure("influence refresh from cold, with reading 10 million facts", it.cold, "s"))
                for question in questions(it.most_influential):
                    results += rows(question, await it.load(question.paths, choose(4, 20)))
                async with arriving(settings, FULL):
                    for question in questions(it.most_influential)[:2]:
                        while_arriving = Question(
                            f"{question.name}, while facts arrive", question.paths, question.within
                        )
                        results += rows(while_arriving, await it.load(question.paths, choose(10, 60)))
                results.append(figure("memory of projection's API after all that", used(it.pid), "MB"))
    return results


def questions(most_influential: UUID) -> list[Question]:
    """The two with the strictest budget first."""
    end = last_day()
    year, decade = f"from={end - timedelta(days=364)}&to={end}", f"from={end - timedelta(days=3649)}&to={end}"
    days = random.Random(1).sample(range(400, 3200), 200)
    past = tuple(f"influence?as_of={end - timedelta(days=back)}" for back in days)
    explain = f"influence/{most_influential}/explain"
    return [
        Question("activity over a year by day", (f"activity?{year}",), FAST),
        Question("influence, first 50", ("influence",), FAST),
        Question("activity over a year by week", (f"activity?{year}&step=week",)),
        Question("activity over a year by day, CSV", (f"activity?{year}&format=csv",)),
        Question("activity over ten years by month", (f"activity?{decade}&step=month",)),
        Question("influence, first 200 as CSV", ("influence?limit=200&format=csv",)),
        Question("influence of one member", (f"influence/{most_influential}",)),
        Question("influence as of a day not asked before", past, SLOW),
        Question("explanation of the most influential, first page of 10,000", (explain,), SLOW),
        Question("explanation of the most influential, a page of 100", (f"{explain}?limit=100",), SLOW),
        Question("scoring policies", ("scoring-policies",)),
        Question("suggestions", ("suggestions",)),
    ]


def rows(question: Question, load: Load) -> list[Result]:
    name = f"{question.name}, p99"
    of_99 = figure(name, load.p99, "ms") if question.within is None else at_most(name, load.p99, question.within)
    return [figure(f"{question.name}, p50", load.p50, "ms"), of_99]


@asynccontextmanager
async def api(settings: Settings, size: Size) -> AsyncIterator[Api]:
    """Projection's API over such a database, with what it keeps of its first community in memory."""
    await forget(settings)
    await new_topics(settings, sorted({source for view in SERVICE.topic_read_models for source in view.sources}))
    with tempfile.TemporaryDirectory() as folder:
        issuer = Issuer(Home(Path(folder)))
        settings = settings.model_copy(update={"jwks": str(issuer.write_jwks())})
        token, prefix = issuer.mint("somebody"), "/v1/communities/synthetic-0/metrics"
        async with served("projection", "api", settings) as it:
            headers = {"authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{it.port}", headers=headers) as client:
                began = time.perf_counter()
                first = await first_answer(client, f"{prefix}/influence?limit=1", began)
                cold = time.perf_counter() - began
            yield Api(it.port, it.pid, token, prefix, UUID(first.json()["items"][0]["member_id"]), cold)


async def first_answer(client: httpx.AsyncClient, path: str, began: float) -> httpx.Response:
    """The first one that is a 200: while the numbers are being made, a request is told to come again."""
    while True:
        answer = await client.get(path, timeout=30)
        if answer.status_code == 200:
            return answer
        if answer.status_code != 503 or time.perf_counter() > began + PATIENCE:
            raise RuntimeError(f"no influence: {answer.status_code} {answer.text}")
