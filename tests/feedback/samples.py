"""The people, the words and the suggestions that the feedback service's tests speak of."""

from __future__ import annotations

from uuid import UUID

from services.feedback.events import SuggestionSubmitted
from services.feedback.suggestions.domain import SUGGESTION
from shared.events.event import Text
from tests.given import folded

ALICE = UUID("00000000-0000-5000-8000-0000000a11ce")
BOB = UUID("00000000-0000-5000-8000-000000000b0b")
BENCHES = UUID("00000000-0000-7000-8000-0000000be4c4")


def words(number: int, length: int = 12) -> Text:
    """A reference to some words; the same number stands for the same words."""
    return Text(UUID(int=number), length)


SUBMITTED = SuggestionSubmitted(BENCHES, ALICE, False, words(1))
HIDDEN = SuggestionSubmitted(BENCHES, None, True, words(1))
OPEN = folded(SUGGESTION, [SUBMITTED])
