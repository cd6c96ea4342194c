"""A community's life for measuring with: made up, the same at every run, in the order in which it was recorded.

Members are as unlike as real ones (few do most), every tenth event is a thread, and each event begins a stream of its
own, so that nearly every one touches rows that no other touches: the hard case for what counts them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.content.events import AnswerAccepted, CommentPosted, ReplyPosted, ThreadOpened
from services.engagement.events import ReactionAdded
from shared.events.event import Event, Recorded, Text, encode_data, wire_name
from shared.events.identity import derived_id
from shared.log.port import partition_of

COMMUNITY = derived_id("community", "measured")
START = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 365
MEMBERS = 5_000
SHARES = {"thread": 10, "reply": 25, "comment": 30, "acceptance": 5, "reaction": 30}
"""Of 100 events."""


def history(events: int, partitions: int) -> Iterator[Recorded]:
    """That many events of content and engagement, each with its position in its service's log."""
    rng = random.Random(20260301)
    members = [derived_id("member", number) for number in range(MEMBERS)]
    heads: dict[tuple[str, int], int] = {}
    kinds = rng.choices(list(SHARES), list(SHARES.values()), k=events)
    for number, kind in enumerate(kinds):
        stream = UUID(int=rng.getrandbits(128))
        event = _event(kind, stream, rng, members)
        service = wire_name(type(event)).split(".")[1]
        place = (service, partition_of(stream, partitions))
        heads[place] = heads.get(place, 0) + 1
        at = START + timedelta(days=DAYS) * (number / events)
        yield Recorded(
            service=service,
            partition=place[1],
            position=heads[place],
            stream=stream,
            version=1,
            type=wire_name(type(event)),
            id=UUID(int=rng.getrandbits(128)),
            community=COMMUNITY,
            actor=_somebody(rng, members),
            occurred_at=at,
            recorded_at=at,
            causation=None,
            data=encode_data(event),
        )


def _event(kind: str, stream: UUID, rng: random.Random, members: Sequence[UUID]) -> Event:
    author, other = _somebody(rng, members), _somebody(rng, members)
    thread, text = UUID(int=rng.getrandbits(128)), Text(UUID(int=rng.getrandbits(128)), rng.randrange(20, 2_000))
    match kind:
        case "thread":
            return ThreadOpened(stream, thread, author, text, ("discussion", "support"))
        case "reply":
            return ReplyPosted(stream, thread, other, author, text)
        case "comment":
            return CommentPosted(stream, thread, thread, "thread", other, author, text)
        case "acceptance":
            return AnswerAccepted(thread, stream, author, other)
        case _:
            return ReactionAdded(stream, thread, "reply", other, author, "upvote", True)


def _somebody(rng: random.Random, members: Sequence[UUID]) -> UUID:
    """Half of all actions are by an eighth of the members."""
    return members[int(len(members) * rng.random() ** 3)]
