"""What is written belongs to its author: who may change it, and how new words take the place of old ones. Pure.

The words themselves are in the vault (`bodies.py`); here a text is the reference to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from shared.events.errors import Conflict, Forbidden, NotFound
from shared.events.event import Text


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a member, or None for nobody known; `moderates` gives power over what others wrote.

    What others wrote is not there for who does not read here, such as one who has left a community for members.
    """

    id: UUID | None
    moderates: bool = False
    reads: bool = True

    def owns(self, author_id: UUID | None) -> bool:
        """Whether this is the author; what nobody wrote belongs to nobody."""
        return self.id is not None and self.id == author_id


@dataclass(frozen=True, slots=True)
class Revision:
    """New words in the place of those that were read: `text` is to follow `before`."""

    before: Text | None
    text: Text


def must_be_allowed(by: Actor, author_id: UUID | None, what: str) -> None:
    """Raises `Forbidden` unless it is the author or a moderator who acts, `NotFound` for who may not know of it."""
    if by.moderates or by.owns(author_id):
        return
    if not by.reads:
        raise NotFound(f"There is no such {what}.")
    raise Forbidden("Only its author and moderators may do this.")


def revised(current: Text | None, revision: Revision | None) -> Text | None:
    """The text that stands after a revision, or without one (None) as before.

    Raises `Conflict` when the words that were revised are no longer those that stand.
    """
    if revision is None or current == revision.text:
        return current
    if current != revision.before:
        raise Conflict("Somebody changed the text at the same moment. Read it again.", retry_after=1)
    return revision.text
