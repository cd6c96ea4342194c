"""A random life of a community, decided by the service's own decisions; and what its lists must come to, naively."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from services.content.acceptance.domain import accept, withdraw_from
from services.content.authorship import Actor, Revision
from services.content.channels.domain import CHANNEL, Channel, open_channel
from services.content.comments import domain as comments
from services.content.comments.domain import COMMENT, Comment, CommentTarget
from services.content.replies import domain as replies
from services.content.replies.domain import REPLY, Reply
from services.content.threads import domain as threads
from services.content.threads.domain import THREAD, Thread
from shared.events.decider import Decider
from shared.events.errors import Problem
from shared.events.event import Event, Recorded
from shared.events.history import Occurrence
from tests.content.records import NOON, recorded
from tests.content.samples import GARDENING, words

PEOPLE = [UUID(int=0xA0 + n) for n in range(4)]
TAGS = ["roses", "soil", "water"]


@dataclass
class Life:
    """Call `goes_on`, then look at `records` and at what the lists must say."""

    die: Random
    records: list[Recorded] = field(default_factory=list)
    states: dict[UUID, Any] = field(default_factory=dict)
    versions: Counter[UUID] = field(default_factory=Counter)
    spoken: dict[UUID, datetime] = field(default_factory=dict)
    now: datetime = NOON
    _ids: int = 0

    def goes_on(self, steps: int) -> Life:
        self.do(CHANNEL, GARDENING, lambda s: open_channel(s, GARDENING, "Gardening", "members", ""))
        for _ in range(steps):
            self.now += timedelta(seconds=self.die.choice([0, 1, 60]))
            try:
                self.die.choice(
                    [self.ask, self.ask, self.reply, self.reply, self.remark, self.edit, self.delete, self.accept]
                )()
            except Problem:
                continue
        return self

    def do(self, decider: Decider[Any, Any], stream: UUID, decide: Callable[[Any], list[Any]]) -> list[Event]:
        decided = decide(self.states.get(stream, decider.initial))
        for event in decided:
            self.versions[stream] += 1
            self.records.append(recorded(event, self.versions[stream], self.now, stream))
        self.states[stream] = decider.fold(decided, self.states.get(stream, decider.initial))
        return decided

    def new(self) -> UUID:
        self._ids += 1
        return UUID(int=self._ids)

    def any_of(self, kind: type[Any]) -> UUID | None:
        found = [stream for stream, state in self.states.items() if isinstance(state, kind)]
        return self.die.choice(found) if found else None

    def existing(self, kind: type[Any]) -> dict[UUID, Any]:
        return {s: state for s, state in self.states.items() if isinstance(state, kind) and not state.deleted}

    @property
    def channel(self) -> Channel:
        found: Channel = self.states[GARDENING]
        return found

    def somebody(self) -> Actor:
        return Actor(self.die.choice(PEOPLE), moderates=self.die.random() < 0.5)

    def ask(self) -> None:
        thread, tags = self.new(), tuple(self.die.sample(TAGS, self.die.randint(0, 3)))
        who = self.somebody()
        self.do(THREAD, thread, lambda s: threads.open_thread(s, thread, self.channel, who, words(1), tags))
        self.spoken[thread] = self.now

    def reply(self) -> None:
        thread, reply, who = self.any_of(Thread), self.new(), self.somebody()
        if thread is not None:
            self.do(REPLY, reply, lambda s: replies.post(s, reply, self.states[thread], self.channel, who, words(2)))
            self.spoken[thread] = self.now

    def remark(self) -> None:
        thread, reply, comment, who = self.any_of(Thread), self.any_of(Reply), self.new(), self.somebody()
        if reply is not None and self.die.random() < 0.5:
            thread = self.states[reply].posted.thread_id
            place = CommentTarget(self.channel, self.states[thread], self.states[reply])
        elif thread is not None:
            place = CommentTarget(self.channel, self.states[thread])
        else:
            return
        self.do(COMMENT, comment, lambda s: comments.post(s, comment, place, who, words(3)))
        assert thread is not None
        self.spoken[thread] = self.now

    def edit(self) -> None:
        thread, who = self.any_of(Thread), self.somebody()
        tags = tuple(self.die.sample(TAGS, self.die.randint(0, 3)))
        if thread is not None:
            revision = Revision(self.states[thread].text, words(self.die.randint(1, 3)))
            self.do(THREAD, thread, lambda s: threads.edit(s, who, revision, tags))

    def delete(self) -> None:
        who = self.somebody()
        if self.die.random() < 0.3 and (thread := self.any_of(Thread)) is not None:
            self.do(THREAD, thread, lambda s: threads.delete(s, who))
        elif self.die.random() < 0.5 and (comment := self.any_of(Comment)) is not None:
            self.do(COMMENT, comment, lambda s: comments.delete(s, who))
        elif (reply := self.any_of(Reply)) is not None:
            self.do(REPLY, reply, lambda s: replies.delete(s, who))
            thread = self.states[reply].posted.thread_id
            given = Occurrence(self.states[thread].acceptances, self.now)
            self.do(THREAD, thread, lambda s: withdraw_from(s, reply, given))

    def accept(self) -> None:
        reply, who = self.any_of(Reply), self.somebody()
        if reply is not None:
            thread = self.states[reply].posted.thread_id
            given = Occurrence(self.states[thread].acceptances, self.now)
            self.do(THREAD, thread, lambda s: accept(s, self.states[reply], who, given))
