"""Other tags for a thread: what is there already may stay, also where it would be refused today. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import PydanticCustomError

from services.content.tags import MOST, normal
from shared.events.errors import Invalid


def retagged(wanted: Sequence[str], present: Sequence[str]) -> tuple[str, ...]:
    """The tags as they are kept, each once. Raises `Invalid` for a new one that is none, and for more than ten where
    there are more than there were.
    """
    tags: dict[str, None] = {}
    for number, tag in enumerate(wanted):
        tags[tag if tag in present else _normal(tag, number)] = None
    if len(tags) > max(MOST, len(present)):
        raise Invalid(f"A thread has at most {MOST} tags; these are {len(tags)}.", pointer="/tags")
    return tuple(tags)


def _normal(tag: str, number: int) -> str:
    try:
        return normal(tag)
    except PydanticCustomError as error:
        raise Invalid(error.message(), pointer=f"/tags/{number}") from error
