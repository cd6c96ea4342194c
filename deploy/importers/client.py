"""Backfill lines go out in bounded requests, and what may have been lost is sent again: repeating is harmless.

An HTTP/1.1 client that sends and receives at once would need no bound; httpx2 reads an answer only after it has sent
the whole request. So a request is small enough that its answer waits in buffers, and several are on their way.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import httpx2 as httpx
import msgspec

from deploy.importers.stackexchange import Line

LINES = 500  # of a request
BYTES = 256 * 1024  # of a request, a single longer line excepted
IN_FLIGHT = 3  # requests on their way at once
PATIENCE = 60.0  # seconds a request is tried again
FIRST_CONTACT = 10.0  # the same for the first one, before which nothing is known to be there
NOT_YET = 15.0  # the same where a service may merely not have heard yet of what another one has taken in
PAUSE_FIRST, PAUSE_MOST = 0.1, 5.0
TIMEOUT = httpx.Timeout(60.0, connect=5.0)
TRY_AGAIN = frozenset({404, 408, 425, 429, 500, 502, 503, 504})


class ImportStopped(Exception):
    """The import cannot go on; the message says why and what to do. What was sent stays and is repeated next time."""


class LeftOutPart(msgspec.Struct, frozen=True):
    """A part of a line that a service left out because it does not fit: where it stands, and why."""

    pointer: str
    detail: str


class Answer(msgspec.Struct, frozen=True):
    """What a service answers to one line: the id of what it wrote to, and the member who acted."""

    line: int
    status: Literal["applied", "edited", "repeated", "rejected"]
    id: UUID | None = None
    member: UUID | None = None
    left_out: list[LeftOutPart] = []
    problem: dict[str, Any] | None = None


class _Lost(Exception):
    """A try failed in a way that may pass: the reason in words, and how long the other side asks to wait."""

    def __init__(self, reason: str, wait: float = 0.0, patience: float = PATIENCE) -> None:
        super().__init__(reason)
        self.wait, self.patience = wait, patience


T = TypeVar("T")

_answers = msgspec.json.Decoder(Answer)
_encoder = msgspec.json.Encoder()


class Guildhall:
    """One origin, one token. Use as `async with`."""

    def __init__(self, origin: str, token: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.origin = origin.rstrip("/")
        self._client = httpx.AsyncClient(
            base_url=self.origin,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT,
            transport=transport,
            trust_env=not _is_here(self.origin),  # a proxy of the environment does not reach this machine
        )

    async def __aenter__(self) -> Guildhall:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.aclose()

    async def found(self, slug: str, name: str, language: str) -> bool:
        """Make sure the community is there: public, open, days in UTC when it has to be founded. True when it was."""
        return await self._patiently(lambda: self._found(slug, name, language), FIRST_CONTACT)

    async def _found(self, slug: str, name: str, language: str) -> bool:
        there = await self._client.get(f"/v1/communities/{slug}")
        if there.status_code == 200:
            return False
        if there.status_code != 404:
            raise _refusal(there)
        made = await self._client.post(
            "/v1/communities",
            json={
                "slug": slug,
                "name": name,
                "purpose": f"Imported: {name}",
                "language": language,
                "time_zone": "UTC",
                "visibility": "public",
                "admission": "open",
            },
        )
        if made.status_code != 201:
            raise _refusal(made)
        return True

    async def channels(self, community: str) -> list[dict[str, Any]]:
        """The community's channels, as the API shows them. Raises `ImportStopped`."""
        found: list[dict[str, Any]] = []
        page: dict[str, str] = {}
        while True:
            answer = await self._patiently(partial(self._page, f"/v1/communities/{community}/channels", page))
            found += answer.get("items", [])
            if not answer.get("next"):
                return found
            page = {"cursor": answer["next"]}

    async def _page(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        response = await self._client.get(path, params={"limit": "200", **query})
        if response.status_code != 200:
            raise _refusal(response)
        answer: dict[str, Any] = response.json()
        return answer

    async def send(
        self, community: str, service: str, lines: Iterable[Line]
    ) -> AsyncIterator[list[tuple[Line, Answer]]]:
        """Send lines, none of which needs another, to a service; yields answers in the order of the lines.

        What a service refuses at first because it does not know it
        may be on its way from another service, so it is asked again for a while. Raises `ImportStopped`.
        """
        waiting: deque[asyncio.Task[list[tuple[Line, Answer]]]] = deque()
        path = f"/v1/communities/{community}/{service}/backfill"
        settled = time.monotonic() + NOT_YET
        try:
            for request in _requests(lines):
                waiting.append(asyncio.create_task(self._deliver(path, request, settled)))
                if len(waiting) == IN_FLIGHT:
                    yield await waiting.popleft()
            while waiting:
                yield await waiting.popleft()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _deliver(self, path: str, lines: list[tuple[Line, bytes]], settled: float) -> list[tuple[Line, Answer]]:
        """Send lines until each has an answer; those that were answered before a try was lost are not sent again."""
        answers: dict[int, Answer] = {}

        async def deliver() -> None:
            unanswered = [number for number in range(len(lines)) if number not in answers]
            reason = "the answer ended early"
            async for answer in self._exchange(path, [lines[number][1] for number in unanswered]):
                status = answer.problem.get("status") if answer.problem else None
                if status == 503 or (status in (403, 404) and time.monotonic() < settled):
                    reason = str(answer.problem and answer.problem.get("detail"))
                elif 1 <= answer.line <= len(unanswered):
                    answers[unanswered[answer.line - 1]] = answer
            if len(answers) < len(lines):
                raise _Lost(reason)

        await self._patiently(deliver)
        return [(line, answers[number]) for number, (line, _) in enumerate(lines)]

    async def _exchange(self, path: str, bodies: list[bytes]) -> AsyncIterator[Answer]:
        headers = {"Content-Type": "application/x-ndjson", "Accept": "application/x-ndjson"}
        async with self._client.stream("POST", path, content=b"".join(bodies), headers=headers) as response:
            if response.status_code != 200:
                await response.aread()
                raise _refusal(response)
            async for text in response.aiter_lines():
                if text:
                    yield _answers.decode(text)

    async def _patiently(self, attempt: Callable[[], Awaitable[T]], patience: float = PATIENCE) -> T:
        """Try until it succeeds, with growing pauses, as long as there is hope."""
        began, tries = time.monotonic(), 0
        while True:
            try:
                return await attempt()
            except (httpx.TransportError, msgspec.DecodeError, _Lost) as error:
                lost = error if isinstance(error, _Lost) else _Lost(_words_of(error))
                tries += 1
                most = min(PAUSE_MOST, PAUSE_FIRST * 2**tries)
                pause = max(lost.wait, random.uniform(most / 2, most))  # noqa: S311 - spreads the retries
                if time.monotonic() + pause - began > min(patience, lost.patience):
                    raise ImportStopped(self._given_up(lost)) from error
                await asyncio.sleep(pause)

    def _given_up(self, lost: _Lost) -> str:
        return (
            f"{self.origin} does not answer as it should: {lost}. "
            "Start it with `guildhall up` (or name another with --origin) and run the import again; "
            "what was sent before counts, and sending it twice changes nothing."
        )


def _requests(lines: Iterable[Line]) -> Iterator[list[tuple[Line, bytes]]]:
    """The lines cut into requests, each line with its bytes."""
    request: list[tuple[Line, bytes]] = []
    size = 0
    for line in lines:
        body = _encoder.encode(line.command) + b"\n"
        if request and (len(request) == LINES or size + len(body) > BYTES):
            yield request
            request, size = [], 0
        request.append((line, body))
        size += len(body)
    if request:
        yield request


def _refusal(response: httpx.Response) -> Exception:
    """What an answer that is no success means: try again, or stop."""
    try:
        problem = response.json()
        detail = str(problem.get("detail") or problem.get("title"))
    except (ValueError, AttributeError):
        detail = response.reason_phrase
    words = f"{response.request.method} {response.request.url.path} → {response.status_code}: {detail}"
    if response.status_code in TRY_AGAIN:
        wait = response.headers.get("Retry-After", "")
        return _Lost(
            words, float(wait) if wait.isdecimal() else 0.0, NOT_YET if response.status_code == 404 else PATIENCE
        )
    hint = " Give another token with --token or GUILDHALL_TOKEN." if response.status_code in (401, 403) else ""
    return ImportStopped(words + hint)


def _words_of(error: Exception) -> str:
    return str(error) or type(error).__name__


def _is_here(origin: str) -> bool:
    host = urlsplit(origin).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
