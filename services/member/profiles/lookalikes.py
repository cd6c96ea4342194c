"""Two names look alike when their skeletons are the same (UTS #39, 4), as they are written or folded."""

from __future__ import annotations

import json
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

import regex

from shared.unseen import BLANK, BOUND, INVISIBLE

LONGEST: Final = 320
"""Characters of a name that are compared, after normalisation: one may become eighteen, and a name has 80."""

_UNSEEN: Final = regex.compile(rf"[{INVISIBLE}{BOUND}]")
_DRAWN: Final = regex.compile(
    r"(?:(?P<script>LATIN|GREEK|CYRILLIC) LETTER SMALL CAPITAL"
    r"|(?:CROSSED )?NEGATIVE (?:CIRCLED|SQUARED) LATIN CAPITAL LETTER"
    r"|REGIONAL INDICATOR SYMBOL LETTER) (?P<letter>.+)"
)
_SPACE: Final = regex.compile(rf"[\s{BLANK}]+")


def look_alike(one: str, other: str) -> bool:
    """Whether a reader takes one name for the other: Ada, Аdа, ADA, A\u200bda, Ada with two spaces for one."""
    return any(mine == theirs for mine, theirs in zip(_both(one), _both(other), strict=True))


@lru_cache(maxsize=10_000)
def _both(name: str) -> tuple[str, str]:
    """Its skeleton, as it is written and folded; kept, since one name is compared with those of all role holders."""
    return skeleton(name), _folded(name)


def skeleton(name: str) -> str:
    """What is left of a name when all that look alike are one; for comparing, never for showing."""
    seen = _UNSEEN.sub("", _SPACE.sub(" ", unicodedata.normalize("NFD", name[:LONGEST])))
    prototypes = _prototypes()
    alike = unicodedata.normalize("NFD", "".join(prototypes.get(sign, sign) for sign in seen))
    return _SPACE.sub(" ", alike).strip()


def _folded(name: str) -> str:
    """The skeleton in one case; folded once more, because a nought's prototype is a capital O."""
    plain = "".join(map(_letter, unicodedata.normalize("NFKC", name)[:LONGEST]))
    return skeleton(plain.casefold()).casefold()


@cache
def _letter(sign: str) -> str:
    """The letter that a sign is a drawing of, as its name says: a small capital, one in a flag, in a black box.

    Unicode decomposes none of them, and its table of confusables lists some beside Cherokee.
    """
    found = _DRAWN.fullmatch(unicodedata.name(sign, ""))
    if found is None:
        return sign
    try:
        return unicodedata.lookup(f"{found['script'] or 'LATIN'} SMALL LETTER {found['letter']}")
    except KeyError:  # inverted, reversed: none that anybody writes
        return sign


@cache
def _prototypes() -> dict[str, str]:
    """Each character's prototype.

    The library lists for each what it is confused with, both ways round. The prototype is what all of a set are listed
    beside; of two, what is written with more characters, as `rn` for m. Read from its file, since importing it would
    keep 20 MB.
    """
    listed = json.loads(files("confusable_homoglyphs").joinpath("confusables.json").read_bytes())
    twins: dict[str, set[str]] = {}
    for sign, others in listed.items():
        twins.setdefault(_bare(sign), set()).update(_bare(other["c"]) for other in others)

    def rank(sign: str) -> tuple[int, int, str]:
        return len(twins[sign]), len(sign), sign

    prototypes = {sign: max([sign, *others], key=rank) for sign, others in twins.items() if len(sign) == 1}
    return {sign: prototype for sign, prototype in prototypes.items() if prototype != sign}


def _bare(sign: str) -> str:
    """Without the marks of direction that the table sets around right-to-left letters."""
    return sign.replace("\u200e", "")
