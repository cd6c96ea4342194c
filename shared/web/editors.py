"""Who edited what is shown: whoever put the words that stand into the place of others, or brought them in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypedDict
from uuid import UUID

from pydantic import Field

from shared.events.event import Recorded
from shared.events.history import Done

EditedBy = Annotated[
    UUID | None,
    Field(description="Who edited it last; of an edit that was brought in, who brought it. Null where nobody did."),
]


class Edited(TypedDict):
    """When the words were edited last, and by whom."""

    edited_at: datetime | None
    edited_by: UUID | None


def edited(last: Done | None, elsewhere: datetime | None) -> Edited:
    """What an answer says of the `last` edit, or of the one `elsewhere` before it was brought in."""
    return Edited(edited_at=last.at if last else elsewhere, edited_by=editor(last) if last else None)


def editor(edit: Done | Recorded) -> UUID | None:
    """Who answers for an edit. A dump says when something was edited and not by whom, so it is who brought it in, and
    never whose words they are said to be.
    """
    return edit.imported_by or edit.actor
