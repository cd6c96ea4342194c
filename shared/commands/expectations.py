"""Whether the streams of a command are as their caller expects them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.commands.decisions import StreamDecision
from shared.commands.known_streams import KnownStream
from shared.commands.preconditions import Precondition, Tags
from shared.events.errors import PreconditionFailed


def first_broken(
    steps: Sequence[StreamDecision[Any, Any]], before: Sequence[KnownStream]
) -> tuple[PreconditionFailed | None, bool]:
    """What is to be said of the first stream that is not as expected; and whether that is forgiven to a repetition."""
    for step, known in zip(steps, before, strict=True):
        if (expect := step.expect) is None:
            continue
        if isinstance(expect, int):
            expect = Precondition(Tags(frozenset({str(expect)})))
        there = known.version > 0 and (step.there is None or step.there(known.state))
        if (header := expect.broken(known.version, there=there)) is not None:
            now = f"is at version {known.version}" if there else "does not exist"
            failed = PreconditionFailed(
                f"The {step.decider.name} {now}, which `{header}` rules out. Read it again.", header=header
            )
            return failed, expect.forgives(known.version)
    return None, False
