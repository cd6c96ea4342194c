"""Every operation of the served documents, for every caller, on every kind of thing: the requests of the matrix."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any
from uuid import UUID, uuid4

from tests.city.asking import Answer, Request
from tests.city.kinds import KINDS, MADE_BY, USED_UP_BY, WORDS, UnknownName
from tests.city.operations import COMMUNITY, Operation
from tests.city.village import Village
from tests.security.policy import CALLERS, GRANTERS, POLICY, RANKS, expected

NOWHERE = str(UUID(int=0xDEAD))
STATUSES = {"unauthenticated": 401, "forbidden": 403, "not found": 404}
AT_ONCE = 64
COMPARED = ("owner", "member", "nobody", "operator")
"""Callers for whom another community's things are compared with things that are not there."""
LAST = ("accept_member", "decline_member", "join_community", "remove_member", "leave_community", "archive_community")
"""Operations after which people are no longer what they were."""


@dataclass(frozen=True)
class Case:
    """One combination. `belongs_to` is whose the thing is: somebody's, `elsewhere`, `nowhere`, or "" for none."""

    operation: Operation
    caller: str
    village: Village
    foreign: Village
    belongs_to: str = ""
    role: str = ""

    @property
    def expected(self) -> str:
        belongs_to = "elsewhere" if self.belongs_to == "nowhere" else self.belongs_to
        public = self.village.visibility == "public"
        return expected(self.operation.id, self.caller, public=public, belongs_to=belongs_to, role=self.role)

    def __str__(self) -> str:
        whose = f" on {self.belongs_to}'s thing" if self.belongs_to else ""
        where = "public" if self.village.visibility == "public" else "members' only"
        return f"{self.operation.id} {self.role} by {self.caller}{whose} in a {where} community"

    def thing(self) -> str:
        """The id of what it is done to, "" for none."""
        kind = POLICY[self.operation.id].thing
        if kind is None:
            return ""
        if self.belongs_to == "nowhere":
            return NOWHERE
        if self.belongs_to == "elsewhere":
            return self.foreign.thing(kind, "author")
        return self.village.thing(kind, self.belongs_to)

    def request(self, thing: str) -> Request:
        """The request, about that thing."""
        op = self.operation
        target, headers, body = op.path, list(self.village.bearer(self.caller)), b""
        queries = []
        for parameter in op.parameters:
            name = parameter["name"]
            if parameter["in"] == "path" and name != "community":
                given = self.role if name == "role" else word_for(op.id, name) or thing
                target = target.replace(f"{{{name}}}", given)
            elif parameter["in"] == "query" and parameter.get("required"):
                queries.append(f"{name}={word_for(op.id, name) or thing}")
        target = target.replace(COMMUNITY, self.village.path)
        if op.body_type == "application/json":
            headers.append((b"content-type", b"application/json"))
            body = json.dumps(self._body(thing)).encode()
        elif op.body_type is not None:
            headers.append((b"content-type", b"application/x-ndjson"))
        return Request(op.service, op.method, target + ("?" + "&".join(queries) if queries else ""), headers, body)

    def _body(self, thing: str) -> Any:
        op = self.operation
        schema = op.body_schema
        assert schema is not None
        schema = op.resolve(next((s for s in schema.get("anyOf", []) if "$ref" in s), schema))
        body = dict(schema["examples"][0])
        made = KINDS[MADE_BY[op.id]].making if op.id in MADE_BY else None
        if made is not None:
            body |= made.body(f"Words for {op.id}.", thing)
        replies = self.village.replies_in
        filled = {
            "target_id": thing,
            "channel_id": thing,
            "slug": f"new-{uuid4().hex[:12]}",
            "reply_id": replies.get(thing, NOWHERE),
        }
        return {name: filled.get(name, value) for name, value in body.items()}

    async def fresh(self) -> str:
        """A thing that nothing was done to yet, of the same person's."""
        kind = POLICY[self.operation.id].thing
        if kind is None or self.operation.id not in USED_UP_BY:
            return self.thing()
        if self.belongs_to in ("elsewhere", "nowhere", "left", ""):
            return self.thing()
        made = await self.village.make(kind, self.belongs_to)
        if self.operation.id == "accept_answer":
            await self.village.make("reply", "owner", within=made)
        return made


def word_for(operation: str, name: str) -> str | None:
    """What stands for a parameter of that operation, None for the id of the thing that it is done to."""
    if name in WORDS:
        return WORDS[name]
    thing = POLICY[operation].thing
    if thing not in KINDS or name not in KINDS[thing].called:
        raise UnknownName(
            f"`{name}` is no id of what POLICY says it is done to ({thing}), so the matrix has nothing to send. Name "
            "the thing there (tests/security/policy.py), or add the name to `called` of that kind, or to WORDS where "
            "it is no id (tests/city/kinds.py)."
        )
    return None


def cases(operations: list[Operation], village: Village, foreign: Village) -> Iterator[Case]:
    """All combinations in one community."""
    for op, caller in product(operations, CALLERS):
        for role in GRANTERS if op.id in ("grant_role", "revoke_role") else ("",):
            for belongs_to in _owners(op, caller):
                yield Case(op, caller, village, foreign, belongs_to, role)


def _owners(op: Operation, caller: str) -> tuple[str, ...]:
    thing = POLICY[op.id].thing
    if thing is None:
        return ("",)
    owners = KINDS[thing].by
    if caller == "left" and "author" in owners:
        owners = (*owners, "left")
    if caller == "anonymous":
        return owners[:1]
    return (*owners, "elsewhere", "nowhere") if caller in COMPARED else (*owners, "elsewhere")


async def ask_all(wanted: list[tuple[Case, str]]) -> list[Answer]:
    """The answers, in the order of the cases."""
    room = asyncio.Semaphore(AT_ONCE)

    async def ask(case: Case, thing: str) -> Answer:
        async with room:
            return await case.village.city.ask(case.request(thing))

    return list(await asyncio.gather(*(ask(*pair) for pair in wanted)))


def wrong(case: Case, answer: Answer) -> str | None:
    """What is wrong with the answer to a case, by the policy; None for nothing."""
    if answer.failure is not None:
        return f"{case}: raised {answer.failure!r}"
    wanted = STATUSES.get(case.expected)
    if wanted is not None:
        return None if answer.status == wanted else f"{case}: {answer.status}, not {wanted}: {answer.body[:200]!r}"
    fine = answer.status in ((200,) if case.operation.method == "GET" else (200, 201, 204, 409))
    if case.operation.id in ("get_own_membership", "leave_community") and answer.status in (404, 409):
        fine = (
            case.caller not in RANKS or case.caller == "owner"
        )  # who never came has nothing to show, who has applied cannot leave
    return None if fine else f"{case}: {answer.status}, not allowed: {answer.body[:300]!r}"
