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
from services.content.channels.domain import CHANNEL, Channel
from services.content.comments import domain as comments
from services.content.comments.domain import COMMENT, Comment
from services.content.events import ChannelOpened, ReplyPosted, ThreadOpened
from services.content.replies import domain as replies
from services.content.replies.domain import REPLY, Reply
from services.content.threads import domain as threads
from services.content.threads.domain import THREAD, Thread
from shared.commands.decisions import change
from shared.events.decider import Decider
from shared.events.errors import Problem
from shared.events.event import Event, Recorded
from tests.content.records import NOON, recorded
from tests.content.samples import GARDENING, words
from tests.given import folded

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
        self.begin(CHANNEL, GARDENING, ChannelOpened(GARDENING, "Gardening", "members", ""))
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
        decided = change(decider, decide)(self.states.get(stream))
        self.note(decider, stream, decided)
        return decided

    def begin(self, decider: Decider[Any, Any], stream: UUID, event: Event) -> None:
        self.note(decider, stream, [event])

    def note(self, decider: Decider[Any, Any], stream: UUID, decided: list[Any]) -> None:
        for event in decided:
            self.versions[stream] += 1
            self.records.append(recorded(event, self.versions[stream], self.now, stream))
        self.states[stream] = folded(decider, decided, self.states.get(stream), self.now)

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
        threads.takes_threads(self.channel, who)
        self.begin(THREAD, thread, ThreadOpened(thread, GARDENING, who.id, words(1), tags))
        self.spoken[thread] = self.now

    def reply(self) -> None:
        thread, reply, who = self.any_of(Thread), self.new(), self.somebody()
        if thread is not None:
            to = self.states[thread]
            threads.takes_replies(to, self.channel)
            self.begin(REPLY, reply, ReplyPosted(reply, thread, to.author_id, who.id, words(2)))
            self.spoken[thread] = self.now

    def remark(self) -> None:
        thread, reply, comment, who = self.any_of(Thread), self.any_of(Reply), self.new(), self.somebody()
        target = None
        if reply is not None and self.die.random() < 0.5:
            target, thread = self.states[reply], self.states[reply].thread_id
        if thread is None:
            return
        comments.takes_comments(self.channel, self.states[thread], target)
        self.begin(COMMENT, comment, comments.on(comment, target or self.states[thread], who.id, words(3)))
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
            self.do(THREAD, self.states[reply].thread_id, lambda s: withdraw_from(s, reply))

    def accept(self) -> None:
        reply, who = self.any_of(Reply), self.somebody()
        if reply is not None:
            self.do(THREAD, self.states[reply].thread_id, lambda s: accept(s, self.states[reply], who))
