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
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2 as httpx
import msgspec

from deploy.importers import answers as read
from deploy.importers.answers import Answer, Channel, Channels, Strange
from deploy.importers.stackexchange import Line
from deploy.terminal import printable

LINES = 500  # of a request
BYTES = 256 * 1024  # of a request, a single longer line excepted
IN_FLIGHT = 3  # requests on their way at once
PATIENCE = 60.0  # seconds a request is tried again
FIRST_CONTACT = 10.0  # the same for the first one, before which nothing is known to be there
NOT_YET = 15.0  # the same where a service may merely not have heard yet of what another one has taken in
PAUSE_FIRST, PAUSE_MOST = 0.1, 5.0
TIMEOUT = httpx.Timeout(60.0, connect=5.0)
OVERALL = 120.0  # seconds of a request and its answer; the gateway gives them 90
PAGES = 50  # of a community's channels
TRY_AGAIN = frozenset({404, 408, 425, 429, 500, 502, 503, 504})


class ImportStopped(Exception):
    """The import cannot go on; the message says why and what to do. What was sent stays and is repeated next time."""


class _Lost(Exception):
    """A try failed in a way that may pass: the reason in words, and how long the other side asks to wait."""

    def __init__(self, reason: str, wait: float = 0.0, patience: float | None = None) -> None:
        super().__init__(reason)
        self.wait, self.patience = wait, PATIENCE if patience is None else patience


T = TypeVar("T")

_encoder = msgspec.json.Encoder()


class Guildhall:
    """One origin, one token. Use as `async with`."""

    def __init__(self, origin: str, token: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.origin = origin.rstrip("/")
        self._client = httpx.AsyncClient(
            base_url=self.origin,
            headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"},
            follow_redirects=False,  # the token is for this origin alone
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
        path = f"/v1/communities/{slug}"
        there, said = await self._ask("GET", path)
        if there.status_code == 200:
            return False
        if there.status_code != 404:
            raise _refusal(there, said)
        made, said = await self._ask(
            "POST",
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
            raise _refusal(made, said)
        return True

    async def channels(self, community: str) -> list[Channel]:
        """The community's channels. Raises `ImportStopped`."""
        found: list[Channel] = []
        page: dict[str, str] = {}
        for _ in range(PAGES):
            answer = await self._patiently(partial(self._page, f"/v1/communities/{community}/channels", page))
            found += answer.items
            if answer.next is None:
                return found
            page = {"cursor": answer.next}
        raise ImportStopped(f"{self.origin} has no end of channels: {PAGES} pages, and more to come.")

    async def _page(self, path: str, query: dict[str, str]) -> Channels:
        response, said = await self._ask("GET", path, params={"limit": "200", **query})
        if response.status_code != 200:
            raise _refusal(response, said)
        return read.decoded(read.channels.decode, said)

    async def _ask(self, method: str, path: str, **how: Any) -> tuple[httpx.Response, bytes]:
        async with self._client.stream(method, path, **how) as response:
            return response, await read.whole(response)

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
                status = answer.problem and answer.problem.status
                if status == 429:
                    raise ImportStopped(self._used_up(answer))
                if status == 503 or (status in (403, 404) and time.monotonic() < settled):
                    reason = answer.problem.why if answer.problem else reason
                else:
                    answers[unanswered[answer.line - 1]] = answer
            if len(answers) < len(lines):
                raise _Lost(reason)

        await self._patiently(deliver)
        return [(line, answers[number]) for number, (line, _) in enumerate(lines)]

    async def _exchange(self, path: str, bodies: list[bytes]) -> AsyncIterator[Answer]:
        headers = {"Content-Type": "application/x-ndjson", "Accept": "application/x-ndjson"}
        async with self._client.stream("POST", path, content=b"".join(bodies), headers=headers) as response:
            if response.status_code != 200:
                raise _refusal(response, await read.whole(response))
            async for answer in read.answers(response, len(bodies)):
                yield answer

    async def _patiently(self, attempt: Callable[[], Awaitable[T]], patience: float | None = None) -> T:
        """Try until it succeeds, with growing pauses, as long as there is hope."""
        patience = PATIENCE if patience is None else patience
        began, tries = time.monotonic(), 0
        while True:
            try:
                async with asyncio.timeout(OVERALL):
                    return await attempt()
            except (httpx.TransportError, Strange, TimeoutError, _Lost) as error:
                lost = error if isinstance(error, _Lost) else _Lost(_words_of(error))
                tries += 1
                most = min(PAUSE_MOST, PAUSE_FIRST * 2**tries)
                pause = max(lost.wait, random.uniform(most / 2, most))  # noqa: S311 - spreads the retries
                if time.monotonic() + pause - began > min(patience, lost.patience):
                    raise ImportStopped(self._given_up(lost)) from error
                await asyncio.sleep(pause)

    def _used_up(self, answer: Answer) -> str:
        """What to do about the quota of a day."""
        now = datetime.now(UTC)
        left = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) - now
        hours, minutes = divmod(-(-left // timedelta(minutes=1)), 60)
        return (
            f"{self.origin} takes no more lines today from whose token this is: "
            f"{answer.problem.why if answer.problem else ''} What was sent before is in. "
            f"Run the same command again after midnight UTC, in {hours} h {minutes} min: it goes on where it stopped, "
            "since what is there already does not count again. An operator's token (--token) may go on at once."
        )

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


def _refusal(response: httpx.Response, said: bytes) -> Exception:
    """What an answer that is no success means: try again, or stop."""
    status = response.status_code
    try:
        detail = read.decoded(read.problem.decode, said).why
    except Strange:
        detail = printable(response.reason_phrase)
    words = f"{response.request.method} {response.request.url.path} → {status}: {detail}"
    if status in TRY_AGAIN:
        wait = response.headers.get("Retry-After", "")
        return _Lost(words, float(wait) if wait.isdecimal() else 0.0, NOT_YET if status == 404 else PATIENCE)
    hint = " Give another token with --token or GUILDHALL_TOKEN." if status in (401, 403) else ""
    if response.has_redirect_location:
        elsewhere = printable(response.headers["Location"])
        hint = f" It points to {elsewhere}, where nothing was sent: name that with --origin if you trust it."
    return ImportStopped(words + hint)


def _words_of(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"it takes longer than {OVERALL:.0f} s"
    return printable(str(error) or type(error).__name__)


def _is_here(origin: str) -> bool:
    host = urlsplit(origin).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
