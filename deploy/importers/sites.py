"""Which site a dump is of: as it is named, or by a moment that every edition of the site's dump has (docs/adr/0027)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

ACCOUNT = -1
"""The user that is the site's own account, a robot."""
NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
PURPOSE = "Questions and answers from Stack Exchange"
_PURPOSE = re.compile(rf"{PURPOSE} \(({NAME.pattern})\)")


def purpose_of(site: str) -> str:
    """What a site's channel is for, in words that say whose it is."""
    return f"{PURPOSE} ({site})"


def site_of(purpose: str | None) -> str | None:
    """The site whose channel that is; None for channels that were not imported."""
    found = _PURPOSE.fullmatch(purpose or "")
    return found and found[1]


@dataclass
class Anchors:
    """Moments that stay while a site grows: when its own account was made, else its first question, else its first
    user.
    """

    account: datetime | None = None
    question: tuple[int, datetime] | None = None
    user: tuple[int, datetime] | None = None

    def add_question(self, id_: int, at: datetime) -> None:
        self.question = min(self.question or (id_, at), (id_, at))

    def add_user(self, id_: int, at: datetime) -> None:
        if id_ == ACCOUNT:
            self.account = self.account or at
        self.user = min(self.user or (id_, at), (id_, at))

    @property
    def site(self) -> str:
        if self.account is not None:
            anchor = f"account {self.account.isoformat()}"
        elif self.question is not None:
            anchor = f"question {self.question[0]} {self.question[1].isoformat()}"
        elif self.user is not None:
            anchor = f"user {self.user[0]} {self.user[1].isoformat()}"
        else:
            return "nobodys"
        return f"site-{hashlib.sha256(anchor.encode()).hexdigest()[:10]}"
