"""Who may do what to whose things: every operation, every caller, judged by the one table in `policy.py`."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from types import ModuleType
from typing import Any

import pytest
from fastapi import APIRouter

from services.content.threads import domain as threads
from shared.replicas.directory_lookup import BELIEVED
from shared.replicas.standing import Standing
from shared.service.service import Service
from shared.tables import service_metadata
from shared.web.access import policy
from shared.web.access.permissions import Reader, declared, undeclared
from shared.web.access.policy import ROLE_PERMISSIONS, Permission
from tests.city.asking import Answer
from tests.city.city import SERVICES, City
from tests.city.operations import operations
from tests.city.village import Village
from tests.security.matrix import COMPARED, LAST, Case, ask_all, cases, wrong
from tests.security.policy import POLICY, STILL_TAKEN_WHEN_ARCHIVED, Needs

DECLARED = {
    Permission.AUTHENTICATED: Needs.TOKEN,
    Permission.FOUND: Needs.FOUND,
    Permission.JOIN: Needs.KNOWN,
    Permission.WITHDRAW: Needs.WITHDRAW,
    Permission.ACQUAINTED: Needs.ACQUAINTED,
    Permission.READ: Needs.READ,
    Permission.CONTRIBUTE: Needs.CONTRIBUTE,
    Permission.MODERATE: Needs.MODERATE,
    Permission.ADMINISTER: Needs.ADMINISTER,
    Permission.OWN: Needs.OWN,
    Permission.BACKFILL: Needs.BACKFILL,
}


async def settled(city: City, name: str, visibility: str) -> Village:
    """A village with a trainee, whom roles are granted to."""
    village = await Village(city, name, visibility).settle()
    await village.must("owner", "member", "PATCH", "", {"admission": "open"})
    trainee = await village.must("trainee", "member", "POST", "/members")
    village.member_ids["trainee"] = trainee["id"]
    await village.must("owner", "member", "PATCH", "", {"admission": "application"})
    return village


async def test_the_policy_has_every_operation_that_is_served(town: City) -> None:
    assert {op.id for op in operations(town.documents)} == set(POLICY)


@pytest.mark.parametrize("visibility", ["public", "members"])
async def test_everybody_gets_what_the_policy_says_and_nothing_else(town: City, visibility: str) -> None:
    village, foreign = await asyncio.gather(
        settled(town, f"matrix-{visibility}", visibility), settled(town, f"matrix-other-{visibility}", "members")
    )
    await foreign.must("owner", "member", "PATCH", "", {"admission": "open"})
    await foreign.must("stranger", "member", "POST", "/members")
    every = list(cases(operations(town.documents), village, foreign))
    refused = [case for case in every if case.expected != "allowed"]
    before = await town.events()
    answers = list(zip(refused, await ask_all([(case, case.thing()) for case in refused]), strict=True))
    assert await town.events() == before, "something that was refused was written all the same"

    allowed = [case for case in every if case.expected == "allowed"]
    for operations_then in ([case for case in allowed if case.operation.id not in LAST], *_last(allowed)):
        wanted = [(case, await case.fresh()) for case in operations_then]
        answers += zip(operations_then, await ask_all(wanted), strict=True)

    found = [problem for case, answer in answers if (problem := wrong(case, answer))]
    found += [f"{case}: shows {village.name}" for case, answer in answers if _shows(case, answer)]
    found += _told_apart(answers)
    assert found == []
    assert len(answers) >= 1_200, Counter(case.expected for case, _ in answers)


def _last(allowed: list[Case]) -> list[list[Case]]:
    """Those that change who people are, one operation after another."""
    return [[case for case in allowed if case.operation.id == operation] for operation in LAST]


def _shows(case: Case, answer: Answer) -> bool:
    """Whether the answer holds words of a community that its caller may not see."""
    hidden = [] if case.caller in ("stranger", "operator") else [case.foreign]
    if case.expected != "allowed":
        hidden.append(case.village)
    return any(village.canary.encode() in answer.body for village in hidden)


def _told_apart(answers: list[tuple[Case, Answer]]) -> list[str]:
    """Where another community's thing is answered differently from one that is not there, and so given away."""
    seen: dict[tuple[str, str, str], tuple[int, object]] = {}
    for case, answer in answers:
        if case.belongs_to == "nowhere":
            seen[case.operation.id, case.caller, case.role] = _said(case, answer)
    return [
        f"{case}: told from a thing that is not there"
        for case, answer in answers
        if case.belongs_to == "elsewhere" and case.caller in COMPARED
        if seen[case.operation.id, case.caller, case.role] != _said(case, answer)
    ]


