"""Random histories of a small community, dense enough for caps, windows, withdrawals and ties to matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.projection.oracle import Action, Brought, Response, World

COMMUNITY = UUID("00000000-0000-5000-8000-00000000c0de")
MEMBERS = [uuid5(COMMUNITY, str(number)) for number in range(6)]
START = datetime(2024, 2, 27, tzinfo=UTC)
RESPONSE_KINDS = ("positive_reaction", "negative_reaction", "acceptance", "reply", "comment", "share")
THREAD, REPLY, COMMENT, OTHER = (uuid5(COMMUNITY, name) for name in ("thread", "reply", "comment", "other thread"))
PARENTS = {REPLY: THREAD, COMMENT: REPLY}
IMPORTERS = [uuid5(COMMUNITY, f"importer {number}") for number in range(2)]
ACTION_KINDS = ("thread", "reply", "comment", "acceptance", "reaction", "share", "suggestion", "vote")
"""A list of its own, as the oracle's: what is judged by it may not shorten it. `make check` sees that all are here."""

zones = st.sampled_from(
    [ZoneInfo(name) for name in ("UTC", "Europe/Paris", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia")]
)
members = st.sampled_from(MEMBERS)
nobody_or_member = st.one_of(st.none(), members)


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """Mostly within a few days, so that facts meet on one day; sometimes a year and more away."""
    days = draw(st.one_of(st.integers(0, 3), st.sampled_from([29, 30, 90, 364, 365, 366, 800])))
    return START + timedelta(days=days, seconds=draw(st.integers(0, 86_399)))


@st.composite
def responses(draw: st.DrawFn) -> Response:
    at = draw(moments())
    taken_back = draw(st.one_of(st.none(), st.none(), st.sampled_from([0, 1, 31, 400])))
    return Response(
        at,
        draw(st.sampled_from(RESPONSE_KINDS)),
        draw(nobody_or_member),
        draw(members),
        None if taken_back is None else at + timedelta(days=taken_back, minutes=5),
        draw(st.sampled_from([THREAD, REPLY, COMMENT, OTHER])),
        draw(st.one_of(st.none(), st.none(), st.sampled_from(IMPORTERS).map(lambda by: Brought(by, at)))),
    )


@st.composite
def actions(draw: st.DrawFn) -> Action:
    return Action(draw(moments()), draw(st.sampled_from(ACTION_KINDS)), draw(nobody_or_member))


@st.composite
def bursts(draw: st.DrawFn) -> list[Response]:
    """The same response again and again: what caps are for."""
    response = draw(responses())
    return [response] * draw(st.integers(1, 25))


@st.composite
def stays(draw: st.DrawFn) -> list[tuple[datetime, datetime | None]]:
    """Mostly here from before anything happened on; sometimes gone again, and back, or never here."""
    start = START - timedelta(days=1)
    left, back = sorted(draw(st.lists(moments(), min_size=2, max_size=2)))
    return draw(st.sampled_from([[(start, None)], [(start, None)], [(start, left), (back, None)], [(left, back)], []]))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    deleted = draw(st.dictionaries(st.sampled_from([THREAD, REPLY, COMMENT, OTHER]), moments(), max_size=3))
    robots = draw(st.frozensets(st.sampled_from(MEMBERS[:2]), max_size=1))
    return World(PARENTS, deleted, {member: draw(stays()) for member in MEMBERS}, robots)


EVERYBODY = World(stays={member: [(START - timedelta(days=1), None)] for member in MEMBERS})

histories = st.lists(bursts(), max_size=12).map(lambda groups: [r for group in groups for r in group])
doings = st.lists(actions(), max_size=12)
askings = st.sampled_from([0, 1, 3, 30, 60, 95, 365, 367, 400, 1200]).map(
    lambda days: (START + timedelta(days=days)).date()
)
