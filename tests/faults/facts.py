"""Unique facts, told by HTTP, and the client's own record of what it was answered: what the oracle goes by.

Four kinds, one for each service that owns facts. Each has a key of its own, so that a repetition is known as one; a
share counts once a day for each thing, so each is of a reply that nobody shared yet. Founding a community writes two
streams at once, replies and suggestions a row of the vault: none may be half there.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from deploy.local.home import Home
from deploy.local.issuer import Issuer
from tests.faults.client import Answer, Client, NoAnswer
from tests.positions import positions_of

KINDS = ("reply", "suggestion", "share", "community")
SERVICE = {"reply": "content", "suggestion": "feedback", "share": "engagement", "community": "member"}
AHEAD = 600
"""So many replies are there to be shared before anything is hurt: for half a minute and more."""
EVENT = {
    "reply": "guildhall.content.reply-posted.v1",
    "suggestion": "guildhall.feedback.suggestion-submitted.v1",
    "share": "guildhall.engagement.target-shared.v1",
    "community": "guildhall.member.community-founded.v1",
}


@dataclass(slots=True)
class Fact:
    """Something a client wants to be true once. `id` and `positions` are what the answer said."""

    number: int
    kind: str
    key: str
    id: UUID | None = None
    positions: list[tuple[str, int, int]] = field(default_factory=list)
    target: str = ""

    @property
    def acknowledged(self) -> bool:
        return self.id is not None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request: when it began (monotonic), how long it took, and its status, 0 where no answer came."""

    kind: str
    began: float
    took: float
    status: int

    @property
    def ended(self) -> float:
        return self.began + self.took


