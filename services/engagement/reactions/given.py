"""When a reaction was given: the log knows, the state does not."""

from __future__ import annotations

from collections.abc import Sequence

from services.engagement.events import ReactionAdded
from services.engagement.reactions.domain import Given
from shared.event import Recorded, wire_name


def given_in(records: Sequence[Recorded]) -> Given | None:
    """The last giving among the events of a reaction; None where there is none."""
    times = [record.occurred_at for record in records if record.type == wire_name(ReactionAdded)]
    return Given(len(times), times[-1]) if times else None
