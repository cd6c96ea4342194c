"""A community's life by a seeded die: events as the other services write them, and what they mean for the oracle."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID, uuid5

from services.content.events import AnswerAccepted, CommentPosted, ReplyPosted, ThreadOpened
from services.engagement.events import ReactionAdded, ReactionWithdrawn, TargetShared, TargetViewed
from services.feedback.events import SuggestionVoted
from shared.event import Event, Recorded
from tests.projection.histories import COMMUNITY, START
from tests.projection.oracle import Action, Response
from tests.projection.records import recorded

THING = uuid5(COMMUNITY, "some thread, reply, comment or reaction")
PEOPLE = [uuid5(COMMUNITY, f"person {number}") for number in range(12)]


@dataclass
class Life:
    """`records` in the order they were written; `responses` and `actions` are the same as the oracle takes them."""

    seed: int
    records: list[Recorded] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._die = Random(self.seed)

    def goes_on(self, events: int) -> list[Recorded]:
        """So many events more, anywhere in two years and a half; the new records."""
        before = len(self.records)
        for _ in range(events):
            self._something_happens()
        return self.records[before:]

    def _something_happens(self) -> None:
        die = self._die
        # Most of it on few days, so that daily caps matter.
        at = START + timedelta(days=die.choice([0, 1, 1, 2, 40, die.randrange(900)]), seconds=die.randrange(86_400))
        who = die.choice([None, *PEOPLE[:5], *PEOPLE])
        author = die.choice([None, *PEOPLE[:4], *PEOPLE])
        match die.randrange(9):
            case 0:
                self._record(ThreadOpened(THING, THING, who, None, ()), at, "thread", who)
            case 1:
                self._record(ReplyPosted(THING, THING, author, who, None), at, "reply", who, author)
            case 2:
                self._record(CommentPosted(THING, THING, THING, "reply", author, who, None), at, "comment", who, author)
            case 3:
                self._record(AnswerAccepted(THING, THING, who, author), at, "acceptance", who, author)
            case 4:
                sharer = who or PEOPLE[0]
                self._record(TargetShared(THING, THING, "thread", author, sharer, "mail"), at, "share", sharer, author)
            case 5:
                voter = who or PEOPLE[0]
                self._record(SuggestionVoted(THING, author, voter), at, "vote", voter)
            case 6:
                self._write(TargetViewed(THING, "thread", author, who or PEOPLE[0], at), at)
            case _:
                self._reaction(at, who, author)

    def _reaction(self, at: datetime, who: UUID | None, author: UUID | None) -> None:
        positive = self._die.random() < 0.8
        taken_back = at + timedelta(days=self._die.choice([0, 1, 50]), minutes=1) if self._die.random() < 0.3 else None
        reaction = (THING, THING, "thread", author, who, "like", positive)
        kind = "positive_reaction" if positive else "negative_reaction"
        stream = self._record(ReactionAdded(*reaction), at, "reaction", who, author, kind=kind, taken_back=taken_back)
        if taken_back is not None:
            self._write(ReactionWithdrawn(*reaction, at), taken_back, stream)

    def _record(
        self,
        event: Event,
        at: datetime,
        action: str,
        who: UUID | None,
        author: UUID | None = None,
        *,
        kind: str | None = None,
        taken_back: datetime | None = None,
    ) -> UUID:
        self.actions.append(Action(at, action, who))
        if author is not None and author != who:
            self.responses.append(Response(at, kind or action, who, author, taken_back))
        return self._write(event, at)

    def _write(self, event: Event, at: datetime, stream: UUID | None = None) -> UUID:
        record = recorded(event, at, position=len(self.records) + 1, stream=stream, version=2 if stream else 1)
        self.records.append(record)
        return record.stream
