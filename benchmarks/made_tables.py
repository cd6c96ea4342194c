"""A made-up community in projection's tables: what the views would have folded, put there by COPY.

Columns of one width are turned into PostgreSQL's binary COPY format as arrays, a month and a kind at a time; keys are
dropped before and made afterwards. Ten million facts take about two minutes this way, as events through Kafka ten.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import asyncpg
import numpy as np
from pyroaring import BitMap

from benchmarks.synthetic import ACTIONS, KINDS, Life, first_moment
from services.projection.app import SERVICE
from services.projection.days import SLOTS_A_DAY
from shared.events.identity import derived_id

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_ROWS = 100_000
"""Rows that are turned into bytes at once."""
_KEYED = (
    *("response", "response_withdrawal", "post_parent"),
    *("action_count", "active_members", "first_action", "member_ordinal", "membership"),
)
_INDEXED = ("response", "response_withdrawal")
"""Those with an index by post, too."""

Column = bytes | np.typing.NDArray[Any]
"""The same bytes in every row, or an array of integers or of 16-byte ids."""


async def fill(db: asyncpg.Connection[asyncpg.Record], lives: Iterator[Life]) -> None:
    """Put these communities into empty tables, with watermarks that say that all has been read."""
    await db.execute("set maintenance_work_mem = '1GB'; set synchronous_commit = off")
    for table in _KEYED:
        await db.execute(f"alter table {table} drop constraint pk_{table}")
    for table in _INDEXED:
        await db.execute(f"drop index ix_{table}_post")
    for life in lives:
        await _fill(db, life)
    for table in _KEYED:
        key = ", ".join(SERVICE.metadata.tables[table].primary_key.columns.keys())
        await db.execute(f"alter table {table} add constraint pk_{table} primary key ({key})")
    for table in _INDEXED:
        await db.execute(f"create index ix_{table}_post on {table} (community, post)")
    for view in SERVICE.topic_read_models:
        for source in view.sources:
            await db.execute(
                "insert into watermark (view, source, partition, position, caught_up_at)"
                " select $1, $2, p, 0, now() from generate_series(0, 11) p",
                view.name,
                source,
            )
    await db.execute("vacuum analyze")


async def _fill(db: asyncpg.Connection[asyncpg.Record], life: Life) -> None:
    await _members(db, life)
    await _responses(db, life)
    await _actions(db, life)
    await _suggestions(db, life)


async def _members(db: asyncpg.Connection[asyncpg.Record], life: Life) -> None:
    here = life.community.bytes
    everybody = np.arange(life.members)
    await _copy(db, "member_ordinal", ("community", "member", "ordinal"), here, life.ids, (everybody + 1).astype(">i4"))
    await _copy(
        db,
        "directory_member",
        ("community", "member", "status", "version"),
        here,
        life.ids,
        b"member",
        _ones(life.members),
    )
    await _copy(
        db,
        "membership",
        ("community", "member", "turn", "slot", "here", "version"),
        here,
        life.ids,
        _ones(life.members),
        (life.joined * SLOTS_A_DAY).astype(">i4"),
        b"\1",
        _ones(life.members),
    )
    await db.execute("insert into membership_change (community, n) values ($1, $2)", life.community, life.members)
    await db.execute(
        "insert into directory_community (community, slug, visibility, admission, time_zone, version)"
        " values ($1, $2, 'public', 'open', 'Europe/Paris', 1)",
        life.community,
        life.slug,
    )
    await db.execute(
        "insert into community (community, slug, name, language, time_zone, version)"
        " values ($1, $2, $2, 'fr', 'Europe/Paris', 1)",
        life.community,
        life.slug,
    )


async def _responses(db: asyncpg.Connection[asyncpg.Record], life: Life) -> None:
    """Each about a post of its own, that stands on another for a reply or a comment."""
    ids = np.append(life.ids, np.zeros(1, "S16"))
    columns = ("community", "slot", "receiver", "sender", "kind", "post", "n")
    here = life.community.bytes
    for rows in _months(life):
        for number, kind in enumerate(KINDS):
            of_kind = rows[life.kind[rows] == number]
            slot, receiver, sender = life.slot[of_kind], life.receiver[of_kind], life.sender[of_kind]
            posts = _posts(life, of_kind)
            await _copy(
                db,
                "response",
                columns,
                here,
                slot.astype(">i4"),
                ids[receiver],
                ids[sender],
                kind.encode(),
                posts,
                _ones(len(of_kind)),
            )
            if kind in ("reply", "comment"):
                parents = _posts(life, -1 - of_kind // 10)
                await _copy(
                    db, "post_parent", ("community", "parent", "post", "n"), here, parents, posts, _ones(len(of_kind))
                )
    for number, kind in enumerate(KINDS):
        of_kind = life.kind[life.withdrawn] == number
        rows = life.withdrawn[of_kind]
        await _copy(
            db,
            "response_withdrawal",
            ("community", "withdrawn_slot", *columns[1:]),
            here,
            life.withdrawn_slot[of_kind].astype(">i4"),
            life.slot[rows].astype(">i4"),
            ids[life.receiver[rows]],
            ids[life.sender[rows]],
            kind.encode(),
            _posts(life, rows),
            _ones(len(rows)),
        )
    # Of a thousand replies and comments one was deleted, and of ten thousand threads one.
    ends = np.flatnonzero(np.isin(life.kind, [KINDS.index("reply"), KINDS.index("comment")]))
    deleted = np.append(ends[::1000], -1 - np.unique(ends // 10)[::10_000])
    slot = life.slot[np.where(deleted < 0, (-1 - deleted) * 10, deleted)]
    await _copy(
        db,
        "post_deletion",
        ("community", "post", "slot", "version"),
        here,
        _posts(life, deleted),
        (slot + 1).astype(">i4"),
        _ones(len(deleted)),
    )
    await _changes(db, "response_change", life, np.concatenate([life.slot, life.withdrawn_slot]))


def _posts(life: Life, numbers: np.typing.NDArray[Any]) -> np.typing.NDArray[Any]:
    """Ids of posts, spread as ids made at random are: the same number has the same one."""
    mixed = np.array(numbers).astype(np.int64).view(np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15)
    head, tail = mixed ^ (mixed >> np.uint64(32)), np.full(len(mixed), life.community.int & (2**63 - 1), np.uint64)
    return np.stack([head.astype(">u8"), tail.astype(">u8")], axis=1).view("V16").ravel()


async def _actions(db: asyncpg.Connection[asyncpg.Record], life: Life) -> None:
    here = life.community.bytes
    for name in sorted(set(ACTIONS)):
        kinds = [number for number, action in enumerate(ACTIONS) if action == name]
        slots, n = np.unique(life.slot[np.isin(life.kind, kinds)], return_counts=True)
        await _copy(
            db,
            "action_count",
            ("community", "slot", "kind", "n"),
            here,
            slots.astype(">i4"),
            name.encode(),
            n.astype(">i8"),
        )
    await _changes(db, "action_change", life, life.slot)
    known = life.sender < life.members
    slots, starts = np.unique(life.slot[known], return_index=True)
    ordinals = (life.sender[known] + 1).astype(np.uint32)
    sets = np.split(ordinals, starts[1:])
    rows = ((life.community, int(slot), BitMap(members).serialize()) for slot, members in zip(slots, sets, strict=True))
    await db.copy_records_to_table("active_members", records=rows, columns=("community", "slot", "members"))
    who, first = np.unique(life.sender[known], return_index=True)
    slot = life.slot[known][first]
    columns = ("community", "member", "slot", "version")
    await _copy(
        db, "first_action", columns, here, life.ids[who], slot.astype(">i4"), (-slot * 900_000_000).astype(">i8")
    )


async def _changes(
    db: asyncpg.Connection[asyncpg.Record], table: str, life: Life, slots: np.typing.NDArray[Any]
) -> None:
    days, n = np.unique(slots // SLOTS_A_DAY, return_counts=True)
    await _copy(db, table, ("community", "day", "n"), life.community.bytes, days.astype(">i4"), n.astype(">i8"))


async def _suggestions(db: asyncpg.Connection[asyncpg.Record], life: Life) -> None:
    """One for every twenty members, two of three answered."""
    states = ("open", "planned", "completed", "declined")
    asked = [
        (derived_id("suggestion", f"{life.slug}/{n}"), first_moment(int(life.joined[n])))
        for n in range(0, life.members, 20)
    ]
    rows = [(life.community, each, states[n % 4], at, 1, False) for n, (each, at) in enumerate(asked)]
    await db.copy_records_to_table("suggestion", records=rows)
    answers = [
        (life.community, each, first_moment(int(life.joined[0]) + n), 1, False)
        for n, (each, _) in enumerate(asked)
        if n % 3
    ]
    await db.copy_records_to_table("suggestion_answer", records=answers)


def _months(life: Life) -> Iterator[np.typing.NDArray[Any]]:
    """Row numbers in the order of time, some at once, cut between slots."""
    cuts = np.searchsorted(life.slot, life.slot[_ROWS::_ROWS])
    yield from np.split(np.arange(len(life.slot)), np.unique(cuts))


def _ones(n: int) -> np.typing.NDArray[Any]:
    return np.ones(n, ">i8")


async def _copy(db: asyncpg.Connection[asyncpg.Record], table: str, names: Sequence[str], *columns: Column) -> None:
    rows = next(len(column) for column in columns if not isinstance(column, bytes))
    await db.copy_to_table(table, source=_binary(rows, columns), columns=names, format="binary")


async def _binary(rows: int, columns: Sequence[Column]) -> AsyncIterator[bytes]:
    fields: list[tuple[str, Any]] = [("fields", ">i2")]
    for number, column in enumerate(columns):
        kind = f"S{len(column)}" if isinstance(column, bytes) else column.dtype.newbyteorder(">")
        fields += [(f"size_{number}", ">i4"), (f"value_{number}", kind)]
    layout = np.dtype(fields)
    yield _HEADER
    for begin in range(0, rows, _ROWS):
        block = np.zeros(min(_ROWS, rows - begin), layout)
        block["fields"] = len(columns)
        for number, column in enumerate(columns):
            block[f"size_{number}"] = layout[f"value_{number}"].itemsize
            block[f"value_{number}"] = column if isinstance(column, bytes) else column[begin : begin + _ROWS]
        yield block.tobytes()
    yield _TRAILER
