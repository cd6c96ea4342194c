"""A thing never hangs on its ornaments: a part of a line that does not fit is left out, and the answer says so."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import (
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    WrapValidator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from shared.web.characters import cleaned
from shared.web.fields import WIDEST

TOLD: Final = 20
"""Parts of a line that its answer names; the others it counts."""


@dataclass(slots=True)
class LeftOut:
    """Gathers what is left out of one line; it is the context in which the line is validated."""

    parts: list[dict[str, str]] = field(default_factory=list)
    _more: int = 0

    def add(self, pointer: str, detail: str) -> None:
        part = {"pointer": pointer, "detail": detail}
        if part in self.parts:
            return  # a line that is decided again
        if len(self.parts) < TOLD:
            self.parts.append(part)
            return
        self._more += 1
        self.parts[TOLD:] = [{"pointer": "", "detail": f"and {self._more:,} more"}]


def leave_out(info: ValidationInfo, detail: str, *within: int) -> None:
    """Tell that the field, or what is at that place in it, is left out."""
    assert isinstance(info.context, LeftOut), "lines are validated in such a context"
    info.context.add("/".join(["", str(info.field_name), *map(str, within)]), detail)


def _or_nothing(value: Any, validate: Callable[[Any], Any], info: ValidationInfo) -> Any:
    try:
        return validate(value)
    except ValidationError as error:
        leave_out(info, error.errors()[0]["msg"])
        return None


OrNothing: Final = WrapValidator(_or_nothing)
"""`Annotated[X | None, OrNothing]`: an X, or None and a note where what was given is none."""


def too_long(longest: int) -> str:
    return f"It is longer than {longest} characters; the rest is left out."


def shortened(longest: int) -> BeforeValidator:
    """`Annotated[str, words(80), shortened(80)]`: of longer words the end is left out."""

    def shorten(value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str) or len(text := value.strip()) <= longest:
            return value
        leave_out(info, too_long(longest))
        return text[: longest - 1].rstrip() + "…"

    return BeforeValidator(shorten)


@dataclass(frozen=True, slots=True)
class brought_in:  # noqa: N801 - reads as a constraint: Annotated[Annotated[str, name(80)] | None, brought_in(80)]
    """Before a `name(n)` or none: what may not stand in it is left out, and it is none where nothing shows then. What
    is too long is cut before anything is asked of it: composing takes the square of a run of marks.
    """

    longest: int

    def _clean(self, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str):
            return value
        if len(value) > WIDEST * self.longest:
            leave_out(info, too_long(self.longest))
            value = value[: WIDEST * self.longest]
        line = cleaned(value)
        if line != unicodedata.normalize("NFC", value.strip()):
            leave_out(info, "What may not stand in a name, or does not show, is left out or a space.")
        return line

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(self._clean, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        text, nothing = handler(schema)["anyOf"]
        return {
            "anyOf": [{**text, "minLength": 0, "description": "What may not stand in a name is left out."}, nothing]
        }
