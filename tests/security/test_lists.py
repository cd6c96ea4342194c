"""A page of a list costs what it shows: the rows PostgreSQL reads for it do not grow with those it passes over.

Every list is asked for in a community of some thousands of each thing, with as many that are gone or hidden where the
page begins; each statement is then explained, as it was sent, by the real planner.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import pytest
import sqlalchemy as sa

from shared.db import driver
from shared.events.identity import community_id
from tests.city.city import City, city
from tests.city.village import Village
from tests.stack import Stack

MANY: Final = 4_000
LIMIT: Final = 20
MOST: Final = 12 * (LIMIT + 1)
"""Rows that a statement may read for a page: the page, what is joined to each of its rows, and little else."""

RARE = "00000000-0000-4000-8000-00000000ea5e"
"""A channel, an author and a target of few."""

_DESCRIBED = "slug, name, purpose, language, time_zone, visibility, admission, archived, founded_at, version"
_LATER = "now() + n * interval '1 minute'"
_THREAD = "('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
_RARELY = f"case when n <= 9 then '{RARE}'::uuid else $1 end"
_TWICE = f"n > {MANY} from generate_series(1, 2 * {MANY}) n"
"""As many that stand, and then as many that are gone."""

FILL: Final = {
    "member": [
        # Hidden from everybody here, and first by slug.
        f"insert into community_list (community, {_DESCRIBED}) select gen_random_uuid(), 'aaa-hidden-' || n, 'H', 'H', "
        "'fr', 'UTC', 'members', 'open', false, now(), 1 "
        f"from generate_series(1, {MANY}) n where $1::uuid is not null",
        f"insert into community_list (community, {_DESCRIBED}) select gen_random_uuid(), 'bbb-public-' || n, 'P', 'P', "
        f"case when n > {MANY} - 9 then 'eo' else 'fr' end, 'UTC', 'public', 'open', false, now(), 1 "
        f"from generate_series(1, {MANY}) n where $1::uuid is not null",
        "insert into roster (community, member, status, since, robot, version) select $1, gen_random_uuid(), s, "
        f"now() - n * interval '1 minute', n > {MANY} - 9, 1 from generate_series(1, {MANY}) n, "
        "unnest(array['member', 'applicant', 'left']) s",
    ],
    "content": [
        "insert into channel_list (community, channel, name, purpose, posting, opened_at, archived, version) select "
        f"$1, gen_random_uuid(), 'C', 'P', 'members', {_LATER}, false, 1 from generate_series(1, {MANY}) n",
        "insert into thread_list (community, thread, channel, author, tags, opened_at, version, gone) select $1, "
        f"{_THREAD}, {_RARELY}, {_RARELY}, "
        f"array['some'], {_LATER}, 1, {_TWICE}",
        "insert into thread_activity (community, thread, at, version, gone) select community, thread, "
        "case when gone then null else opened_at end, 1, gone from thread_list "
        "where community = $1 and opened_at > now()",
        "insert into thread_tag (community, tag, thread, version) "
        f"select $1, 'rare-tag', {_THREAD}, 1 from generate_series(1, 9) n",
        "insert into tag_list (community, tag, threads) "
        f"select $1, 'tag' || n, n % 50 from generate_series(1, {MANY}) n",
        "insert into reply_list (community, reply, thread, author, posted_at, version, gone) "
        f"select $1, gen_random_uuid(), $2::uuid, $1, {_LATER}, 1, {_TWICE}",
        "insert into comment_list (community, comment, thread, target, target_kind, author, posted_at, version, gone) "
        f"select $1, gen_random_uuid(), $2::uuid, $2::uuid, 'thread', $1, {_LATER}, 1, {_TWICE}",
    ],
    "feedback": [
        "insert into suggestion_board (community, suggestion, author, anonymous, submitted_at, state, state_since, "
        f"answered_at, votes, version, gone) select $1, gen_random_uuid(), $1, false, {_LATER}, "
        f"case when n <= 9 then 'declined' else 'open' end, now(), case when n <= 9 then now() end, n, 1, {_TWICE}",
    ],
    "engagement": [
        "insert into reaction_list (community, reaction, target, actor, kind, positive, reacted_at, version, gone) "
        f"select $1, gen_random_uuid(), $2::uuid, gen_random_uuid(), 'like', true, {_LATER}, 1, {_TWICE}",
    ],
}

LISTS: Final = {
    "member": [
        "/v1/communities",
        "/v1/communities?language=eo",
        "/v1/communities?mine=true",
        "{path}/members",
        "{path}/members?status=applicant",
        "{path}/members?status=left",
        "{path}/members?robot=true",
        "{path}/members?robot=false",
        "{path}/members?role=moderator",
        "{path}/members?role=owner&robot=false",
        "{path}/roles",
    ],
    "content": [
        "{path}/channels",
        "{path}/threads",
        "{path}/threads?sort=active",
        "{path}/threads?channel={rare}",
        "{path}/threads?author={rare}",
        "{path}/threads?author=me",
        "{path}/threads?tag=rare-tag",
        "{path}/threads?tag=nobody-has-it",
        "{path}/threads/{thread}/replies",
        "{path}/threads/{thread}/comments",
        "{path}/tags",
    ],
    "feedback": [
        "{path}/suggestions",
        "{path}/suggestions?sort=newest",
        "{path}/suggestions?state=declined",
        "{path}/suggestions?state=declined&sort=newest",
        "{path}/suggestions?answered=true",
        "{path}/suggestions?answered=false",
    ],
    "engagement": ["{path}/reactions?target={thread}"],
}


@pytest.fixture(scope="module")
async def town(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[City]:
    """One of its own: where others have left hundreds of members, the planner reads all of them rather than look up
    those of a page, and rightly so.
    """
    async with city(stack, tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
async def full(town: City) -> Village:
    """A village with thousands of everything."""
    village = await Village(town, "lists-are-long", "members").settle()
    at, thread = community_id(village.name), UUID(village.ids["thread"][0])
    for service, statements in FILL.items():
        async with driver(town.runtime(service).engine) as connection:
            for statement in statements:
                given = (at, thread) if "$2" in statement else (at,)
                await connection.execute(statement, *given)
            await connection.execute("analyze")
    return village


@contextmanager
def statements(town: City, service: str) -> Iterator[list[tuple[str, tuple[Any, ...]]]]:
    """The questions that the service sends to PostgreSQL meanwhile."""
    sent: list[tuple[str, tuple[Any, ...]]] = []
    engine = town.runtime(service).engine.sync_engine

    def note(_: object, __: object, statement: str, parameters: tuple[Any, ...], *___: object) -> None:
        sent.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def read(plan: dict[str, Any]) -> int:
    """The rows that a plan's scans have looked at."""
    below: int = sum(read(inner) for inner in plan.get("Plans", ()))
    if "Scan" not in plan["Node Type"] or plan["Node Type"] in ("Subquery Scan", "Function Scan", "Bitmap Heap Scan"):
        return below
    removed = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
    return below + int((plan["Actual Rows"] + removed) * plan["Actual Loops"])


