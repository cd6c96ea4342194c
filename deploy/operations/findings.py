"""What a check finds: how it stands, what that means in one line, and what to do about it in another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class State(IntEnum):
    """In order of gravity; the gravest one is the doctor's exit status."""

    OK = 0
    WARNING = 1
    BROKEN = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """`where` is a service, or what stands outside of all. `action` is empty where nothing is to be done."""

    check: str
    where: str
    state: State
    meaning: str
    action: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "where": self.where,
            "state": self.state.name.lower(),
            "meaning": self.meaning,
            "action": self.action,
        }


def ok(check: str, where: str, meaning: str) -> Finding:
    return Finding(check, where, State.OK, meaning)


def warning(check: str, where: str, meaning: str, action: str) -> Finding:
    return Finding(check, where, State.WARNING, meaning, action)


def broken(check: str, where: str, meaning: str, action: str) -> Finding:
    return Finding(check, where, State.BROKEN, meaning, action)


def places(found: list[str], most: int = 5) -> str:
    """Some of them, in words, and how many more there are."""
    more = len(found) - most
    return ", ".join(found[:most]) + (f" and {more} more" if more > 0 else "")
