"""A request of every operation of the published documents, by somebody who may, about something that is there."""

from __future__ import annotations

from dataclasses import replace

from tests.city.asking import Headers, Request
from tests.city.kinds import KINDS
from tests.city.operations import Operation, operations
from tests.city.village import Village
from tests.security.matrix import Case
from tests.security.policy import POLICY

NOT_OF_THE_ANSWER = {b"x-request-id"}
CALLERS = {"replace_profile": "author", "get_own_membership": "member", "leave_community": "member"}


def case_of(op: Operation, village: Village) -> Case:
    thing = POLICY[op.id].thing
    whose = "" if thing is None else KINDS[thing].by[0]
    role = "moderator" if op.id in ("grant_role", "revoke_role") else ""
    return Case(op, CALLERS.get(op.id, "owner"), village, village, whose, role)


def with_headers(request: Request, *more: tuple[bytes, bytes]) -> Request:
    return replace(request, headers=[*request.headers, *more])


def told(headers: Headers) -> dict[str, str]:
    return {name.decode().lower(): value.decode("latin-1") for name, value in headers if name not in NOT_OF_THE_ANSWER}


def reads(village: Village) -> list[Request]:
    """A request of every operation that reads."""
    known = [case_of(op, village) for op in operations(village.city.documents) if op.method == "GET"]
    assert len(known) >= 25
    return [case.request(case.thing()) for case in known]


def writes(village: Village) -> list[Case]:
    known = [case_of(op, village) for op in operations(village.city.documents) if op.method != "GET"]
    assert len(known) >= 35
    return known