async def cost(town: City, service: str, sent: list[tuple[str, tuple[Any, ...]]]) -> int:
    """The most rows that one of these statements reads."""
    most = 0
    async with driver(town.runtime(service).engine) as connection:
        for statement, parameters in sent:
            if not statement.lstrip().lower().startswith(("select", "with")):
                continue
            told = await connection.fetchval(f"explain (analyze, timing off, format json) {statement}", *parameters)
            most = max(most, read((json.loads(told) if isinstance(told, str) else told)[0]["Plan"]))
    return most


@pytest.mark.parametrize(("service", "path"), [(s, path) for s, paths in LISTS.items() for path in paths])
async def test_a_page_reads_little_more_than_it_shows(town: City, full: Village, service: str, path: str) -> None:
    asked = path.format(path="", rare=RARE, thread=full.ids["thread"][0])
    beside = "&" if "?" in asked else "?"
    limit = "" if path.endswith("/roles") else f"{beside}limit={LIMIT}"  # the roles are few, and come whole
    cursor = ""
    for _ in range(2):
        with statements(town, service) as sent:
            request = full.request("moderator", service, "GET", f"{asked}{limit}{cursor}")
            if path.startswith("/v1/"):
                request = replace(request, target=f"{asked}{limit}{cursor}")
            answer = await town.ask(request)
        assert answer.status == 200, answer.body
        assert sent
        assert await cost(town, service, sent) <= MOST, sent
        if not (following := answer.json().get("next")):
            break
        cursor = f"&cursor={following}"


def test_every_list_of_the_documents_is_among_them(town: City) -> None:
    paged = {
        (service, path)
        for service, document in town.documents.items()
        for path, operations in document["paths"].items()
        for parameter in operations.get("get", {}).get("parameters", ())
        if parameter["name"] == "cursor" and service in LISTS
    }
    asked = {
        (service, path.partition("?")[0].format(path="/v1/communities/{community}", rare="", thread="{thread_id}"))
        for service, paths in LISTS.items()
        for path in paths
    }
    same = {path.replace("{reply_id}", "{thread_id}").replace("/replies/", "/threads/") for _, path in paged}
    from_a_stream = {"/v1/communities/{community}/imports/withdrawals"}  # of the community's state, with no query
    assert same - from_a_stream <= {path for _, path in asked}


async def test_the_measure_sees_a_list_that_grows(town: City, full: Village) -> None:
    at = community_id(full.name)
    everything = "select * from roster where community = $1 order by since, member limit 20"

    assert await cost(town, "member", [(everything, (at,))]) > MOST
