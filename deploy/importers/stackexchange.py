"""What each row of a Stack Exchange dump becomes in a community; what becomes nothing is left out for a named reason.

- A user becomes a member with the subject `stackexchange:{Id}`; the network's own account, Id -1, too, because posts
  belong to it.
- A question becomes a thread, an answer a reply to it, a comment a comment on either. The words stay as they are in
  the dump: HTML in posts, Markdown in comments. What nobody owns, or somebody who is not in the dump, is nobody's.
- A vote of type 1 is the acceptance of an answer by the owner of its question, the latest if there are several; types
  2 and 3 are the reaction `up`, positive or negative as the case may be, of somebody unknown. A vote has a day only:
  it counts at its midnight, UTC.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from deploy.importers.dump import NEEDED, OPTIONAL, Dump, Row
from deploy.importers.references import Post, References
from shared.http.characters import SHOWING

QUESTION, ANSWER = "1", "2"
ACCEPTED, UP, DOWN = "1", "2", "3"
CHANNEL = "stackexchange:channel:questions"
CHANNEL_NAME = "Questions"

NOT_A_POST = "neither question nor answer (a tag wiki or the like)"
NO_QUESTION = "an answer whose question is not there"
NO_POST = "about a post that is not in the dump"
POST_LEFT_OUT = "about a post that was left out"
OTHER_VOTE = "a vote of another kind than acceptance, up and down"
NO_ANSWER = "the acceptance of something that is no answer"
REPLACED = "an acceptance that a later one replaced"
NOT_IMPORTED = "badges are not imported"
UNREADABLE = "without a usable Id or date"
STRANGER = "by a user who is not in Users.xml: kept, as nobody's"


Told = Callable[[str, int, int | None], None]
"""Hears what is going on (`reading Posts`, `sending replies`), to how many rows so far, and of how many, once known."""


@dataclass(frozen=True, slots=True)
class Line:
    """One backfill line, and the row it comes from (`table`, `row`); `kind` is what the row becomes."""

    table: str
    row: str
    kind: str
    command: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LeftOut:
    reason: str


@dataclass(frozen=True, slots=True)
class Phase:
    """Lines of one kind, in no order among themselves; they may refer to those of earlier phases."""

    kind: str
    kinds: str
    service: str
    table: str


CHANNELS = Phase("channel", "channels", "content", "")
PHASES = (
    Phase("member", "members", "member", "Users"),
    Phase("thread", "threads", "content", "Posts"),
    Phase("reply", "replies", "content", "Posts"),
    Phase("comment", "comments", "content", "Comments"),
    Phase("acceptance", "acceptances", "content", "Votes"),
    Phase("reaction", "reactions", "engagement", "Votes"),
)


@dataclass
class Census:
    """What is in a dump: rows per table, rows left out per table and reason, lines per kind, and notes."""

    rows: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, Counter[str]] = field(default_factory=dict)
    lines: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    first: str | None = None


class StackExchange:
    """A dump as backfill lines.

    `survey` comes first: it finds out what each row refers to, and reads everything once, so that a broken file is
    known before anything is sent.
    """

    def __init__(self, dump: Dump, references: References) -> None:
        self._dump, self._references = dump, references
        self._maps: dict[str, Callable[[Row], Line | LeftOut]] = {
            "Users": self._user,
            "Posts": self._post,
            "Comments": self._comment,
            "Votes": self._vote,
            "Badges": lambda row: LeftOut(NOT_IMPORTED),
        }
        self.census = Census()

    def survey(self, told: Told) -> Census:
        """Read every table. Raises `DumpError`. `told` hears what is being done."""
        self._index(told)
        census = self.census = Census()
        for table in (*NEEDED, *OPTIONAL):
            reasons = census.left_out[table] = Counter()
            for row in self._rows(table, f"reading {table}", told):
                census.rows[table] += 1
                match self._maps[table](row):
                    case LeftOut(reason):
                        reasons[reason] += 1
                    case Line(kind=kind, command=command):
                        census.lines[kind] += 1
                        at = command["occurred_at"]
                        census.first = at if census.first is None else min(census.first, at)
                        if self._is_stranger(row):
                            census.notes[STRANGER] += 1
        return census

    def lines(self, phase: Phase) -> Iterator[Line]:
        """The lines of one phase, in the order of the dump."""
        if phase == CHANNELS:
            if self.census.first is not None:
                yield _line({}, "", "channel", "open-channel", CHANNEL, None, self.census.first, name=CHANNEL_NAME)
            return
        for row in self._dump.rows(phase.table):
            line = self._maps[phase.table](row)
            if isinstance(line, Line) and line.kind == phase.kind:
                yield line

    def _rows(self, table: str, activity: str, told: Told) -> Iterator[Row]:
        told(activity, 0, None)
        rows = 0
        for rows, row in enumerate(self._dump.rows(table), 1):
            yield row
            if rows % 5_000 == 0:
                told(activity, rows, None)
        told(activity, rows, rows)

    def _index(self, told: Told) -> None:
        for row in self._rows("Users", "indexing Users", told):
            if (key := _key(row)) is not None:
                self._references.add_user(key[0])
        for row in self._rows("Posts", "indexing Posts", told):
            if (key := _key(row)) is not None:
                kind = {QUESTION: "thread", ANSWER: "reply"}.get(row.get("PostTypeId", ""))
                parent, owner = _number(row.get("ParentId")), _number(row.get("OwnerUserId"))
                self._references.add_post(key[0], kind, parent, owner)
        for row in self._rows("Votes", "indexing Votes", told):
            if row.get("VoteTypeId") == ACCEPTED and (key := _key(row)) is not None:
                target = self._target(row)
                if isinstance(target, Post) and target.question is not None:
                    self._references.add_acceptance(target.question, key[1], key[0])

    def _user(self, row: Row) -> Line | LeftOut:
        key = _key(row)
        if key is None:
            return LeftOut(UNREADABLE)
        user, at = key
        return _line(row, "Users", "member", "join", f"stackexchange:user:{user}", self._subject(user), at)

    def _post(self, row: Row) -> Line | LeftOut:
        key = _key(row)
        if key is None:
            return LeftOut(UNREADABLE)
        (post, at), author = key, self._subject(_number(row.get("OwnerUserId")))
        source, body = _post_source(post), _words(row, "Body")
        kind = row.get("PostTypeId")
        if kind == QUESTION:
            about = {"channel": CHANNEL, "title": _words(row, "Title"), "tags": tags_of(row.get("Tags", ""))}
            return _line(row, "Posts", "thread", "open-thread", source, author, at, body=body, **about)
        if kind == ANSWER:
            known = self._references.post(post)
            if known is None or known.kind is None:
                return LeftOut(NO_QUESTION)
            thread = _post_source(known.question)
            return _line(row, "Posts", "reply", "post-reply", source, author, at, thread=thread, body=body)
        return LeftOut(NOT_A_POST)

    def _comment(self, row: Row) -> Line | LeftOut:
        key, target = _key(row), self._target(row)
        if key is None:
            return LeftOut(UNREADABLE)
        if isinstance(target, LeftOut):
            return target
        (comment, at), author = key, self._subject(_number(row.get("UserId")))
        source, body = f"stackexchange:comment:{comment}", _words(row, "Text")
        return _line(row, "Comments", "comment", "post-comment", source, author, at, body=body, **_aim(row, target))

    def _vote(self, row: Row) -> Line | LeftOut:
        key, kind = _key(row), row.get("VoteTypeId")
        if key is None:
            return LeftOut(UNREADABLE)
        if kind not in (ACCEPTED, UP, DOWN):
            return LeftOut(OTHER_VOTE)
        target = self._target(row)
        if isinstance(target, LeftOut):
            return target
        vote, at = key
        source = f"stackexchange:vote:{vote}"
        if kind != ACCEPTED:
            aim = _aim(row, target)
            return _line(row, "Votes", "reaction", "react", source, None, at, kind="up", positive=kind == UP, **aim)
        if target.kind != "reply" or target.question is None:
            return LeftOut(NO_ANSWER)
        if self._references.acceptance(target.question) != vote:
            return LeftOut(REPLACED)
        thread, reply, asker = _post_source(target.question), _aim(row, target)["target"], self._subject(target.asker)
        return _line(row, "Votes", "acceptance", "accept-answer", source, asker, at, thread=thread, reply=reply)

    def _target(self, row: Row) -> Post | LeftOut:
        """The thread or reply that a comment or vote is about."""
        number = _number(row.get("PostId"))
        post = None if number is None else self._references.post(number)
        if post is None:
            return LeftOut(NO_POST)
        return post if post.kind is not None else LeftOut(POST_LEFT_OUT)

    def _subject(self, user: int | None) -> str | None:
        """Who did it: nobody known when the row has no user, or one that the dump does not have."""
        return f"stackexchange:{user}" if user is not None and self._references.knows_user(user) else None

    def _is_stranger(self, row: Row) -> bool:
        user = _number(row.get("OwnerUserId") or row.get("UserId"))
        return user is not None and not self._references.knows_user(user)


def tags_of(text: str) -> list[str]:
    """The tags of `<one><two>`, as dumps had it until 2023, or `|one|two|`, as they have it since; each once."""
    return list(dict.fromkeys(re.findall(r"[^<>|]+", text)))


def _line(
    row: Row, table: str, becomes: str, command: str, source: str, subject: str | None, at: str, /, **arguments: object
) -> Line:
    line = {"command": command, "source": source, "subject": subject, "occurred_at": at, **arguments}
    return Line(table, row.get("Id", ""), becomes, line)


def _aim(row: Row, target: Post) -> dict[str, str | None]:
    return {"target": _post_source(_number(row.get("PostId"))), "target_kind": target.kind}


def _post_source(post: int | None) -> str:
    return f"stackexchange:post:{post}"


def _words(row: Row, attribute: str) -> str | None:
    """What was written, as it was; None when nothing of it shows, or when the dump holds facts only."""
    text = row.get(attribute, "")
    return text if SHOWING.search(text) else None


def _key(row: Row) -> tuple[int, str] | None:
    """The id and the moment of a row; None when it has not both."""
    number, at = _number(row.get("Id")), _instant(row)
    return None if number is None or at is None else (number, at)


def _number(text: str | None) -> int | None:
    """An id of the dump; None for anything else. SQLite keeps 64 bits."""
    if text is None or not re.fullmatch(r"-?[0-9]{1,18}", text):
        return None
    return int(text)


def _instant(row: Row) -> str | None:
    """`CreationDate` as RFC 3339; the dumps write UTC without saying so."""
    try:
        at = datetime.fromisoformat(row.get("CreationDate", ""))
        at = at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
