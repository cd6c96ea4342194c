"""Who edited what is shown: whoever put the words that stand into the place of others, or brought them in."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.events.event import Recorded

EditedBy = Annotated[
    UUID | None,
    Field(description="Who edited it last; of an edit that was brought in, who brought it. Null where nobody did."),
]


def editor(edit: Recorded) -> UUID | None:
    """Who answers for an edit, as `Fact.by`."""
    return edit.imported_by or edit.actor
