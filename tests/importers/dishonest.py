"""A server that speaks as the tests tell it, and what of its words must reach no terminal."""

from __future__ import annotations

import asyncio
import json
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.importers.fake_guildhall import FakeGuildhall

OWNED = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\r\n"
"""Sets a terminal's title, empties it, turns what follows."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"

Saying = Callable[[asyncio.StreamWriter, list[dict[str, Any]]], Awaitable[None]]


def steering(output: str) -> set[str]:
    """What in it would move a terminal, but for line ends."""
    return {char for char in output if char != "\n" and unicodedata.category(char) in ("Cc", "Cf")}


@dataclass
class Dishonest(FakeGuildhall):
    """Says `saying` to whatever path ends in `where`; behaves otherwise."""

    where: str = "/backfill"
    saying: Saying | None = None
    asked: list[str] = field(default_factory=list)

    async def answer(
        self, writer: asyncio.StreamWriter, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> bool:
        self.asked.append(f"{method} {path}")
        if self.saying is None or not path.partition("?")[0].endswith(self.where):
            return await super().answer(writer, method, path, headers, body)
        lines = body.splitlines() if self.where == "/backfill" else []
        await self.saying(writer, [json.loads(line) for line in lines])
        return False


def raw(content: bytes) -> Saying:
    """Those bytes, and the end."""

    async def say(writer: asyncio.StreamWriter, lines: list[dict[str, Any]]) -> None:
        writer.write(content)
        await writer.drain()

    return say


def for_ever(head: bytes, piece: bytes, pause: float = 0.0) -> Saying:
    """A head, and then the same again and again until nobody listens."""

    async def say(writer: asyncio.StreamWriter, lines: list[dict[str, Any]]) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return say


def lines_of(*answers: object) -> Saying:
    """A whole answer to a backfill, a line each."""
    return raw(HEAD + b"\r\n" + b"".join(json.dumps(answer).encode() + b"\n" for answer in answers))


def each(answer: dict[str, object]) -> Saying:
    """The same to each line of a backfill."""

    async def say(writer: asyncio.StreamWriter, lines: list[dict[str, Any]]) -> None:
        await lines_of(*({"line": number} | answer for number in range(1, len(lines) + 1)))(writer, lines)

    return say