@dataclass
class Town:
    """A community with a thread to reply to and share, and the record of everything its members told."""

    port: int
    home: Home
    name: str
    thread: str = ""
    kinds: Sequence[str] = KINDS
    facts: list[Fact] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    """Answers that are neither success nor 503, which no fault excuses."""
    _unshared: deque[str] = field(default_factory=deque)
    """Replies that can be shared, the oldest first: they have come to engagement, whatever is hurt now."""

    @property
    def path(self) -> str:
        return f"/v1/communities/{self.name}"

    def places(self, answer: Answer) -> list[tuple[str, int, int]]:
        """The places that `Guildhall-Position` names."""
        positions = positions_of(answer.headers["guildhall-position"], self.home.secret("member"))
        return [(*place, position) for place, position in positions.items()]

    def client(self, subject: str = "operator", timeout: float = 15.0) -> Client:
        return Client(self.port, Issuer(self.home).mint(subject), timeout=timeout)

    async def found(self) -> None:
        """Make the community and what its facts are about."""
        client = self.client()
        await self._make(client, "/v1/communities", founding(self.name))
        # On a busy machine the relay takes longer than the tenth of a second that a directory allows it, and then a
        # service does not know the new community yet: what follows its founding is tried until it is taken.
        channel = await self._make(client, f"{self.path}/channels", {"name": "Square"})
        thread = {"channel_id": channel["id"], "title": "Everything", "body": "All of it."}
        self.thread = (await self._make(client, f"{self.path}/threads", thread))["id"]
        self.facts.append(Fact(-1, "community", "", UUID((await self._get(client, self.path))["id"])))
        if "share" in self.kinds:
            await self._share_first(client)
        client.close()

    async def _share_first(self, client: Client) -> None:
        """What is shared must have come to engagement by way of Kafka; later as well, when that is hurt."""
        for _ in range(AHEAD):
            fact = self.new("reply")
            while await self.tell(client, fact) != 201:
                await asyncio.sleep(0.1)
        target = self._unshared.pop()
        made = await self._make(client, f"{self.path}/shares", {"target_id": target, "medium": "link"})
        self.facts.append(Fact(-1, "share", "first", UUID(made["id"]), target=target))

    async def _make(self, client: Client, path: str, body: object) -> dict[str, str]:
        until, key = time.monotonic() + 30, f"made {path} in {self.path}"
        while (answer := await client.request("POST", path, body, key=key)).status != 201:
            assert time.monotonic() < until, answer
            await asyncio.sleep(0.1)
        made: dict[str, str] = answer.json()
        return made

    async def _get(self, client: Client, path: str) -> dict[str, str]:
        answer = await client.request("GET", path)
        assert answer.status == 200, answer
        found: dict[str, str] = answer.json()
        return found

    @property
    def community(self) -> UUID:
        """Its id: founding it was the first fact."""
        assert self.facts[0].id is not None
        return self.facts[0].id

    def new(self, kind: str) -> Fact:
        """Another fact of that kind; a reply, where a share finds none that it could be of."""
        kind = "reply" if kind == "share" and not self._unshared else kind
        fact = Fact(len(self.facts), kind, f"{self.name}-{len(self.facts)}")
        if kind == "share":
            fact.target = self._unshared.popleft()
        self.facts.append(fact)
        return fact

    def request(self, fact: Fact) -> tuple[str, dict[str, object]]:
        match fact.kind:
            case "reply":
                return f"{self.path}/threads/{self.thread}/replies", {"body": f"This is fact {fact.number}."}
            case "suggestion":
                return f"{self.path}/suggestions", {"title": f"Fact {fact.number}", "body": "Do it."}
            case "share":
                return f"{self.path}/shares", {"target_id": fact.target, "medium": "chat"}
            case _:
                return "/v1/communities", founding(f"{self.name}-{fact.number}")

    async def tell(self, client: Client, fact: Fact) -> int:
        """Send it once; the status, 0 for no answer. What an answer says is kept."""
        path, body = self.request(fact)
        began = time.monotonic()
        try:
            answer = await client.request("POST", path, body, key=fact.key)
            status = answer.status
        except NoAnswer:
            status = 0
        self.attempts.append(Attempt(fact.kind, began, time.monotonic() - began, status))
        if status == 201:
            if fact.kind == "reply" and not fact.acknowledged:
                self._unshared.append(answer.json()["id"])
            fact.id, fact.positions = UUID(answer.json()["id"]), self.places(answer)
        elif status not in (0, 503):
            self.refused[f"{fact.kind}: {status} {answer.json().get('detail')}"] += 1
        return status

    async def live(self, rate: float, until: asyncio.Event, *, clients: int = 16, tries: int = 3) -> None:
        """Tell new facts, `rate` a second in all, until the event is set; each is tried a few times, then left."""
        turn = itertools.cycle(self.kinds)
        pause = clients / rate

        async def one(number: int) -> None:
            client = self.client()
            due = time.monotonic() + pause * number / clients
            while not until.is_set():
                due = max(due + pause, time.monotonic() - 1)  # who was held up does not make up for all of it
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                fact = self.new(next(turn))
                for attempt in range(tries):
                    if await self.tell(client, fact) == 201 or until.is_set():
                        break
                    await asyncio.sleep(0.2 * (attempt + 1))
            client.close()

        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(one(number))

    async def resolve(self, within: float = 30.0) -> int:
        """Repeat what was not acknowledged until it is; how many that were. Nothing may be hurt any more."""
        open_facts = [fact for fact in self.facts if not fact.acknowledged]
        until = time.monotonic() + within
        queue = iter(open_facts)

        async def some() -> None:
            client = self.client()
            for fact in queue:
                while await self.tell(client, fact) != 201:
                    assert time.monotonic() < until, f"{fact} is not taken: {self.refused}"
                    await asyncio.sleep(0.2)
            client.close()

        await asyncio.gather(*(some() for _ in range(8)))
        return len(open_facts)

    def of(self, kind: str) -> list[Fact]:
        return [fact for fact in self.facts if fact.kind == kind]


def founding(slug: str) -> dict[str, object]:
    return {"slug": slug, "name": slug, "purpose": "To be counted", "language": "en", "time_zone": "UTC"}


def p99(attempts: Iterable[Attempt]) -> float:
    """Milliseconds of the slowest hundredth of those that succeeded; NaN where none did."""
    times = sorted(attempt.took for attempt in attempts if attempt.status == 201)
    return times[len(times) * 99 // 100] * 1000 if times else float("nan")
