"""What the attributes of a row mean: ids, moments, words and tags; and what is cut so that it fits."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime

import msgspec

TITLE, BODY = 300, 150_000
BODY_BYTES = 224 * 1024  # as JSON: a line may have 256 KiB
WIDEST = 4  # so many characters may become one when they are composed
TAGS, TAG = 50, 100

LONG_TITLE = f"with a title of more than {TITLE} characters: cut there"
LONG_BODY = f"with a text of more than {BODY:,} characters or {BODY_BYTES // 1024} KiB: cut there"
MANY_TAGS = f"with more than {TAGS} tags, or one of more than {TAG} characters: the others are kept"

_NUMBER = re.compile(r"-?[0-9]{1,18}").fullmatch
_PLAIN = re.compile(r"[!-~]")
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and a symbol that are drawn as nothing


def number(text: str | None) -> int | None:
    """An id of the dump; None for anything else. SQLite keeps 64 bits."""
    return int(text) if text is not None and _NUMBER(text) else None


def moment(text: str | None) -> datetime | None:
    """A date as the dumps have it, in UTC, which they do not say; None for what is none."""
    try:
        at = datetime.fromisoformat(text or "")
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def rfc3339(at: datetime) -> str:
    """In milliseconds, as in the dumps; in microseconds where it has any."""
    return at.isoformat(timespec="microseconds" if at.microsecond % 1000 else "milliseconds")[:-6] + "Z"


def title_of(text: str | None) -> tuple[str | None, tuple[str, ...]]:
    """On one line; None when nothing of it shows. And what was done to it."""
    line = " ".join((text or "").split())
    # Putting marks into order takes the square of their number.
    title = unicodedata.normalize("NFC", line[: TITLE * WIDEST + 1])
    if not _shows(title):
        return None, ()
    return (title, ()) if len(title) <= TITLE else (title[: TITLE - 1] + "…", (LONG_TITLE,))


def body_of(text: str | None) -> tuple[str | None, tuple[str, ...]]:
    """As it stands; None when nothing was written, or when the dump holds facts only. And what was done to it."""
    if text is None or not _shows(text):
        return None, ()
    body = text[:BODY]
    # No character takes more than six bytes.
    while len(body) * 6 > BODY_BYTES and (size := len(msgspec.json.encode(body))) > BODY_BYTES:
        body = body[: len(body) * BODY_BYTES // size]
    return body, (LONG_BODY,) if len(body) < len(text) else ()


def tags_of(text: str) -> list[str]:
    """The tags of `<one><two>`, as dumps had it until 2023, or `|one|two|`, as they have it since; each once."""
    return list(dict.fromkeys(re.findall(r"[^<>|]+", text)))


def fitting_tags(text: str) -> tuple[list[str], tuple[str, ...]]:
    """The tags that a line can hold; whether they are good ones is the service's to say. And what was done to them."""
    tags = tags_of(text)
    fitting = [tag for tag in tags if len(tag) <= TAG][:TAGS]
    return fitting, (MANY_TAGS,) if len(fitting) < len(tags) else ()


def _shows(text: str) -> bool:
    """Whether there is something to see in it."""
    return bool(_PLAIN.search(text)) or any(
        char not in _BLANK and unicodedata.category(char)[0] not in "ZCM" for char in text
    )
