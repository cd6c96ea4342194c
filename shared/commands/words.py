"""Which words in the vault a command leaves behind, and which stand again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.events.decider import Decider
from shared.log.port import VaultRow


def moved_words(
    deciders: Sequence[Decider[Any, Any]], before: Sequence[Any], after: Sequence[Any], secrets: Sequence[VaultRow]
) -> tuple[list[frozenset[UUID]], frozenset[UUID]]:
    """By stream, the references that its state holds no more; and those that stand again and are not written now."""
    stood = [decider.word_refs(state) for decider, state in zip(deciders, before, strict=True)]
    stand = [decider.word_refs(state) for decider, state in zip(deciders, after, strict=True)]
    superseded = [old - new for old, new in zip(stood, stand, strict=True)]
    return superseded, frozenset().union(*stand).difference(*stood, (row.ref for row in secrets))
