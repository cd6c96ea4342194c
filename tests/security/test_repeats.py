"""Every operation that names `Idempotency-Key` takes effect once and is answered once, whatever happens in between."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from shared.commands.idempotency import IdempotencyKeys, Kept
from shared.db import driver
from shared.log.keys import IdempotencyKey
from shared.replicas.directory_lookup import BELIEVED
from tests.city.asking import Answer, Request
from tests.city.city import SERVICES, City
from tests.city.kinds import KINDS
from tests.city.operations import Operation, operations
from tests.city.village import TRIES, Village
from tests.security.everything import case_of, with_headers
from tests.security.stories import STORIES, Step, Story
from tests.security.test_authorization import settled

WORDS = {
    *("title", "body", "text", "reason", "answer", "answers", "question"),
    *("display_name", "bio", "needs", "interests", "skills"),
}
"""The fields of bodies in which members write what the vault keeps."""
TEXTS = WORDS | {"name", "purpose", "slug", "language", "time_zone", "tags"}
"""All fields with a text of somebody's."""


@dataclass
class Told:
    """An operation of a village, the request of it and what it was first answered."""

    village: Village
    operation: Operation
    story: Story
    thing: str = ""
    reply: str = ""
    request: Request = field(default_factory=lambda: Request("", "", ""))
    answer: Answer = field(default_factory=lambda: Answer(0, (), b""))
    undone: bool = False
    """Whether some of the words may be gone."""

    async def begin(self) -> Told:
        """Make what it is done to, and do what comes before it."""
        story, village = self.story, self.village
        if story.fresh is not None:
            self.thing = await village.make(story.fresh, KINDS[story.fresh].by[0])
        elif story.person is not None and story.person in village.member_ids:
            self.thing = village.member_ids[story.person]
        if self.operation.id in ("accept_answer", "withdraw_acceptance"):
            self.reply = await village.make("reply", "owner", within=self.thing)
        for step in story.before:
            found = await self.step(step)
            if story.person not in (None, *village.member_ids) and step[0] == story.person:
                self.thing = found["id"]
        case = replace(case_of(self.operation, village), caller=story.who)
        self.request = self.keyed(case.request(self.thing), "first")
        return self

    def keyed(self, request: Request, key: str) -> Request:
        return with_headers(request, (b"idempotency-key", f"{key} {self.operation.id}".encode()))

    async def step(self, step: Step) -> Any:
        who, service, method, path, *body = step
        filled = self._filled([path, *body])
        if filled[0].startswith("/v1"):
            request = replace(self.village.request(who, service, method, "", *filled[1:]), target=filled[0])
            answer = await self.village.city.ask(request)
            assert answer.status < 300, (step, answer.body)
            return None
        return await self.village.must(who, service, method, *filled)

    async def undo(self) -> None:
        self.undone = True
        for step in self.story.undo:
            await self.step(step)

    async def ask(self, request: Request | None = None) -> Answer:
        """The answer, as soon as every service knows what was made for it."""
        for _ in range(TRIES):
            answer = await self.village.city.ask(request or self.request)
            if answer.status not in (503, 404):
                break
            await asyncio.sleep(1)
        return answer

    def differs(self, answer: Answer) -> str | None:
        """How an answer differs from the first one; None where it does not."""
        first, again = (
            [a.status, without_words(shown(a)), *map(a.header, (b"etag", b"location"))] for a in (self.answer, answer)
        )
        replayed = answer.header(b"idempotent-replayed") == b"true"
        if (
            first == again
            and replayed
            and (self._told(answer) <= self._told(self.answer) if self.undone else shown(answer) == shown(self.answer))
            and bool(self.answer.header(b"guildhall-position")) == bool(answer.header(b"guildhall-position"))
        ):
            return None
        return f"{self.operation.id}: {again} {shown(answer)}, not {first}, replayed: {replayed}"

    def tells(self, answer: Answer) -> str | None:
        """The words that an answer still tells; None where it tells none."""
        told = self._told(answer)
        return f"{self.operation.id}: {told}" if told else None

    def _told(self, answer: Answer) -> set[str]:
        return {value for name, value in _fields(shown(answer)) if name in TEXTS}

    def _filled(self, value: Any) -> Any:
        known = {"{thing}": self.thing, "{reply}": self.reply, "{made}": self._made}
        return json.loads(re.sub(r"\{\w+\}", lambda found: known[found[0]], json.dumps(value)))

    @property
    def _made(self) -> str:
        return self.answer.json()["id"] if self.answer.body and "id" in self.answer.json() else ""


def keyed(city: City) -> list[Operation]:
    """The operations that name the header in the documents, the last of a community last."""
    found = [
        op
        for op in operations(city.documents)
        if any(parameter["name"] == "Idempotency-Key" for parameter in op.parameters)
    ]
    return sorted(found, key=lambda op: list(STORIES).index(op.id))


async def test_every_change_of_every_service_names_the_key_and_no_other_operation_does(town: City) -> None:
    changes = {
        op.id
        for op in operations(town.documents)
        if op.method != "GET" and op.service != "projection" and not op.id.startswith("backfill_")
    }
    assert {op.id for op in keyed(town)} == changes == set(STORIES)


