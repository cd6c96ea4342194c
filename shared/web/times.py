"""A time that a caller sends: with its offset, and one that there is in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError

from shared.web.backfill.command import as_text


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC. On its first and last day a time with an offset may lie before or after all of them."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time_range", "The time lies outside the years 1 to 9999 of UTC.") from None


Moment = Annotated[AwareDatetime, BeforeValidator(as_text), AfterValidator(in_utc)]
"""What every field of a body that is a time has as its type."""
