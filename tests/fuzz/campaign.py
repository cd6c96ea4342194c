"""A run against one city: episodes of requests from several sources, side by side, every answer judged.

An episode is named `source/number` and is the same again under the same seed: it has a village of its own whose ids
follow from its name. Only time differs, and with it how far views were.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.city.asking import Answer, Request
from tests.city.city import City
from tests.city.operations import Operation
from tests.city.village import OUTSIDERS, Village
from tests.fuzz.generator import Generator
from tests.fuzz.oracle import Oracle
from tests.fuzz.stalls import Stalls, asked
from tests.fuzz.tally import KEPT, Tally

LENGTH = 300
"""Requests of a generated episode."""
AT_ONCE = 40
"""Episodes side by side: most requests wait for a view or the database."""
PATIENCE = 10.0
"""Seconds for which an answer that asks to be repeated is believed."""


@dataclass
class Campaign:
    """`progress` is told of every judged request."""

    city: City
    seed: str
    progress: Callable[[], None] = lambda: None
    tally: Tally = field(default_factory=Tally)
    stalls: Stalls = field(default_factory=Stalls)

    def __post_init__(self) -> None:
        self.oracle = Oracle(self.city.documents)
        self._foreign: asyncio.Task[Village] | None = None

    async def foreign(self) -> Village:
        """A community for members only, of which nobody is a member but `stranger`: what is in it must not be seen."""
        if self._foreign is None:
            self._foreign = asyncio.create_task(self._settle_foreign())
        return await self._foreign

    async def _settle_foreign(self) -> Village:
        village = await Village(self.city, f"foreign-{self.seed}", "members").settle()
        await village.must("owner", "member", "PATCH", "", {"admission": "open"})
        await village.must("stranger", "member", "POST", "/members")
        await village.must("owner", "member", "PATCH", "", {"admission": "application"})
        return village

    async def generated(self, number: int, length: int = LENGTH) -> None:
        """An episode of generated requests."""
        episode = f"generated/{number}"
        die = Random(f"{self.seed}/{episode}")
        foreign = await self.foreign()
        visibility = die.choice(["public", "members"])
        village = await Village(self.city, f"v-{self.seed}-{number}", visibility).settle()
        generator = Generator(self.oracle.operations, village, foreign, die)
        opened = visibility == "public"
        for _ in range(length):
            with self.stalls.own_work():
                request = generator.next()
            who = generator.caller
            hidden = [foreign] if who not in ("stranger", "operator") else []
            hidden += [village] if not opened and who in (*OUTSIDERS, "anonymous") and who != "applicant" else []
            answer, op = await self.judged(episode, request, hidden)
            if answer.status < 300 and op is not None:
                opened = opened or op.id in ("join_community", "accept_member", "backfill_member")
                if answer.media_type == "application/json" and answer.body:
                    generator.learn(op, answer.json())

    async def judged(
        self, episode: str, request: Request, hidden: list[Village] | None = None
    ) -> tuple[Answer, Operation | None]:
        """Send a request and judge its answer."""
        asked.set(f"{episode}: {request.method} {request.target[:200]}, {len(request.body)} bytes")
        answer = await self._patiently(request)
        with self.stalls.own_work():
            op = self.oracle.meant(request)
            self.tally.count(episode.partition("/")[0], request, answer, op.id if op else None)
            for problem in self.oracle.judge(request, answer, hidden or ()):
                self.tally.found(problem, episode, request, answer)
        self.progress()
        return answer, op

    async def _patiently(self, request: Request) -> Answer:
        """The answer; one that says that it is too early is asked for again, as it says, unless it was told to wait."""
        until = time.monotonic() + PATIENCE
        while True:
            answer = await self.city.ask(request)
            pause = answer.header(b"retry-after")
            if answer.status != 503 or pause is None or request.header(b"guildhall-after"):
                return answer
            if time.monotonic() > until:
                return answer
            self.tally.repeated += 1
            await asyncio.sleep(float(pause))


def settle_memory() -> None:
    """As a service does it when it has started (`shared/service/serve.py`), so that the collector stalls as little."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def run(campaign: Campaign, generated: int, first: int = 0, at_once: int = AT_ONCE) -> None:
    """So many generated requests, in episodes from number `first` on."""
    numbers = iter(range(first, first + -(-generated // LENGTH)))
    left = generated

    async def work() -> None:
        nonlocal left
        for number in numbers:
            length, left = min(LENGTH, left), left - LENGTH
            await campaign.generated(number, length)

    settle_memory()
    with campaign.stalls.watched():
        await asyncio.gather(*(work() for _ in range(at_once)))
    campaign.tally.stalls += len(campaign.stalls.found)
    campaign.tally.stalled += campaign.stalls.found[:KEPT]
    campaign.tally.longest_turn = max(campaign.tally.longest_turn, campaign.stalls.longest)
