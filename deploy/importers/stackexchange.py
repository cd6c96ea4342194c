"""What each row of a Stack Exchange dump becomes in a community; what becomes nothing is left out for a named reason.

- Every id is told with its site: `stackexchange:{site}:post:{Id}`, so that two sites never meet (docs/adr/0027).
- A user becomes a member with the subject `stackexchange:{site}:{Id}`; the network's own account, Id -1, too, because
  posts belong to it, marked as a robot.
- A question becomes a thread, an answer a reply to it, a comment a comment on either. The words stay as they are in
  the dump: HTML in posts, Markdown in comments. What nobody owns, or somebody who is not in the dump, is nobody's.
- A vote of type 1 is the acceptance of an answer by the owner of its question, the latest if there are several; types
  2 and 3 are the reaction `up`, positive or negative as the case may be, of somebody unknown. A vote has a day only:
  it counts at its midnight, UTC.
- Threads, replies and comments of one instant are a microsecond apart, in the order of their ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from deploy.importers.dump import NEEDED, OPTIONAL, Dump, Row
from deploy.importers.lines import CHANNELS, PHASES, Census, LeftOut, Line, Phase, Told
from deploy.importers.references import Post, PostKind, References
from deploy.importers.rows import ILLEGIBLE, Odd
from deploy.importers.sites import ACCOUNT, Anchors, purpose_of
from deploy.importers.values import body_of, fitting_tags, moment, number, rfc3339, title_of

__all__ = ["CHANNELS", "PHASES", "Census", "Line", "Phase", "StackExchange", "Told"]

QUESTION, ANSWER = "1", "2"
KINDS: dict[str, PostKind] = {QUESTION: "thread", ANSWER: "reply"}
ACCEPTED, UP, DOWN = "1", "2", "3"
OF_THE_NETWORK = 1_000_000_000
"""From this id on, posts are what the network put into its dumps, and nothing that the site ever showed."""
EARLIEST, LEEWAY = datetime(1970, 1, 1, tzinfo=UTC), timedelta(seconds=60)  # of what a service takes
CHANNEL_NAME = "Questions"

NOT_A_POST = "neither question nor answer (a tag wiki or the like)"
NOT_OF_THE_SITE = "put into the dump by the network, not by the site"
NO_QUESTION = "an answer whose question is not there"
QUESTION_LEFT_OUT = "an answer to a question that was left out"
NO_POST = "about a post that is not in the dump"
POST_LEFT_OUT = "about a post that was left out"
OTHER_VOTE = "a vote of another kind than acceptance, up and down"
NO_ANSWER = "the acceptance of something that is no answer"
REPLACED = "an acceptance that a later one replaced"
NOT_IMPORTED = "badges are not imported"
UNREADABLE = "without a usable Id or date"
TOO_EARLY = "dated before 1970"
AHEAD = "dated in the future"
REPEATED_ID = "with the Id of a row before"
STRANGER = "by a user who is not in Users.xml: kept, as nobody's"
REFUSED = "by a user who was refused: kept, as nobody's"


@dataclass(frozen=True, slots=True)
class Key:
    """The id of a row, and when it happened."""

    id: int
    at: datetime


class StackExchange:
    """A dump as backfill lines, of the site that is named or found out.

    `survey` comes first: it finds out what each row refers to, and reads everything once, so that what cannot be read
    is known before anything is sent.
    """

    def __init__(self, dump: Dump, references: References, site: str | None = None) -> None:
        self._dump, self._references = dump, references
        self.site = site
        self.channel_name = CHANNEL_NAME
        self._latest = datetime.now(UTC) + LEEWAY
        self._maps: dict[str, Callable[[Row, Key], Line | LeftOut]] = {
            "Users": self._user,
            "Posts": self._post,
            "Comments": self._comment,
            "Votes": self._vote,
        }
        self.census = Census()

    def survey(self, told: Told) -> Census:
        """Read every table. Raises `DumpError`. `told` hears what is being done."""
        self._index(told)
        census = self.census = Census()
        for table in (*NEEDED, *OPTIONAL):
            reasons = census.left_out[table] = Counter()
            for at, row in self._rows(table, f"reading {table}", told):
                census.rows[table] += 1
                match self._become(table, at, row):
                    case LeftOut(reason):
                        reasons[reason] += 1
                    case Line(kind=kind, command=command, notes=notes):
                        census.lines[kind] += 1
                        census.notes.update(notes)
                        first = command["occurred_at"]
                        census.first = first if census.first is None else min(census.first, first)
        census.remarks = list(self._dump.remarks.values())
        return census

    def lines(self, phase: Phase) -> Iterator[Line]:
        """The lines of one phase, in the order of the dump."""
        if phase == CHANNELS:
            yield from self._channel_line()
            return
        for at, row in enumerate(self._dump.rows(phase.table)):
            line = self._become(phase.table, at, row)
            if isinstance(line, Line) and line.kind == phase.kind:
                if self._is_refused(row):
                    self.census.notes[REFUSED] += 1
                yield line

    def refuse(self, member: Line) -> None:
        """The service would not have that member: what they did is nobody's."""
        self._references.refuse_user(int(member.row))

    def _rows(self, table: str, activity: str, told: Told) -> Iterator[tuple[int, Row]]:
        told(activity, 0, None)
        rows = 0
        for rows, row in enumerate(self._dump.rows(table), 1):
            yield rows - 1, row
            if rows % 5_000 == 0:
                told(activity, rows, None)
        told(activity, rows, rows)

    def _index(self, told: Told) -> None:
        anchors = Anchors()
        for _, row in self._rows("Users", "indexing Users", told):
            if isinstance(key := self._seen("Users", row), Key):
                self._references.add_user(key.id)
                anchors.add_user(key.id, key.at)
        for _, row in self._rows("Posts", "indexing Posts", told):
            self._index_post(row, anchors)
        for _, row in self._rows("Comments", "indexing Comments", told):
            if isinstance(key := self._seen("Comments", row), Key) and (post := number(row.get("PostId"))) is not None:
                self._references.add_comment(key.id, post, rfc3339(key.at))
        for _, row in self._rows("Votes", "indexing Votes", told):
            if isinstance(key := self._seen("Votes", row), Key) and row.get("VoteTypeId") == ACCEPTED:
                target = self._target(row)
                if isinstance(target, Post) and target.question is not None:
                    self._references.add_acceptance(target.question, rfc3339(key.at), key.id)
        self._references.take_turns()
        self.site = self.site or anchors.site

    def _index_post(self, row: Row, anchors: Anchors) -> None:
        key, kind = self._seen("Posts", row), KINDS.get(row.get("PostTypeId", ""))
        parent, owner = number(row.get("ParentId")), number(row.get("OwnerUserId"))
        if isinstance(key, Key):
            self._references.add_post(key.id, kind, parent, owner, rfc3339(key.at))
            if kind == "thread":
                anchors.add_question(key.id, key.at)
        elif (id_ := number(row.get("Id"))) is not None:
            self._references.add_post(id_, "lost", None, None, "")

    def _seen(self, table: str, row: Row) -> Key | LeftOut:
        key = self._key(table, row)
        if isinstance(key, Key):
            self._references.see(table, key.id)
        return key

    def _key(self, table: str, row: Row) -> Key | LeftOut:
        """The id and the moment of a row, or why it cannot be used."""
        id_, at = number(row.get("Id")), moment(row.get("CreationDate"))
        if id_ is None or at is None:
            return LeftOut(ILLEGIBLE if isinstance(row, Odd) and not row else UNREADABLE)
        if at < EARLIEST or at > self._latest:
            return LeftOut(TOO_EARLY if at < EARLIEST else AHEAD)
        return LeftOut(NOT_OF_THE_SITE) if table == "Posts" and id_ >= OF_THE_NETWORK else Key(id_, at)

    def _become(self, table: str, at: int, row: Row) -> Line | LeftOut:
        """What the row becomes that stands there in its table."""
        if table not in self._maps:
            return LeftOut(NOT_IMPORTED)
        key = self._key(table, row)
        if isinstance(key, LeftOut):
            return key
        if self._references.is_repeated(table, key.id, at):
            return LeftOut(REPEATED_ID)
        return self._maps[table](row, key)

    def _channel_line(self) -> Iterator[Line]:
        """It opens with the first thing that happened; where nothing did, there is none."""
        if (first := self.census.first) is not None:
            command = {"command": "open-channel", "source": self._id("channel", "questions"), "subject": None}
            about = {"occurred_at": first, "name": self.channel_name, "purpose": purpose_of(str(self.site))}
            yield Line("", "", "channel", command | about)

    def _user(self, row: Row, key: Key) -> Line | LeftOut:
        mark = {"robot": True} if key.id == ACCOUNT else {}
        return self._line(
            row, "Users", "member", "join", self._id("user", key.id), self._subject(key.id), key.at, **mark
        )

    def _post(self, row: Row, key: Key) -> Line | LeftOut:
        kind = KINDS.get(row.get("PostTypeId", ""))
        if kind is None:
            return LeftOut(NOT_A_POST)
        author, (body, cut) = self._subject(number(row.get("OwnerUserId"))), body_of(row.get("Body"))
        source, at = self._id("post", key.id), self._in_turn(kind, key)
        words = {"body": body, "edited_at": self._edited_at(row, at)}
        if kind == "thread":
            (title, shorter), (tags, fewer) = title_of(row.get("Title")), fitting_tags(row.get("Tags", ""))
            about = {"channel": self._id("channel", "questions"), "title": title, **words, "tags": tags}
            notes = (*shorter, *cut, *fewer)
            return self._line(row, "Posts", "thread", "open-thread", source, author, at, notes, **about)
        known = self._references.post(key.id)
        if known is None or known.kind is None:
            return LeftOut(QUESTION_LEFT_OUT if known is not None and known.lost else NO_QUESTION)
        thread = self._id("post", known.question)
        return self._line(row, "Posts", "reply", "post-reply", source, author, at, cut, thread=thread, **words)

    def _comment(self, row: Row, key: Key) -> Line | LeftOut:
        target = self._target(row)
        if isinstance(target, LeftOut):
            return target
        author, (body, cut) = self._subject(number(row.get("UserId"))), body_of(row.get("Text"))
        source, at = self._id("comment", key.id), self._in_turn("comment", key)
        aim = self._aim(row, target)
        return self._line(row, "Comments", "comment", "post-comment", source, author, at, cut, body=body, **aim)

    def _vote(self, row: Row, key: Key) -> Line | LeftOut:
        kind = row.get("VoteTypeId")
        if kind not in (ACCEPTED, UP, DOWN):
            return LeftOut(OTHER_VOTE)
        target = self._target(row)
        if isinstance(target, LeftOut):
            return target
        source, aim = self._id("vote", key.id), self._aim(row, target)
        if kind != ACCEPTED:
            vote = {"kind": "up", "positive": kind == UP}
            return self._line(row, "Votes", "reaction", "react", source, None, key.at, **vote, **aim)
        if target.kind != "reply" or target.question is None:
            return LeftOut(NO_ANSWER)
        if self._references.acceptance(target.question) != key.id:
            return LeftOut(REPLACED)
        asker, about = (
            self._subject(target.asker),
            {"thread": self._id("post", target.question), "reply": aim["target"]},
        )
        return self._line(row, "Votes", "acceptance", "accept-answer", source, asker, key.at, **about)

    def _target(self, row: Row) -> Post | LeftOut:
        """The thread or reply that a comment or vote is about."""
        id_ = number(row.get("PostId"))
        post = None if id_ is None else self._references.post(id_)
        if post is None:
            return LeftOut(NO_POST)
        return post if post.kind is not None else LeftOut(POST_LEFT_OUT)

    def _aim(self, row: Row, target: Post) -> dict[str, str | None]:
        return {"target": self._id("post", number(row.get("PostId"))), "target_kind": target.kind}

    def _in_turn(self, kind: str, key: Key) -> datetime:
        """A microsecond later for each of its kind that comes before it at its instant, and never on another day."""
        turn = self._references.turn(kind, key.id)
        if not turn:
            return key.at
        return min(key.at + timedelta(microseconds=turn), datetime.combine(key.at, time.max, UTC))

    def _edited_at(self, row: Row, created: datetime) -> str | None:
        """When the words were edited last; None where that cannot be."""
        at = moment(row.get("LastEditDate"))
        return rfc3339(at) if at is not None and created <= at <= self._latest else None

    def _subject(self, user: int | None) -> str | None:
        """Who did it: nobody known when the row has no user, or one that the dump does not have."""
        return f"stackexchange:{self.site}:{user}" if user is not None and self._references.knows_user(user) else None

    def _id(self, kind: str, id_: int | str | None) -> str:
        return f"stackexchange:{self.site}:{kind}:{id_}"

    def _is_refused(self, row: Row) -> bool:
        user = _actor(row)
        return user is not None and self._references.is_refused(user)

    def _line(
        self,
        row: Row,
        table: str,
        becomes: str,
        command: str,
        source: str,
        subject: str | None,
        at: datetime,
        notes: tuple[str, ...] = (),
        /,
        **arguments: object,
    ) -> Line:
        line = {"command": command, "source": source, "subject": subject, "occurred_at": rfc3339(at), **arguments}
        if isinstance(row, Odd):
            notes = (row.how, *notes)
        if subject is None and (user := _actor(row)) is not None and not self._references.knows_user(user):
            notes = (STRANGER, *notes)
        return Line(table, row["Id"], becomes, line, notes)


def _actor(row: Row) -> int | None:
    return number(row.get("OwnerUserId") or row.get("UserId"))
