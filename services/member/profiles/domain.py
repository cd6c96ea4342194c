"""A member's profile is replaced as a whole. Its words are in the vault, which forgets those that were replaced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.member.events import ProfileUpdated
from services.member.profiles.lookalikes import look_alike
from shared.events.decider import Decider
from shared.events.errors import Conflict, Invalid
from shared.events.event import Text
from shared.events.fact import Fact
from shared.events.identity import derived_id


@dataclass(frozen=True, slots=True)
class Profile:
    words: Text


def evolve(_: Profile | None, fact: Fact[ProfileUpdated]) -> Profile:
    return Profile(fact.event.profile)


PROFILE: Decider[Profile, ProfileUpdated] = Decider("profile", evolve, lambda profile: (profile.words,))


def profile_id(community: UUID, member_id: UUID) -> UUID:
    """The stream of a member's profile in a community."""
    return derived_id("profile", community, member_id)


def words_in(state: Profile | None) -> Text | None:
    """The words of a profile; None before the first."""
    return state.words if state else None


def empty(state: Profile | None, member_id: UUID, words: Text) -> list[ProfileUpdated]:
    """Take everything out of it; `words` are those of an empty one."""
    return update(state, member_id, words, []) if state and state.words.length else []


def update(
    state: Profile | None, member_id: UUID, words: Text | None, fields: Sequence[str], before: Profile | None = None
) -> list[ProfileUpdated]:
    """Replace the profile; the same reference means the same words, none that there are none and were none.

    Words that stood when `before` was read stand no more where another profile came between: they are forgotten.
    """
    if words is None or words == words_in(state):
        return []
    if before is not None and words == before.words:
        raise Conflict("The profile was changed at the same moment. Read it again.", retry_after=1)
    return [ProfileUpdated(member_id, words, sorted(fields))]


def is_taken(name: str, holders: Iterable[str]) -> bool:
    """Whether it looks like one of those names."""
    return any(look_alike(name, holder) for holder in holders)


def told_apart(name: str, holders: Iterable[str]) -> None:
    """Whoever takes a new name takes none that looks like that of another who holds a role here.

    Names that stood before the role was granted stay: it is the next who takes one that has to look.
    """
    if is_taken(name, holders):
        raise Invalid(
            "Somebody who holds a role here has a name that looks like this one. Take one that can be told apart.",
            pointer="/display_name",
        )
