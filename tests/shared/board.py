"""A small domain for the tests of views: items that are opened, renamed and closed, votes on them, and visits.

Items are facts of the service `alpha`, votes and visits of `beta`. Its view uses all four changes and every type of
column that a view may have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, assert_never
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.events.envelope import to_wire
from shared.events.event import Event, Recorded, encode_data, wire_name
from shared.projections.read_model import Change, ReadModel, add, drop, include, micros, put
from shared.projections.read_model_table import read_model_table
from shared.subscription.source import Message
from shared.tables import service_metadata

ROOT = UUID("00000000-0000-5000-8000-00000000b0a4")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PARTITIONS = 3

METADATA = service_metadata(facts=True)
ITEM = read_model_table(
    "item",
    METADATA,
    key=[sa.Column("community", sa.Uuid), sa.Column("item", sa.Uuid)],
    put=[
        sa.Column("title", sa.Text),
        sa.Column("tags", ARRAY(sa.Text)),
        sa.Column("related", ARRAY(sa.Uuid)),
        sa.Column("about", JSONB),
        sa.Column("opened_at", sa.DateTime(timezone=True)),
        sa.Column("day", sa.Date),
        sa.Column("pinned", sa.Boolean),
        sa.Column("size", sa.BigInteger),
    ],
    add=["votes", "points"],
    indexes=[sa.Index("ix_item_opened", "community", "opened_at")],
)
DAILY = read_model_table(
    "daily",
    METADATA,
    key=[sa.Column("community", sa.Uuid), sa.Column("day", sa.Date)],
    add=["n"],
    include=["voters", "visitors"],
)
FIRST = read_model_table(
    "first_vote",
    METADATA,
    key=[sa.Column("community", sa.Uuid), sa.Column("member", sa.Uuid)],
    put=[sa.Column("at", sa.DateTime(timezone=True))],
)
WATCHED = read_model_table(
    "watched", METADATA, key=[sa.Column("community", sa.Uuid), sa.Column("item", sa.Uuid), sa.Column("word", sa.Text)]
)
TABLES = (ITEM, DAILY, FIRST, WATCHED)


class Opened(Event, frozen=True, tag="guildhall.alpha.opened.v1"):
    item: UUID
    title: str
    tags: tuple[str, ...] = ()
    related: tuple[UUID, ...] = ()
    size: int = 0


class Renamed(Event, frozen=True, tag="guildhall.alpha.renamed.v1"):
    item: UUID
    title: str


class Closed(Event, frozen=True, tag="guildhall.alpha.closed.v1"):
    item: UUID


class Voted(Event, frozen=True, tag="guildhall.beta.voted.v1"):
    item: UUID
    member: UUID
    points: int


class Visited(Event, frozen=True, tag="guildhall.beta.visited.v1"):
    member: UUID


class Whispered(Event, frozen=True, tag="guildhall.beta.whispered.v1"):
    """Nobody subscribes to this."""


BoardEvent = Opened | Renamed | Closed | Voted | Visited


def fold(event: BoardEvent, record: Recorded) -> Iterator[Change]:
    community, at, version = record.community, record.occurred_at, record.version
    match event:
        case Opened(item, title, tags, related, size):
            about = {"tags": list(tags), "n": len(title)}
            known = {"title": title, "tags": tags, "related": related, "about": about, "size": size}
            yield put(ITEM, (community, item), version, **known, opened_at=at, day=at.date(), pinned=bool(tags))
            yield put(WATCHED, (community, item, "opened"), version)
        case Renamed(item, title):
            if title == "cursed":
                raise ValueError("This title cannot be folded.")
            yield put(ITEM, (community, item), version, title=title)
        case Closed(item):
            yield drop(ITEM, (community, item), version)
            yield drop(WATCHED, (community, item, "opened"), version)
        case Voted(item, member, points):
            yield add(ITEM, (community, item), votes=1, points=points)
            yield add(DAILY, (community, at.date()), n=1)
            yield include(DAILY, (community, at.date()), "voters", member)
            yield put(FIRST, (community, member), -micros(at), at=at)
        case Visited(member):
            yield include(DAILY, (community, at.date()), "visitors", member)
        case _:
            assert_never(event)


BOARD = ReadModel("board", TABLES, fold)


def fold_votes(event: Voted, record: Recorded) -> Iterator[Change]:
    yield add(VOTES, (record.community,), n=1)


VOTES = read_model_table("vote_count", METADATA, key=[sa.Column("community", sa.Uuid)], add=["n"])
VOTE_COUNT = ReadModel("vote_count", (VOTES,), fold_votes)


def community(number: int = 0) -> UUID:
    return uuid5(ROOT, f"community {number}")


def item(number: int) -> UUID:
    return uuid5(ROOT, f"item {number}")


def member(number: int) -> UUID:
    return uuid5(ROOT, f"member {number}")


def day(number: int) -> date:
    return (NOON + timedelta(days=number)).date()


class Books:
    """The logs of services: `append` gives out positions and versions as the real ones do."""

    def __init__(self, partitions: int = PARTITIONS) -> None:
        self.partitions = partitions
        self.records: dict[str, list[list[Recorded]]] = {}
        self._versions: dict[UUID, int] = {}

    def append(self, event: Event, stream: UUID, *, at: datetime = NOON, where: UUID | None = None) -> Recorded:
        service = wire_name(type(event)).split(".")[1]
        partition = stream.int % self.partitions
        log = self.records.setdefault(service, [[] for _ in range(self.partitions)])[partition]
        self._versions[stream] = self._versions.get(stream, 0) + 1
        record = Recorded(
            service=service,
            partition=partition,
            position=len(log) + 1,
            stream=stream,
            version=self._versions[stream],
            type=wire_name(type(event)),
            id=uuid5(stream, str(self._versions[stream])),
            community=where or community(),
            actor=None,
            occurred_at=at,
            recorded_at=at,
            causation=None,
            data=encode_data(event),
        )
        log.append(record)
        return record

    def messages(self, service: str) -> list[list[Message]]:
        """By partition, as Kafka would hand them out."""
        logs = self.records.get(service, [[] for _ in range(self.partitions)])
        return [
            [Message(p, offset, to_wire(record), None) for offset, record in enumerate(log)]
            for p, log in enumerate(logs)
        ]


def a_history(books: Books, size: int = 40) -> Books:
    """Items opened, renamed, closed and reopened, votes and visits, over several days and two communities."""
    for n in range(size):
        where, at = community(n % 2), NOON + timedelta(hours=7 * n)
        number = n % 7
        thing = item(number)
        step = n // 7
        if step % 4 == 0:
            books.append(
                Opened(thing, f"Title {n}", ("a", 'b"\\,{}', ""), (item(n), item(n + 1)), n), thing, at=at, where=where
            )
        elif step % 4 == 2:
            books.append(Closed(thing), thing, at=at, where=where)
        else:
            books.append(Renamed(thing, f"Name {n}"), thing, at=at, where=where)
        books.append(
            Voted(thing, member(n % 5), n - 10),
            uuid5(thing, f"vote {n % 3}"),
            at=at - timedelta(days=n % 3),
            where=where,
        )
        books.append(Visited(member(n)), uuid5(ROOT, f"visit {n}"), at=at, where=where)
        books.append(Whispered(), uuid5(ROOT, f"whisper {n}"), at=at, where=where)
    return books


def every(rows: Sequence[dict[str, Any]], column: str) -> list[Any]:
    return [row[column] for row in rows]


def board_of(*titles: str) -> Books:
    """One item with those titles, one after another, and one untouched beside it in the same partition."""
    books = Books(1)
    books.append(Opened(item(1), titles[0]), item(1))
    for title in titles[1:]:
        books.append(Renamed(item(1), title), item(1))
    books.append(Opened(item(2), "neighbour"), item(2))
    return books
