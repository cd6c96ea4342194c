"""A community's life by a seeded die: events as the other services write them, and what they mean for the oracle."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from services.content.events import (
    AnswerAccepted,
    CommentDeleted,
    CommentPosted,
    ReplyDeleted,
    ReplyPosted,
    ThreadDeleted,
    ThreadOpened,
)
from services.engagement.events import TargetShared, TargetViewed
from services.feedback.events import SuggestionVoted
from services.member.events import (
    ImportRestored,
    ImportWithdrawn,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    RobotMarked,
    RobotUnmarked,
)
from services.projection.subscriptions import ReactionAdded, ReactionWithdrawn
from shared.events.event import Event, Recorded
from tests.projection import oracle
from tests.projection.histories import COMMUNITY, START
from tests.projection.oracle import Action, Brought, Response
from tests.projection.records import recorded

THING = uuid5(COMMUNITY, "a suggestion, a share, whatever nobody looks up")
PEOPLE = [uuid5(COMMUNITY, f"person {number}") for number in range(12)]
IMPORTERS = [uuid5(COMMUNITY, f"importer {number}") for number in range(3)]
LATER = START + timedelta(days=1000)
"""When things are brought in; some on the day after."""
SOMEBODY_ELSE = uuid5(COMMUNITY, "who acts and never joined")


@dataclass
class Life:
    """`records` in the order they were written; all else is the same as the oracle takes it."""

    seed: int
    records: list[Recorded] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    parents: dict[UUID, UUID] = field(default_factory=dict)
    deleted: dict[UUID, datetime] = field(default_factory=dict)
    stays: dict[UUID, list[tuple[datetime, datetime | None]]] = field(default_factory=dict)
    robots: set[UUID] = field(default_factory=set)
    withdrawn: dict[UUID, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._die = Random(self.seed)
        self._posts: dict[str, list[UUID]] = {"thread": [uuid5(COMMUNITY, "thread 0")], "reply": [], "comment": []}
        self._turns: dict[UUID, int] = {}
        self._decisions = 0
        self._brought: Brought | None = None
        """By whom what happens now is brought in."""

    @property
    def world(self) -> oracle.World:
        return oracle.World(self.parents, self.deleted, self.stays, self.robots, self.withdrawn)

    def influence(self, zone: ZoneInfo, day: date) -> dict[UUID, oracle.Influence]:
        return oracle.influence(self.responses, self.actions, zone, day, self.world)

    def activity(self, zone: ZoneInfo, day: date) -> oracle.DayActivity:
        return oracle.activity(self.actions, zone, day, self.world)

    def goes_on(self, events: int) -> list[Recorded]:
        """So many events more, anywhere in two years and a half; the new records. Nearly all join at the beginning."""
        before = len(self.records)
        if events and not self._turns:
            for person in PEOPLE[:-1]:
                self.joins(person, START - timedelta(days=self._die.randrange(3)))
        for _ in range(events):
            importer = self._die.choice([None, None, None, *IMPORTERS])
            later = LATER + timedelta(days=self._die.randrange(2), seconds=self._die.randrange(3_600))
            self._brought = None if importer is None else Brought(importer, later)
            self._something_happens()
            self._brought = None
        return self.records[before:]

    def joins(self, who: UUID, at: datetime) -> list[Recorded]:
        """The membership of somebody who was none begins."""
        self.stays.setdefault(who, []).append((at, None))
        return [self._turn(who, MemberJoined(who, "open", 1), at)]

    def _something_happens(self) -> None:
        die = self._die
        at = self._sometime()
        who = die.choice([None, SOMEBODY_ELSE, *PEOPLE[:5], *PEOPLE])
        author = die.choice([None, *PEOPLE[:4], *PEOPLE])
        match die.randrange(14):
            case 0:
                self._record(ThreadOpened(self._new("thread"), THING, who, None, ()), at, "thread", who)
            case 1:
                self._reply(at, who, author)
            case 2:
                self._comment(at, who, author)
            case 3 if self._posts["reply"]:
                reply = die.choice(self._posts["reply"])
                self._record(AnswerAccepted(self.parents[reply], reply, who, author), at, "acceptance", who)
                self._respond(at, "acceptance", who, author, reply)
            case 4:
                sharer, post = who or PEOPLE[0], self._any_post()
                self._record(TargetShared(THING, post, "thread", author, sharer, "mail"), at, "share", sharer)
                self._respond(at, "share", sharer, author, post)
            case 5:
                voter = who or PEOPLE[0]
                vote = self._record(SuggestionVoted(THING, author, voter), at, "vote", voter)
                for _ in range(die.choice([0, 0, 1, 3])):  # taken back meanwhile, and given again
                    again = SuggestionVoted(THING, author, voter, at)
                    at += timedelta(hours=die.choice([1, 3, 30]))
                    self._record(again, at, "vote", voter, vote)
            case 6:
                self._write(TargetViewed(THING, "thread", author, who or PEOPLE[0], at), at)
            case 7:
                self._comes_or_goes(die.choice(PEOPLE))
            case 8:
                self._delete(at)
            case 9 if die.random() < 0.2:
                self._mark(die.choice(PEOPLE[3:5]), at)
            case 10:
                self._reconsider(die.choice(IMPORTERS))
            case _:
                self._reactions(at, who, author)

    def _sometime(self) -> datetime:
        # Most of it on few days, so that daily caps matter.
        days = self._die.choice([0, 1, 1, 2, 40, self._die.randrange(900)])
        return START + timedelta(days=days, seconds=self._die.randrange(86_400))

    def _new(self, kind: str, parent: UUID | None = None) -> UUID:
        """A new post; among the threads is always one that nobody has opened yet."""
        posts = self._posts[kind]
        posts.append(uuid5(COMMUNITY, f"{kind} {len(posts)} {self.seed}"))
        if parent is not None:
            self.parents[posts[-1]] = parent
        return posts[-1]

    def _any_post(self) -> UUID:
        return self._die.choice([post for posts in self._posts.values() for post in posts])

    def _reply(self, at: datetime, who: UUID | None, author: UUID | None) -> None:
        thread = self._die.choice(self._posts["thread"])
        reply = self._new("reply", thread)
        self._record(ReplyPosted(reply, thread, author, who, None), at, "reply", who)
        self._respond(at, "reply", who, author, reply)

    def _comment(self, at: datetime, who: UUID | None, author: UUID | None) -> None:
        kind = self._die.choice(["thread", "reply"] if self._posts["reply"] else ["thread"])
        target = self._die.choice(self._posts[kind])
        thread = self.parents.get(target, target)
        comment = self._new("comment", target)
        self._record(CommentPosted(comment, thread, target, kind, author, who, None), at, "comment", who)
        self._respond(at, "comment", who, author, comment)

    def _delete(self, at: datetime) -> None:
        kind = self._die.choice(["thread", "reply", "reply", "comment", "comment"])
        posts = [post for post in self._posts[kind] if post not in self.deleted]
        if not posts or (kind == "thread" and self._die.random() < 0.7):
            return
        post = self._die.choice(posts)
        self.deleted[post] = at
        events: dict[str, Event] = {
            "thread": ThreadDeleted(post, THING, None, ()),
            "reply": ReplyDeleted(post, THING, None),
            "comment": CommentDeleted(post, THING, THING, None),
        }
        self._write(events[kind], at)

    def _comes_or_goes(self, who: UUID) -> None:
        stays, later = self.stays.setdefault(who, []), timedelta(days=self._die.choice([0, 1, 3, 30, 300]), hours=1)
        if stays and stays[-1][1] is None:
            left = stays[-1][0] + later
            stays[-1] = (stays[-1][0], left)
            self._turn(who, self._die.choice([MemberLeft(who), MemberRemoved(who, None, None)]), left)
        else:
            self.joins(who, ((stays[-1][1] or START) if stays else START) + later)

    def _mark(self, who: UUID, at: datetime) -> None:
        self._turn(who, RobotUnmarked(who) if who in self.robots else RobotMarked(who), at)
        self.robots ^= {who}

    def _reconsider(self, importer: UUID) -> None:
        """What somebody brought in is withdrawn until a moment, or restored."""
        self._brought, self._decisions = None, self._decisions + 1
        event: Event = ImportRestored(importer)
        if importer in self.withdrawn:
            del self.withdrawn[importer]
        else:
            until = self.withdrawn[importer] = LATER + timedelta(hours=self._die.choice([0, 12, 100]), minutes=20)
            event = ImportWithdrawn(importer, until)
        self._write(event, LATER, uuid5(COMMUNITY, "imports"), self._decisions)

    def _turn(self, who: UUID, event: Event, at: datetime) -> Recorded:
        self._turns[who] = self._turns.get(who, 0) + 1
        stream = uuid5(COMMUNITY, f"membership of {who}")
        return self._write(event, at, stream, self._turns[who])

    def _reactions(self, at: datetime, who: UUID | None, author: UUID | None) -> None:
        """One or two kinds of one sign on one post, of which none, one or both are taken back: one response."""
        die, post, positive = self._die, self._any_post(), self._die.random() < 0.8
        fact = (post, author, who, positive)
        back = [at + timedelta(days=days, minutes=1) for days in sorted(die.choices([0, 1, 50], k=2))]
        taken_back, both = die.random() < 0.3, who is not None and die.random() < 0.4
        first = self._record(ReactionAdded(*fact), at, "reaction", who)
        if both:
            again = at + timedelta(minutes=die.choice([0, 30]))
            second = self._record(ReactionAdded(*fact, begins_response=False), again, "reaction", who)
            if taken_back or die.random() < 0.5:
                self._write(ReactionWithdrawn(*fact, at, ends_response=False), back[0], first, 2)
            if taken_back:
                self._write(ReactionWithdrawn(*fact, again, response_since=at), back[1], second, 2)
        kind = "positive_reaction" if positive else "negative_reaction"
        brought, withdrawal_brought = self._brought, die.choice([None, self._brought]) if taken_back else None
        if taken_back and not both:
            self._brought = withdrawal_brought
            self._write(ReactionWithdrawn(*fact, at), back[1], first, 2)
            self._brought = brought
        else:
            withdrawal_brought = self._brought
        self._respond(at, kind, who, author, post, back[1] if taken_back else None, withdrawal_brought)
        if taken_back and not both and who is not None and die.random() < 0.6:
            again = back[1] + timedelta(minutes=die.choice([0, 20]))
            self._record(ReactionAdded(*fact, given_before=at), again, "reaction", who, first)
            self._respond(again, kind, who, author, post)

    def _record(self, event: Event, at: datetime, action: str, who: UUID | None, thing: UUID | None = None) -> UUID:
        """The stream of what was given: `thing`, where that is given again."""
        stream = self._write(event, at).stream
        self.actions.append(Action(at, action, who, thing or stream, self._brought))
        return stream

    def _respond(
        self,
        at: datetime,
        kind: str,
        who: UUID | None,
        author: UUID | None,
        post: UUID,
        taken_back: datetime | None = None,
        withdrawal_brought: Brought | None = None,
    ) -> None:
        if author is not None and author != who:
            self.responses.append(Response(at, kind, who, author, taken_back, post, self._brought, withdrawal_brought))

    def _write(self, event: Event, at: datetime, stream: UUID | None = None, version: int = 1) -> Recorded:
        brought = self._brought
        record = recorded(
            event,
            at,
            position=len(self.records) + 1,
            stream=stream,
            version=version,
            imported_by=brought.by if brought else None,
            recorded_at=brought.at if brought else None,
        )
        self.records.append(record)
        return record
