"""What a request asks of a thing before it touches it: the preconditions of RFC 9110, 13, on versions of streams.

An entity tag here is the version, and after a dash what else the answer shows (`"3"`, `"3-9ac04f12"`). For a change the
version alone counts: what others count beside it, and the caller's own vote, stand in no change's way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE = re.compile(r'[ \t]*(?:(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(?:,|$)')


@dataclass(frozen=True, slots=True)
class Tags:
    """The entity tags of one header; `any` is `*`."""

    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()
    any: bool = False

    @property
    def all(self) -> frozenset[str]:
        """Weak and strong ones: what a weak comparison looks at."""
        return self.strong | self.weak


def parse_tags(value: str) -> Tags | None:
    """A header's tags, `*` or a list of one or more; None for what is neither."""
    if value.strip(" \t") == "*":
        return Tags(any=True)
    found: dict[bool, set[str]] = {False: set(), True: set()}
    position = 0
    while position < len(value):
        one = _ONE.match(value, position)
        if one is None:
            return None
        if one[2] is not None:
            found[one[1] is not None].add(one[2])
        position = one.end()
    return Tags(frozenset(found[False]), frozenset(found[True])) if found[False] or found[True] else None


@dataclass(frozen=True, slots=True)
class Precondition:
    """`match` is `If-Match`, `none_match` is `If-None-Match`; None where the header was not sent."""

    match: Tags | None = None
    none_match: Tags | None = None

    def broken(self, version: int, *, there: bool) -> str | None:
        """The header that forbids the change of a thing at that version, None where nothing does.

        `there` says whether the thing exists; one that was withdrawn has a version and does not.
        """
        at = str(version)
        if self.match is not None and not (there if self.match.any else at in _versions(self.match.strong)):
            return "If-Match"
        if self.none_match is not None and there and (self.none_match.any or at in _versions(self.none_match.all)):
            return "If-None-Match"
        return None

    def forgives(self, version: int) -> bool:
        """Whether a broken one may be passed over where the change has been made already: by this very request, whose
        first answer may have been lost (RFC 9110, 13.1.1). Then `If-Match` names a version that has passed.
        """
        if self.none_match is not None or self.match is None:
            return False
        return any(
            seen.isascii() and seen.isdecimal() and int(seen[:20]) < version for seen in _versions(self.match.strong)
        )

    def broken_for_list(self) -> str | None:
        """The same for a change of what is always there and has no strong tag: a list that something is added to."""
        if self.match is not None and not self.match.any:
            return "If-Match"
        return "If-None-Match" if self.none_match is not None and self.none_match.any else None


def _versions(tags: frozenset[str]) -> set[str]:
    return {tag.partition("-")[0] for tag in tags}
