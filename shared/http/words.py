"""Text from outside is checked at the edge: storable, trimmed, not empty, and no longer than its place allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


def storable(text: str) -> str:
    """The text, if every store and encoding can hold it: without NUL and without half a surrogate pair."""
    if "\x00" in text:
        raise PydanticCustomError("nul_character", "The text holds a NUL character. Leave it out.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise PydanticCustomError("lone_surrogate", "The text holds half a surrogate pair. Leave it out.") from None
    return text


@dataclass(frozen=True, slots=True)
class words:  # noqa: N801 - reads as a constraint: Annotated[str, words(80)]
    """Text of 1 to `max_length` characters after trimming: `Annotated[str, words(80)]`."""

    max_length: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(strip_whitespace=True, min_length=1, max_length=self.max_length)
        return core_schema.no_info_after_validator_function(storable, text)


Words = Annotated[str, words(200)]
"""A name, a title, a tag: a line's worth."""

Prose = Annotated[str, words(50_000)]
"""A body: as much as a person writes at once."""


class Body(BaseModel):
    """Base of every request body: unknown fields are refused, infinities too, and nobody changes it afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Answer(BaseModel):
    """Base of every response body."""

    model_config = ConfigDict(frozen=True, from_attributes=True)