def _said(case: Case, answer: Answer) -> tuple[int, object]:
    body = json.loads(answer.body) if answer.body else {}
    plain = {name: value for name, value in body.items() if name not in ("request_id", "freshness", "target_id")}
    return answer.status, plain


def _anybody_is_a_member(standing: Standing) -> frozenset[Permission]:
    return ROLE_PERMISSIONS["member"]


def _anybody_is_the_author(*_: object) -> None:
    return


@pytest.mark.parametrize(
    ("hole", "instead", "operation", "caller"),
    [
        (policy, _anybody_is_a_member, "get_thread", "left"),
        (policy, _anybody_is_a_member, "post_reply", "stranger"),
        (threads, _anybody_is_the_author, "edit_thread", "member"),
    ],
    ids=["former members read", "strangers write", "members edit what others wrote"],
)
async def test_the_matrix_finds_a_hole_that_was_made(
    town: City, monkeypatch: pytest.MonkeyPatch, hole: ModuleType, instead: Any, operation: str, caller: str
) -> None:
    village, foreign = await asyncio.gather(
        settled(town, f"hole-{operation[:3]}-{caller}", "members"),
        settled(town, f"hole-beside-{operation[:3]}-{caller}", "members"),
    )
    wanted = [
        case
        for case in cases(operations(town.documents), village, foreign)
        if (case.operation.id, case.caller) == (operation, caller) and case.expected != "allowed"
    ]
    before = await ask_all([(case, case.thing()) for case in wanted])
    name = "permissions_of" if hole is policy else "must_be_allowed"
    monkeypatch.setattr(hole, name, instead)
    after = await ask_all([(case, case.thing()) for case in wanted])

    assert [wrong(case, answer) for case, answer in zip(wanted, before, strict=True)] == [None] * len(wanted)
    assert any(wrong(case, answer) for case, answer in zip(wanted, after, strict=True))


async def test_an_archived_community_can_only_be_read(town: City) -> None:
    village, foreign = await asyncio.gather(
        settled(town, "matrix-archived", "public"), settled(town, "matrix-beside", "members")
    )
    await village.must("owner", "member", "POST", "/archive")
    await asyncio.sleep(BELIEVED + 0.5)  # a look-up that permitted is believed for that long
    writes = [
        case
        for case in cases(operations(town.documents), village, foreign)
        if case.caller in ("owner", "member") and case.expected == "allowed"
        if case.operation.method != "GET" and case.belongs_to not in ("elsewhere", "nowhere")
        if case.operation.id not in STILL_TAKEN_WHEN_ARCHIVED | {"found_community"}
    ]
    before = await town.events()
    answers = await ask_all([(case, case.thing()) for case in writes])

    taken = {str(case): answer.status for case, answer in zip(writes, answers, strict=True) if answer.status != 409}
    assert taken == {}
    assert await town.events() == before
    assert len(writes) >= 50


@pytest.mark.parametrize("who", ["member", "author", "nobody", "left"])
@pytest.mark.parametrize("status", ["applicant", "declined"])
async def test_who_has_applied_is_seen_by_moderators_only(town: City, who: str, status: str) -> None:
    village = Village(town, "matrix-public")

    assert (await village.ask(who, "member", "GET", f"/members?status={status}")).status == 403


def test_every_route_declares_what_the_policy_says() -> None:
    """The code's own declarations, against the table: neither is made from the other."""
    for service in SERVICES.values():
        for router in service.routers:
            for route in router.routes:
                operation = getattr(route, "operation_id", None)
                assert operation in POLICY, route
                (requirement,) = declared(route)  # type: ignore[arg-type]
                wanted = Needs.OVERSEE if requirement.or_operator else DECLARED[requirement.permission]
                assert wanted is POLICY[operation].needs, operation


def test_a_route_that_declares_no_permission_or_two_does_not_start() -> None:
    """The check that keeps the table whole can fail."""
    router = APIRouter()

    @router.get("/open", operation_id="open_to_all")
    async def open_to_all() -> None: ...

    assert undeclared([router]) == ["GET /open"]
    with pytest.raises(TypeError, match="GET /open"):
        Service("toy", service_metadata(facts=False), routers=[router])

    @router.get("/read", operation_id="read")
    async def read(here: Reader) -> None: ...

    assert undeclared([router]) == ["GET /open"]
