"""Who comes while a relay stands still: new members who post at once, new threads that are reacted to at once.

Everything they were answered is kept, and what answers of projection said of themselves is held against it.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from deploy.local.issuer import Issuer
from tests.faults.client import Answer, Client, NoAnswer
from tests.faults.facts import Town
from tests.faults.stage import Stage
from tests.faults.system import System
from tests.positions import positions_of

LATE = 2.0
"""Seconds within which an answer must say that it lacks something, or does not know."""
ACTIVITY = "metrics/activity?from=2026-01-01&to=2026-01-02&step=day"


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer of projection said of itself; `asked` is this machine's clock, which is PostgreSQL's too."""

    asked: float
    positions: dict[tuple[str, int], int]
    complete_until: float | None
    events: int | None
    seconds: float


@dataclass
class Newcomers:
    """`ports` are those of services that are asked directly; the others are asked through the gateway."""

    town: Town
    ports: dict[str, int]
    written: list[tuple[float, str, int, int]] = field(default_factory=list)
    """When each event was acknowledged, its service, partition and position."""
    said: list[Said] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    _channel: str = ""
    _names: itertools.count[int] = field(default_factory=itertools.count)

    async def settle(self, stage: Stage) -> None:
        """Found the community that they come to; that it was founded is a fact like others."""
        await self.town.found()
        (await stage.town()).facts.append(self.town.facts[0])
        client = self._client("content", "operator")
        self._channel = str((await client.request("GET", f"{self.town.path}/channels")).json()["items"][0]["id"])
        client.close()

    async def come(self, seconds: float) -> None:
        """Somebody joins and posts, and somebody opens a thread that another reacts to, again and again."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            await asyncio.gather(self._join_and_post(), self._open_and_react())
            await asyncio.sleep(max(0.0, 0.25 - (time.monotonic() - began)))

    async def ask(self, seconds: float) -> None:
        """How far projection says it is, again and again."""
        client, until = self._client("projection", "operator"), time.monotonic() + seconds
        while time.monotonic() < until:
            asked = time.time()
            answer = await client.request("GET", f"{self.town.path}/{ACTIVITY}")
            if answer.status == 200:
                self._keep(asked, answer.json()["freshness"])
            else:
                self.wrong.append(f"projection answered {answer.status}")
            await asyncio.sleep(0.1)
        client.close()

    def _keep(self, asked: float, fresh: dict[str, object]) -> None:
        until = fresh["complete_until"]
        self.said.append(
            Said(
                asked,
                positions_of(str(fresh["positions"]), self.town.home.secret("member")),
                None if until is None else datetime.fromisoformat(str(until)).timestamp(),
                None if fresh["lag_events"] is None else int(str(fresh["lag_events"])),
                float(str(fresh["lag_seconds"])),
            )
        )

    async def _join_and_post(self) -> None:
        who = f"newcomer-{next(self._names)}"
        joined = await self._send("member", who, "members", {}, {201})
        if joined is not None:
            body = {"body": "Here I am."}
            await self._send("content", who, f"threads/{self.town.thread}/replies", body, {201, 503})

    async def _open_and_react(self) -> None:
        thread = {"channel_id": self._channel, "title": "New", "body": "Just now."}
        opened = await self._send("content", "operator", "threads", thread, {201})
        if opened is not None:
            body = {"target_id": opened.json()["id"], "kind": "like"}
            await self._send("engagement", "operator", "reactions", body, {201, 503})

    async def _send(self, service: str, who: str, path: str, body: object, allowed: set[int]) -> Answer | None:
        """The answer where it is 201. Whatever is not allowed is wrong, and so is a 503 that does not say when."""
        client = self._client(service, who)
        try:
            answer = await client.request("POST", f"{self.town.path}/{path}", body)
        except NoAnswer:
            self.statuses["no answer"] += 1
            return None
        finally:
            client.close()
        what = path.split("/")[-1]
        self.statuses[f"{what} {answer.status}"] += 1
        if answer.status not in allowed and answer.status != 503:
            self.wrong.append(f"{what}: {answer.status} {answer.json().get('detail')}")
        if answer.status == 503 and "retry-after" not in answer.headers:
            self.wrong.append(f"{what}: 503 without Retry-After")
        if answer.status != 201:
            return None
        self.written += [(time.time(), *place) for place in self.town.places(answer)]
        return answer

    def _client(self, service: str, who: str) -> Client:
        return Client(self.ports.get(service, self.town.port), Issuer(self.town.home).mint(who))

    # What became of it

    def claims(self) -> list[str]:
        """Answers that claimed to hold what they did not, or to lack less than they did."""
        found = []
        for said in self.said:
            held = said.positions
            before = [w for w in self.written if said.complete_until is not None and w[0] < said.complete_until]
            lacks = [w for w in before if held.get((w[1], w[2]), 0) < w[3]]
            if lacks:
                found.append(f"complete until {said.complete_until}, without {lacks[0]}")
            missing = self._missing(said)
            if said.events is not None and said.events < missing:
                found.append(f"lacks {said.events}, and {missing} were there {LATE:.0f} s before")
        return found

    def _missing(self, said: Said) -> int:
        """Events that were acknowledged some time before the question, and that the answer does not hold."""
        return sum(
            said.positions.get((service, partition), 0) < position
            for at, service, partition, position in self.written
            if at < said.asked - LATE
        )

    def noticed(self, since: float) -> float:
        """Seconds from then to the first answer that says it lacks something or does not know what."""
        told = [said.asked for said in self.said if said.asked >= since and said.events != 0 and said.seconds > 0]
        return min(told, default=float("inf")) - since


async def told(stage: Stage, newcomers: Newcomers, scale: str) -> None:
    """The figures that hold whatever a relay suffers."""
    claims = newcomers.claims()
    stage.figure(
        12,
        "answers that claim what they do not hold",
        "; ".join(claims[:2]) or f"0 of {len(newcomers.said)}",
        "0",
        holds=not claims and len(newcomers.said) > 0,
        scale=scale,
    )
    stage.figure(
        12,
        "newcomers refused and new threads not found",
        "; ".join(dict.fromkeys(newcomers.wrong[:3])) or f"0 ({dict(sorted(newcomers.statuses.items()))})",
        "0; 503 with Retry-After",
        holds=not newcomers.wrong and len(newcomers.written) > 0,
        scale=scale,
    )


async def welcome(system: System, newcomers: Newcomers, within: float) -> float:
    """Seconds until somebody who joins can post at once again, and a new thread can be reacted to."""
    began = time.monotonic()
    while time.monotonic() - began < within:
        before = Counter(newcomers.statuses)
        await newcomers.come(0.1)
        if all(newcomers.statuses[what] > before[what] for what in ("replies 201", "reactions 201")):
            return time.monotonic() - began
    return within