async def test_a_repetition_is_answered_as_the_first_time_whatever_happened_since(town: City) -> None:
    village = await settled(town, "repeats", "members")
    *told, archiving = [Told(village, op, STORIES[op.id]) for op in keyed(town)]
    for each in told:
        await each.begin()
        # Twice at once: one of them takes effect.
        first, second = await asyncio.gather(each.ask(), each.ask())
        each.answer = first if second.header(b"idempotent-replayed") else second
        assert first.status < 300, (each.operation.id, first.status, first.body)
        assert (first.status, first.body) == (second.status, second.body), each.operation.id
    assert await wrong(town, told) == []

    # What changes nothing, since it has been done already, counts as made, too.
    idle = []
    for each in told:
        before = await town.events()
        again = replace(each, request=each.keyed(without_key(each.request), "idle"))
        again.answer = await again.ask()
        if again.answer.status < 300 and await town.events() == before:
            idle.append(again)
    assert {"put_reaction", "join_community", "describe_community", "edit_thread"} <= {e.operation.id for e in idle}
    assert len(idle) >= 25, Counter(each.operation.id for each in idle)

    for each in [*told, *idle]:
        each.undone = True
    for each in told:
        await each.undo()
    assert await wrong(town, [*told, *idle]) == [], "undone, or edited by another"
    for each in told:
        if each.operation.body_type is not None and each.request.body:
            other = replace(each.request, body=json.dumps({"other": "body"}).encode())
            answer = await town.ask(other)
            assert (answer.status, answer.json()["type"][-22:]) == (422, "idempotency-key-reused"), each.operation.id
    assert await words_in(town, list(written([*told, *idle]))) == []

    administrator = village.member_ids["administrator"]
    await village.must("owner", "member", "PUT", f"/roles/owner/members/{administrator}")
    for who in ("author", "owner"):
        await village.must(who, "member", "DELETE", "/members/me")
    await asyncio.sleep(BELIEVED + 0.5)  # a look-up that permitted is believed for that long
    assert await wrong(town, [*told, *idle]) == [], "members no more"
    # What the owner founded is another community, of which they are still a member.
    elsewhere = "found_community"
    gone = [e for e in [*told, *idle] if e.story.who in ("author", "owner") and e.operation.id != elsewhere]
    told_still = [each.tells(await town.ask(each.request)) for each in gone]
    assert list(filter(None, told_still)) == [], "they read no more"

    archiving.story = replace(archiving.story, who="administrator")
    await archiving.begin()
    archiving.answer = await archiving.ask()
    await asyncio.sleep(BELIEVED + 0.5)
    assert await wrong(town, [*told, *idle, archiving]) == [], "archived"


async def test_what_took_effect_and_was_not_answered_takes_no_effect_again(
    town: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies between the two, or the database is away then."""
    village = await settled(town, "unanswered", "members")
    told, lost, found = [Told(village, op, STORIES[op.id]) for op in keyed(town)], list[IdempotencyKey](), []

    async def dies(_: IdempotencyKeys, key: IdempotencyKey, answer: bytes) -> Kept:
        lost.append(key)
        raise ConnectionResetError

    for number, each in enumerate(told, 1):
        await each.begin()
        with monkeypatch.context() as patch:
            patch.setattr(IdempotencyKeys, "keep", dies)
            for _ in range(TRIES):
                unanswered = await town.ask(each.request)
                assert unanswered.status in (404, 503), each.operation.id
                if len(lost) == number:
                    break
                await asyncio.sleep(1)
        before = await town.events()
        each.answer = await each.ask()
        if each.answer.status >= 300 or await town.events() != before:
            found.append(f"{each.operation.id}: {each.answer.status} {each.answer.body!r}")
        await each.undo()
    assert found == []
    assert await wrong(town, told) == []


async def wrong(city: City, told: list[Told]) -> list[str]:
    """What is wrong with repetitions of these: other answers, or that anything is written."""
    before = await city.events()
    found = [each.differs(await city.ask(each.request)) for each in told]
    events = await city.events() - before
    return [problem for problem in found if problem] + ([f"{events} events"] if events else [])


def shown(answer: Answer) -> Any:
    return answer.json() if answer.body else None


def without_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_words(inner) for name, inner in value.items() if name not in TEXTS}
    return value


def without_key(request: Request) -> Request:
    return replace(request, headers=[header for header in request.headers if header[0] != b"idempotency-key"])


def written(told: list[Told]) -> Iterator[str]:
    """The words that members sent."""
    for each in told:
        body = json.loads(each.request.body or b"{}")
        for name, value in _fields(body):
            if name in WORDS and len(value) > 4:
                yield value


def _fields(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    for inner in value if isinstance(value, list) else ():
        yield from _fields(inner, name)
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from _fields(inner, key)


async def words_in(city: City, words: list[str]) -> list[str]:
    """Which of these words, or of those that a village is made of, lie in what is kept of requests."""
    found = []
    for service in (name for name in SERVICES if name != "projection"):
        async with driver(city.runtime(service).engine) as connection:
            rows = await connection.fetch("select answer from idempotency_key where answer is not null")
        kept = "\n".join(row["answer"].decode() for row in rows)
        found += [word for word in words if json.dumps(word, ensure_ascii=False) in kept]
        found += re.findall(r"(?:thread|reply|comment|suggestion) \d+: canary", kept)
    return found
