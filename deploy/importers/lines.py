"""What a dump is told as: backfill lines, in phases, or reasons why not; and the count of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Told = Callable[[str, int, int | None], None]
"""Hears what is going on (`reading Posts`, `sending replies`), to how many rows so far, and of how many, once known."""


@dataclass(frozen=True, slots=True)
class Line:
    """One backfill line, and the row it comes from (`table`, `row`); `kind` is what the row becomes.

    `notes` say what of the row does not come in as it stands.
    """

    table: str
    row: str
    kind: str
    command: dict[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    reason: str


@dataclass(frozen=True, slots=True)
class Phase:
    """Lines of one kind, in no order among themselves; they may refer to those of earlier phases."""

    kind: str
    kinds: str
    service: str
    table: str


CHANNELS = Phase("channel", "channels", "content", "")
PHASES = (
    Phase("member", "members", "member", "Users"),
    Phase("thread", "threads", "content", "Posts"),
    Phase("reply", "replies", "content", "Posts"),
    Phase("comment", "comments", "content", "Comments"),
    Phase("acceptance", "acceptances", "content", "Votes"),
    Phase("reaction", "reactions", "engagement", "Votes"),
)


@dataclass
class Census:
    """What is in a dump: rows per table, rows left out per table and reason, lines per kind, notes and remarks.

    `notes` count rows that do not come in as they stand; `remarks` are sentences on whole files.
    """

    rows: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, Counter[str]] = field(default_factory=dict)
    lines: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)
    first: str | None = None
