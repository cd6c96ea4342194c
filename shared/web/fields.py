"""Text from outside is checked at the edge, as one of three kinds: prose, a name, a key; and a time is a text, too.

Prose comes back as it was sent, a name stands on one line and shows, a key is somebody else's id.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,  # noqa: TID251 - this is where it is made one
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

from shared.web.characters import SHOWING, SPACES, foreign, named, trimmed, why_not

WIDEST = 4
"""So many characters may become one when they are composed."""


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
class words:  # noqa: N801 - reads as a constraint: Annotated[str, words(2_000)]
    """Prose of at most `max_length` characters that shows, kept as it was sent but for line ends at its end."""

    max_length: int
    rule: ClassVar[str] = "Comes back as it was sent, but for line ends at its end; something in it shows."

    def kept(self, text: str) -> str:
        return shown(within(storable(text.rstrip("\r\n")), self.max_length))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.kept, core_schema.str_schema())

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"description": self.rule, **handler(schema), "minLength": 1, "maxLength": self.max_length}


class name(words):  # noqa: N801
    """One line of at most `max_length` characters that shows, composed (NFC), trimmed of what does not show.

    Control characters, overrides of direction and what does not show are refused, but where a word or an emoji is
    spelled with it. Marks of direction may stand beside right-to-left letters, where they set signs in their place;
    elsewhere they change nothing that is seen.
    """

    __slots__ = ()
    rule: ClassVar[str] = (
        "One line in which something shows, kept composed (NFC) and without what does not show at its ends. No control "
        "characters, overrides of direction, or characters that do not show and are no spelling."
    )

    def kept(self, text: str) -> str:
        line = trimmed(within(text.strip(SPACES), self.max_length, parts=WIDEST))
        if found := foreign(line).search(line):
            rule = {"character": named(found[0]), "rule": why_not(found[0])}
            raise PydanticCustomError("name", "{character} cannot stand in a name: {rule}", rule)
        return shown(within(unicodedata.normalize("NFC", line), self.max_length))


class key(words):  # noqa: N801
    """An id of elsewhere, of 1 to `max_length` characters after trimming: compared as it is, not as it reads."""

    __slots__ = ()
    rule: ClassVar[str] = "Compared character by character, without white space at its ends."

    def kept(self, text: str) -> str:
        kept = storable(text.strip(SPACES))
        if not kept:
            raise PydanticKnownError("string_too_short", {"min_length": 1})
        return within(kept, self.max_length)


def within(text: str, most: int, parts: int = 1) -> str:
    """The text, if it has at most so many characters, or so many of `parts` each before they are composed."""
    if len(text) > most * parts:
        raise PydanticKnownError("string_too_long", {"max_length": most})
    return text


def shown(text: str) -> str:
    """The text, if at least one of its characters shows."""
    if SHOWING.search(text) is None:
        raise PydanticCustomError("nothing_shows", "The text must have at least one character that shows")
    return text


def _written_as_text(value: object) -> object:
    """A number would be taken for seconds or milliseconds, whichever makes it look like a time of today."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and ":" in value):
        raise PydanticCustomError("time_type", "The time is a text as RFC 3339 has it.")
    return value


def _in_utc(moment: datetime) -> datetime:
    """The same moment in UTC. On its first and last day a time with an offset may lie before or after all of them."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time_range", "The time lies outside the years 1 to 9999 of UTC.") from None


def _no_other_kind(value: Any) -> Any:
    """A text of digits and a yes are numbers to Python, and none to JSON."""
    if isinstance(value, (bool, str)):
        raise PydanticCustomError("int_type", "This is no whole number")
    return value


Whole = Annotated[int, BeforeValidator(_no_other_kind)]
"""A whole number in a body, as its schema has it: no text of digits, and no `true` for 1."""
Moment = Annotated[AwareDatetime, BeforeValidator(_written_as_text), AfterValidator(_in_utc)]
"""A time in a body: a text with an offset, such as `2026-03-01T12:00:00Z`, never a number; it is kept in UTC."""


class _Shown(BaseModel):
    """A body with an example: `class NewThread(Body, example={…})`; what derives from it inherits it."""

    def __init_subclass__(cls, *, example: Mapping[str, Any] | None = None, **more: Any) -> None:
        super().__init_subclass__(**more)
        if example is not None:
            cls.model_config = {**cls.model_config, "json_schema_extra": {"examples": [dict(example)]}}


class Body(_Shown):
    """Base of every request body: unknown fields are refused, infinities too, and nobody changes it afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Answer(_Shown):
    """Base of every response body."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    @classmethod
    def of(cls, source: object, **beside: Any) -> Self:
        """The answer that shows a state or a row: what is not given `beside` is its attribute of the same name."""
        return cls(**{name: beside[name] if name in beside else getattr(source, name) for name in cls.model_fields})
