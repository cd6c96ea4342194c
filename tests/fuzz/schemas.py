"""schemathesis against the city: cases of one operation, and sequences of operations that it links by itself.

It draws cases and checks answers; the requests go to the applications of this process, and to the oracle besides.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import msgspec
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, Unsatisfiable
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from tests.city.asking import Answer, Request
from tests.city.operations import COMMUNITY
from tests.city.village import Village
from tests.fuzz.campaign import Campaign

ORIGIN = "http://guildhall"
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
]
QUIET = settings(
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    stateful_step_count=20,
)
CALLERS = ("owner", "moderator", "author", "stranger")


class Cases:
    """Sends cases as somebody of a village. It is used in a thread; the city runs in the thread of `loop`."""

    def __init__(self, campaign: Campaign, village: Village, episode: str, loop: asyncio.AbstractEventLoop) -> None:
        self.campaign = campaign
        self.village = village
        self.episode = episode
        self.loop = loop
        self.sent = 0

    def send(self, service: str, case: Any) -> Response:
        """Have a case answered and judged by both; it is made to be about the village more often than not."""
        self.sent += 1
        who = CALLERS[self.sent % len(CALLERS)]
        prepared = requests.Request(**case.as_transport_kwargs(base_url=ORIGIN)).prepare()
        request = _request(service, prepared, self.village.bearer(who))
        judged = self.campaign.judged(self.episode, request)
        answer, _ = asyncio.run_coroutine_threadsafe(judged, self.loop).result()
        response = _response(prepared, answer)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # That a head is too large is a refusal, too, which the last check does not know.
                case.validate_response(response, checks=CHECKS[:-1] if answer.status in (414, 431) else CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                self.campaign.tally.found(
                    f"schemathesis, {service}: {failure.title}: {str(failure)[:200]!r}", self.episode, request, answer
                )
        return response


def _request(service: str, prepared: requests.PreparedRequest, bearer: Any) -> Request:
    parts = urlsplit(prepared.url or "")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = [
        (name.lower().encode("latin-1"), value if isinstance(value, bytes) else str(value).encode("latin-1", "replace"))
        for name, value in prepared.headers.items()
        if name.lower() not in ("authorization", "user-agent", "transfer-encoding")
    ]
    body = prepared.body or b""
    encoded = body.encode() if isinstance(body, str) else body
    assert isinstance(encoded, bytes)
    if any(name == b"guildhall-after" for name, _ in headers):  # most of what is drawn was never written
        headers = [(name, value) for name, value in headers if name != b"prefer"] + [(b"prefer", b"wait=0")]
    return Request(service, prepared.method or "GET", target, (*bearer, *headers), encoded)


def _response(prepared: requests.PreparedRequest, answer: Answer) -> Response:
    headers: dict[str, list[str]] = {}
    for name, value in answer.headers:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return Response(answer.status, headers, answer.body, prepared, 0.0, verify=True)


async def cases(campaign: Campaign, number: int, wanted: int) -> None:
    """An episode of schemathesis: cases of each operation in turn, beginning with another one at every episode."""
    # A backfill's lines are drawn by `generator.py`: schemathesis knows no NDJSON.
    known = [op for op in campaign.oracle.operations if op.body_type in (None, "application/json")]
    each = max(1, wanted // len(known))
    episode = f"schemathesis/{number}"

    def draw(sending: Cases) -> None:
        schemas = {name: _schema(document) for name, document in campaign.city.documents.items()}
        for at in range(len(known)):
            if sending.sent >= wanted:
                return
            op = known[(at + number * 7) % len(known)]
            strategy = schemas[op.service][op.path][op.method].as_strategy(
                GenerationMode.NEGATIVE if (at + number) % 2 and op.parameters else GenerationMode.POSITIVE,
                path_parameters={"community": sending.village.name} if op.path.startswith(COMMUNITY) else None,
            )

            def examples(case: Any, service: str) -> None:
                sending.send(service, case)

            drawn = given(case=strategy, service=st.just(op.service))(examples)
            with suppress(Unsatisfiable):  # nothing about it can be wrong: no parameters, no body
                hypothesis.seed(f"{campaign.seed}/{episode}/{at}")(settings(QUIET, max_examples=each)(drawn))()

    await _in_thread(campaign, episode, draw)


async def sequences(campaign: Campaign, number: int, wanted: int) -> None:
    """An episode of schemathesis' state machines, a service's at a time."""
    episode = f"sequences/{number}"

    def draw(sending: Cases) -> None:
        services = ("content", "feedback", "member", "engagement")
        for at, service in enumerate(services):
            machine = _schema(campaign.city.documents[service]).as_state_machine()

            class Sending(machine):  # type: ignore[misc, valid-type]
                def before_call(self, case: Any) -> None:
                    if "community" in case.path_parameters:
                        case.path_parameters["community"] = sending.village.name

                def call(self, case: Any, service: str = service, **_: Any) -> Response:
                    return sending.send(service, case)

                def validate_response(self, response: Response, case: Any, *_: Any, **__: Any) -> None:
                    return  # it has been, in `send`

            while sending.sent < wanted * (at + 1) / len(services):
                hypothesis.seed(f"{campaign.seed}/{episode}/{at}/{sending.sent}")(Sending)
                with suppress(Flaky):  # what is drawn follows from what was answered, which time may change
                    Sending.run(settings=settings(QUIET, max_examples=5))

    await _in_thread(campaign, episode, draw)


def _schema(document: Any) -> Any:
    """Without its security: everybody here has a token, and what wrong ones come to is in `tests/security`.

    And without backfills: it knows no NDJSON.
    """
    plain = msgspec.json.decode(msgspec.json.encode(document))
    plain["paths"] = {path: item for path, item in plain["paths"].items() if not path.endswith("/backfill")}
    for item in plain["paths"].values():
        for operation in item.values():
            operation.pop("security", None)
    return schemathesis.openapi.from_dict(plain, config=SchemathesisConfig())


async def _in_thread(campaign: Campaign, episode: str, draw: Callable[[Cases], None]) -> None:
    village = await Village(campaign.city, f"s-{campaign.seed}-{episode.replace('/', '-')}").settle()
    await asyncio.to_thread(draw, Cases(campaign, village, episode, asyncio.get_running_loop()))
