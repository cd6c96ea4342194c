"""What a server answers is read within bounds and as what it must be: it may be anybody's, or broken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Literal, TypeVar
from uuid import UUID

import httpx2 as httpx
import msgspec

from deploy.terminal import printable

OF_AN_ANSWER = 2 << 20
"""Bytes; the services end a page before its words pass a megabyte."""
OF_A_LINE = 16 * 1024
"""Bytes of the answer to a line, on average; a refusal with all that is wrong has some."""

OF_A_TURN = 256
"""Parts of an answer that are read before anything else has its turn."""


class Strange(Exception):
    """An answer that cannot be one of Guildhall's; the message says what is wrong with it."""


class LeftOutPart(msgspec.Struct, frozen=True):
    """A part of a line that a service left out because it does not fit: where it stands, and why."""

    pointer: str
    detail: str


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    pointer: str | None = None
    detail: str | None = None


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why something was refused (RFC 9457)."""

    status: int | None = None
    type: str | None = None
    title: str | None = None
    detail: str | None = None
    errors: list[Fault] = []

    @property
    def why(self) -> str:
        return printable(self.detail or self.title or "no reason given")


class Answer(msgspec.Struct, frozen=True):
    """What a service answers to one line: the id of what it wrote to, and the member who acted."""

    line: int
    status: Literal["applied", "edited", "repeated", "rejected"]
    id: UUID | None = None
    member: UUID | None = None
    left_out: list[LeftOutPart] = []
    problem: Problem | None = None


class Channel(msgspec.Struct, frozen=True):
    name: str
    purpose: str | None = None


class Channels(msgspec.Struct, frozen=True):
    """A page of a community's channels."""

    items: list[Channel]
    next: str | None = None


T = TypeVar("T")

_line = msgspec.json.Decoder(Answer)
channels = msgspec.json.Decoder(Channels)
problem = msgspec.json.Decoder(Problem)


def decoded(decode: Callable[[bytes], T], content: bytes) -> T:
    """Raises `Strange` for what is not of the kind."""
    try:
        return decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Strange(f"its answer cannot be read: {printable(str(error))}") from None


async def whole(response: httpx.Response) -> bytes:
    """All that is answered. Raises `Strange` when that is more than anything is."""
    return b"".join([part async for part in _parts(response, OF_AN_ANSWER)])


async def answers(response: httpx.Response, lines: int) -> AsyncIterator[Answer]:
    """The answers to so many lines, each to one of them and none twice. Raises `Strange`."""
    waiting = set(range(1, lines + 1))
    async for text in _lines(response, OF_AN_ANSWER + lines * OF_A_LINE):
        answer = decoded(_line.decode, text)
        if answer.line not in waiting:
            twice = 1 <= answer.line <= lines
            raise Strange(f"it answers line {answer.line} {'twice' if twice else f'of {lines} that were sent'}")
        waiting.remove(answer.line)
        yield answer


async def _lines(response: httpx.Response, most: int) -> AsyncIterator[bytes]:
    rest = bytearray()  # to add a part costs that part alone: it may be a byte
    async for part in _parts(response, most):
        first, *others = part.split(b"\n")
        rest += first
        for other in others:
            if rest.strip():
                yield bytes(rest)
            rest = bytearray(other)
        if len(rest) > OF_AN_ANSWER:
            raise Strange("the answer to a line does not end")
    if rest:
        yield bytes(rest)


async def _parts(response: httpx.Response, most: int) -> AsyncIterator[bytes]:
    """As they come, never unpacked: a few bytes could unpack to any number."""
    if (encoding := response.headers.get("Content-Encoding", "identity")).lower() != "identity":
        raise Strange(f"its answer is packed ({printable(encoding, 20)}), which was not asked for")
    size = 0
    parts = 0
    async for part in response.aiter_raw():
        size += len(part)
        parts += 1
        if parts % OF_A_TURN == 0:
            await asyncio.sleep(0)  # else what has arrived already is read to its end before any clock is looked at
        if size > most:
            raise Strange(f"its answer is longer than {most:,} bytes")
        yield part
