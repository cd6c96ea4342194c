"""What the store can never take is narrowed down to the event and the view, and parked there; the rest is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from shared.subscription.source import Message


class Commit(Protocol):
    """Writes what messages come to, for all views or for `only` those; parked for the reason `refused`, if given."""

    async def __call__(
        self,
        messages: Sequence[Message],
        limits: Mapping[int, int] | None,
        only: Collection[str] | None = None,
        refused: str | None = None,
    ) -> None: ...


async def narrow_down(
    commit: Commit,
    views: Sequence[str],
    messages: Sequence[Message],
    limits: Mapping[int, int] | None,
    only: Collection[str] | None,
    error: Exception,
) -> None:
    """Commit the halves of what was refused, then each view alone, then park the one event for the one view."""
    half = len(messages) // 2
    if half:
        await commit(messages[:half], limits)
        await commit(messages[half:], limits)
    elif only is None and len(views) > 1:
        for name in views:
            await commit(messages, limits, [name])
    else:
        await commit(messages, limits, only, str(error))
