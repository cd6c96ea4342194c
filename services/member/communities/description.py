"""What may stand in a community's description: a slug that is no id, a language tag, a time zone that exists."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from shared.events.identity import SLUG, community_id, derived_id
from shared.web.fields import name, words

_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)",
    re.IGNORECASE | re.ASCII,
)


_NO_PLACES = {"localtime", "Factory"}
"""In the database of many systems, and another zone on each: what the machine is set to, and what it is before."""


def checked_slug(slug: str) -> str:
    """The slug, if a path with it cannot mean anything else."""
    if SLUG.fullmatch(slug) is None:
        raise PydanticCustomError(
            "slug", "A slug is 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end"
        )
    if community_id(slug) != derived_id("community", slug):
        raise PydanticCustomError("slug", "A slug must not look like an id")
    return slug


def canonical_language(tag: str) -> str:
    """A language tag (RFC 5646: language, script, region, variants) in the case the RFC recommends."""
    found = _TAG.fullmatch(tag)
    if found is None:
        raise PydanticCustomError("language", "This is no language tag such as `fr`, `zh-Hans` or `pt-BR`")
    parts = [found["language"].lower()]
    parts += [found["script"].title()] if found["script"] else []
    parts += [found["region"].upper()] if found["region"] else []
    return "-".join(parts) + found["variants"].lower()


def known_time_zone(zone: str) -> str:
    """The zone's name, if the IANA time zone database has it."""
    if zone not in _time_zones():
        raise PydanticCustomError("time_zone", "This is no IANA time zone such as `Europe/Paris` or `UTC`")
    return zone


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones()) - _NO_PLACES


Slug = Annotated[str, Field(max_length=63), AfterValidator(checked_slug)]
Language = Annotated[str, Field(max_length=35), AfterValidator(canonical_language)]
TimeZone = Annotated[str, Field(max_length=64), AfterValidator(known_time_zone)]
Name = Annotated[str, name(100)]
Purpose = Annotated[str, words(2_000)]
