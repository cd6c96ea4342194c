"""The kinds of reactions that members give, each with its sign; those brought in from elsewhere know two more."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    LIKE = "like"
    LOVE = "love"
    HELPFUL = "helpful"
    INSIGHTFUL = "insightful"
    CELEBRATE = "celebrate"
    DISLIKE = "dislike"
    UNHELPFUL = "unhelpful"


NEGATIVE: Final = frozenset({Kind.DISLIKE, Kind.UNHELPFUL})

IMPORTED: Final = {"up": True, "down": False}
"""Votes of other systems, which say no more than their sign."""

SIGNS: Final = {**{str(kind): kind not in NEGATIVE for kind in Kind}, **IMPORTED}
"""Whether a reaction of that kind is positive."""
