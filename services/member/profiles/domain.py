"""A member's profile is replaced as a whole. Its words are in the vault, which forgets those that were replaced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.member.events import ProfileUpdated
from services.member.profiles.lookalikes import look_alike
from shared.decider import Decider
from shared.errors import Invalid
from shared.event import Text
from shared.identity import derived_id

REMEMBERED: Final = 20
"""Of so many profiles that were replaced is known where their words were, until the vault has forgotten them."""


@dataclass(frozen=True, slots=True)
class Profile:
    """`replaced` are the references to words that stand no more, the last of them."""

    words: Text | None = None
    replaced: tuple[UUID, ...] = ()


def evolve(state: Profile, event: ProfileUpdated) -> Profile:
    before = (state.words.ref,) if state.words else ()
    return Profile(event.profile, (*state.replaced, *before)[-REMEMBERED:])


PROFILE: Decider[Profile, ProfileUpdated] = Decider("profile", Profile(), evolve)


def profile_id(community: UUID, member_id: UUID) -> UUID:
    """The stream of a member's profile in a community."""
    return derived_id("profile", community, member_id)


def empty(state: Profile, member_id: UUID, words: Text) -> list[ProfileUpdated]:
    """Take everything out of it; `words` are those of an empty one."""
    return update(state, member_id, words, []) if state.words and state.words.length else []


def update(state: Profile, member_id: UUID, words: Text | None, fields: Sequence[str]) -> list[ProfileUpdated]:
    """Replace the profile; the same reference means the same words, none that there are none and were none."""
    if words is None or words == state.words:
        return []
    return [ProfileUpdated(member_id, words, sorted(fields))]


def told_apart(name: str, holders: Iterable[str]) -> None:
    """Whoever takes a new name takes none that looks like that of another who holds a role here.

    Names that stood before the role was granted stay: it is the next who takes one that has to look.
    """
    if any(look_alike(name, holder) for holder in holders):
        raise Invalid(
            "Somebody who holds a role here has a name that looks like this one. Take one that can be told apart.",
            pointer="/display_name",
        )
