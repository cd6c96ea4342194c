"""Tags are words of any script in lower case: at most ten on a thread, each of at most 50 characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

from pydantic_core import PydanticCustomError

MOST: Final = 10
LONGEST: Final = 50
SIGNS: Final = frozenset("-_.+#")


def normal(tag: str) -> str:
    """The tag as it is kept: composed (NFC), trimmed, in lower case. Raises `ValueError` for what is no tag."""
    word = unicodedata.normalize("NFC", tag.strip().lower())
    if not 0 < len(word) <= LONGEST:
        raise PydanticCustomError("tag", f"A tag has 1 to {LONGEST} characters")
    if not all(sign in SIGNS or unicodedata.category(sign)[0] in "LMN" for sign in word):
        raise PydanticCustomError("tag", f"A tag holds letters, digits and {' '.join(sorted(SIGNS))}, no spaces")
    return word


def normalised(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags as they are kept, each once, in the order given. Raises `ValueError`, also for more than ten."""
    words = tuple(dict.fromkeys(normal(tag) for tag in tags))
    if len(words) > MOST:
        raise PydanticCustomError("tags", f"A thread has at most {MOST} tags")
    return words
