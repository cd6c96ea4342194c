from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given

from services.projection.days import first_slot, number_of, slot_of
from services.projection.influence.earned_blocks import EarnedBlocks
from services.projection.influence.explanation import Contributions
from services.projection.influence.facts import ROW, Rows
from services.projection.influence.member_index import NOBODY, UNKNOWN, MemberIndex
from services.projection.influence.participants import TURN, Participants, people
from services.projection.influence.scoring import DayScores, day_scores
from services.projection.policies import KINDS, STANDARD, STANDARD_1, Policies, ScoringPolicy
from tests.projection import oracle
from tests.projection.histories import (
    COMMENT,
    EVERYBODY,
    MEMBERS,
    OTHER,
    PARENTS,
    REPLY,
    START,
    THREAD,
    askings,
    doings,
    histories,
    worlds,
    zones,
)
from tests.projection.oracle import Action, Response, World

UTC_ZONE = ZoneInfo("UTC")
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
DAY = NOON.date()
ALICE, BOB, CAROL = MEMBERS[:3]


def rows_of(history: Sequence[Response]) -> Rows:
    rows = []
    for r in history:
        if r.receiver == r.sender:
            continue
        sender = r.sender.bytes if r.sender else b""
        fact = (slot_of(r.at), r.receiver.bytes, sender, KINDS.index(r.kind), r.brought.by.bytes if r.brought else b"")
        rows.append((fact[0], *fact, 1))
        if r.withdrawn_at is not None:
            rows.append((slot_of(r.withdrawn_at), *fact, -1))
    return np.array(rows, ROW)


def cancelled(history: Sequence[Response], world: World) -> Rows:
    """What deletions take away, as the database tells it."""
    every = Counter[tuple[int, int, bytes, bytes, int, bytes]]()
    for r in history:
        deletions = [world.deleted[post] for post in _up_from(r.post) if post in world.deleted]
        if deletions and r.receiver != r.sender:
            deleted = slot_of(min(deletions))
            sender = r.sender.bytes if r.sender else b""
            fact = (
                slot_of(r.at),
                r.receiver.bytes,
                sender,
                KINDS.index(r.kind),
                r.brought.by.bytes if r.brought else b"",
            )
            every[max(deleted, fact[0]), *fact] -= 1
            if r.withdrawn_at is not None:
                every[max(deleted, slot_of(r.withdrawn_at)), *fact] += 1
    return np.array([(*fact, count) for fact, count in every.items() if count], ROW)


def _up_from(post: UUID | None) -> Iterator[UUID]:
    while post is not None:
        yield post
        post = PARENTS.get(post)


def earned_blocks_of(
    history: Sequence[Response],
    zone: ZoneInfo,
    actions: Sequence[Action] = (),
    policies: Policies = STANDARD,
    world: World = EVERYBODY,
) -> EarnedBlocks:
    rows = rows_of(history)
    earned_blocks = EarnedBlocks(zone, policies)
    earned_blocks.replace(set((rows["known"] // 96).tolist()), rows)
    earned_blocks.cancel(cancelled(history, world))
    earned_blocks.include(np.array([m.bytes for m in [*(a.member for a in actions), *world.stays] if m], "S16"))
    return earned_blocks


def participants(earned_blocks: EarnedBlocks, world: World, zone: ZoneInfo, day: date) -> Participants:
    turns = [
        (member.bytes, slot_of(at), here)
        for member, stays in world.stays.items()
        for stay in stays
        for at, here in zip(stay, (True, False), strict=True)
        if at is not None
    ]
    robots = np.array([member.bytes for member in world.robots], "S16")
    earned_blocks.include(robots)
    found = people(np.array(turns, TURN), robots, earned_blocks.member_index)
    return found.at(first_slot(number_of(day) + 1, zone))


def day_scores_of(
    history: Sequence[Response],
    actions: Sequence[Action],
    zone: ZoneInfo,
    day: date,
    policies: Policies = STANDARD,
    world: World = EVERYBODY,
) -> tuple[MemberIndex, DayScores]:
    earned_blocks = earned_blocks_of(history, zone, actions, policies, world)
    window = (day - timedelta(days=364), day)
    active = {
        earned_blocks.member_index.place_of(a.member)
        for a in actions
        if a.member is not None and window[0] <= a.at.astimezone(zone).date() <= window[1]
    }
    places = np.array(sorted(n for n in active if n is not None), np.int64)
    there = participants(earned_blocks, world, zone, day)
    earned = earned_blocks.earned(number_of(day))
    return earned_blocks.member_index, day_scores(
        earned, earned_blocks.member_index, earned_blocks.importers, places, there, policies, number_of(day)
    )


@given(histories, doings, zones, askings, worlds())
def test_influence_is_what_its_definition_says(
    history: list[Response], actions: list[Action], zone: ZoneInfo, day: date, world: World
) -> None:
    member_index, got = day_scores_of(history, actions, zone, day, world=world)
    expected = oracle.influence(history, actions, zone, day, world)

    population = {member_index.id_of(n) for n in got.population}
    assert population == {member for member, e in expected.items() if e.in_population}
    assert int(got.authority.sum()) == 100_000 * len(population)
    for number in range(len(member_index)):
        e = expected.get(member_index.id_of(number), oracle.Influence(0, 0, Fraction(0), False))
        assert (got.reach[number], got.resonance[number]) == (e.reach, e.resonance)
        assert abs(got.authority[number] - e.authority) <= 1
        assert got.score[number] == 5000 * e.reach + e.resonance + got.authority[number]


@given(histories, doings, zones, askings, worlds())
def test_an_explanation_adds_up_to_the_score_to_the_last_unit(
    history: list[Response], actions: list[Action], zone: ZoneInfo, day: date, world: World
) -> None:
    member_index, got = day_scores_of(history, actions, zone, day, world=world)
    for number in range(len(member_index)):
        contributions = Contributions(got, number)
        items = contributions.items()
        assert sum(item.thousandths for item in items) == contributions.total == got.score[number]
        assert [contributions.items(n, n + 1) for n in range(len(contributions))] == [[item] for item in items]
        reached = {item.sender for item in items if item.part == "reach"}
        assert len(reached) == got.reach[number]
        assert sum(i.thousandths for i in items if i.part == "authority") == got.authority[number]


@given(histories, doings, zones, askings, worlds())
def test_what_is_left_without_imports_is_what_it_would_be_had_nothing_been_brought_in(
    history: list[Response], actions: list[Action], zone: ZoneInfo, day: date, world: World
) -> None:
    member_index, got = day_scores_of(history, actions, zone, day, world=world)
    done_here, here = day_scores_of([r for r in history if r.brought is None], actions, zone, day, world=world)
    brought = got.of_imports
    for number in range(len(member_index)):
        number_here = done_here.place_of(member_index.id_of(number))
        reach, resonance = (0, 0) if number_here is None else (here.reach[number_here], here.resonance[number_here])
        assert got.reach[number] - brought.reach[number] == reach
        assert got.resonance[number] - brought.resonance[number] == resonance
        assert 0 <= brought.authority[number] <= got.authority[number]
        contributions = Contributions(got, number)
        marked = [item for item in contributions.items() if item.importer is not None]
        assert sum(item.thousandths for item in marked) == brought.score[number]
        assert sum(part == "reach" for part in (item.part for item in marked)) == brought.reach[number]
        for importer, part in contributions.by_importer.items():
            assert part.score == sum(i.thousandths for i in contributions.items() if i.importer == importer)


@given(histories, histories, zones, askings)
def test_the_past_does_not_move_by_what_comes_later(
    history: list[Response], later: list[Response], zone: ZoneInfo, day: date
) -> None:
    then = [r for r in history if r.at.astimezone(zone).date() <= day]
    known = [r for r in then if r.withdrawn_at is None or r.withdrawn_at.astimezone(zone).date() <= day]
    unknown_yet = [replace(r, withdrawn_at=None) for r in then if r not in known]
    afterwards = [r for r in later if r.at.astimezone(zone).date() > day]
    member_index, got = day_scores_of([*known, *unknown_yet], [], zone, day)
    index_later, got_later = day_scores_of([*then, *afterwards], [], zone, day)
    for number in range(len(member_index)):
        number_later = index_later.place_of(member_index.id_of(number))
        assert number_later is not None
        assert got.score[number] == got_later.score[number_later]


@given(histories, histories, zones, askings)
def test_facts_may_be_replaced_day_by_day(
    history: list[Response], stale: list[Response], zone: ZoneInfo, day: date
) -> None:
    rows = rows_of(history)
    days = rows["known"] // 96
    once, piecemeal = earned_blocks_of(history, zone), earned_blocks_of(stale, zone)
    piecemeal.earned(number_of(day))
    for one in sorted({*days.tolist(), *(rows_of(stale)["known"] // 96).tolist()}):
        piecemeal.replace({one}, rows[days == one])
    assert once.rows == piecemeal.rows
    none = np.zeros(0, np.int64)
    whole, parts = (
        day_scores(
            earned_blocks.earned(number_of(day)),
            earned_blocks.member_index,
            earned_blocks.importers,
            none,
            participants(earned_blocks, EVERYBODY, zone, day),
            STANDARD,
            number_of(day),
        )
        for earned_blocks in (once, piecemeal)
    )
    assert {once.member_index.id_of(n): int(whole.score[n]) for n in whole.population} == {
        piecemeal.member_index.id_of(n): int(parts.score[n]) for n in parts.population
    }


def scores(history: Sequence[Response], day: date = DAY) -> dict[object, tuple[int, int]]:
    member_index, got = day_scores_of(history, [], UTC_ZONE, day)
    every = {member_index.id_of(n): (int(got.reach[n]), int(got.resonance[n])) for n in range(len(member_index))}
    return {member: parts for member, parts in every.items() if parts != (0, 0)}


def test_an_accepted_answer_earns_its_author_fifteen_and_the_asker_two() -> None:
    accepted = [Response(NOON, "acceptance", ALICE, BOB)]
    assert scores(accepted) == {ALICE: (0, 2_000), BOB: (1, 15_000)}


def test_an_acceptance_by_nobody_known_reaches_nobody() -> None:
    assert scores([Response(NOON, "acceptance", None, BOB)]) == {BOB: (0, 15_000)}


def test_one_member_gives_another_at_most_forty_points_a_day_acceptances_included() -> None:
    for likes, others in ((5, []), (3, ["acceptance"]), (0, ["acceptance"] * 9), (2, ["acceptance", "reply", "share"])):
        kinds = ["positive_reaction"] * likes + others
        generous = [Response(NOON, kind, ALICE, BOB) for kind in kinds]
        accepted = others.count("acceptance")
        assert scores(generous) == {BOB: (1, 40_000)} | ({ALICE: (0, 2_000 * accepted)} if accepted else {})


def test_acceptances_count_in_what_a_pair_may_give_and_not_in_what_one_may_receive() -> None:
    everybody = [Response(NOON, "positive_reaction", None, BOB)] * 20
    assert scores([*everybody, Response(NOON, "acceptance", ALICE, BOB)])[BOB] == (1, 215_000)
    assert scores([*everybody, *[Response(NOON, "acceptance", ALICE, BOB)] * 3])[BOB] == (1, 240_000)


def test_caps_hold_back_points_but_no_penalty() -> None:
    mixed = [Response(NOON, "positive_reaction", ALICE, BOB)] * 5 + [Response(NOON, "negative_reaction", ALICE, BOB)]
    assert scores(mixed)[BOB] == (1, 40_000 - 2_000)


def test_a_receiver_gets_at_most_two_hundred_points_a_day() -> None:
    applause = [Response(NOON, "positive_reaction", None, BOB)] * 30
    assert scores(applause)[BOB] == (0, 200_000)
    assert scores([*applause, Response(NOON - timedelta(days=90), "reply", None, BOB)])[BOB] == (0, 201_500)


def test_a_negative_row_is_rounded_toward_zero_like_any_other() -> None:
    day_before = NOON - timedelta(days=1)
    assert scores([Response(day_before, "negative_reaction", None, BOB)])[BOB] == (0, -1_984)  # -1984.654…
    assert scores([Response(day_before, "reply", None, BOB)])[BOB] == (0, 2_976)  # 2976.981…


def test_resonance_stays_after_a_year_while_reach_and_authority_go() -> None:
    member_index, got = day_scores_of([Response(NOON, "share", ALICE, BOB)], [], UTC_ZONE, DAY + timedelta(days=365))
    bob = member_index.place_of(BOB)
    assert bob is not None
    assert len(got.population) == len(got.ranking) == 0
    assert (got.reach[bob], got.resonance[bob], got.authority[bob]) == (0, 481, 0)


def test_a_policy_counts_from_its_effective_date_and_leaves_the_days_before_as_they_were() -> None:
    change = DAY + timedelta(days=10)
    generous = ScoringPolicy(
        "generous-2", change, {**STANDARD_1.points, "reply": 100}, 500, 500, None, 5, STANDARD_1.weights
    )
    both = Policies([generous, STANDARD_1])
    history = [Response(NOON, "reply", ALICE, BOB), Response(NOON + timedelta(days=11), "reply", ALICE, BOB)]
    before = change - timedelta(days=1)
    for policies in (STANDARD, both):
        member_index, got = day_scores_of(history, [], UTC_ZONE, before, policies)
        assert got.policy.name == "standard-1"
        assert got.resonance[member_index.place_of(BOB)] == 2_799  # 3000 × 2^(-9/90) = 2799.099…
    member_index, got = day_scores_of(history, [], UTC_ZONE, change + timedelta(days=9), both)
    assert got.policy.name == "generous-2"
    assert got.resonance[member_index.place_of(BOB)] == 2_591 + 100_000  # 3000 × 2^(-19/90) = 2591.5…


def test_the_ranking_goes_by_score_and_then_by_id_and_the_percentile_says_who_is_below() -> None:
    member_index, got = day_scores_of(
        [Response(NOON, "reply", ALICE, BOB)], [Action(NOON, "thread", CAROL)], UTC_ZONE, DAY
    )
    first, *others = (member_index.id_of(n) for n in got.ranking)
    assert first == BOB
    assert others == sorted([ALICE, CAROL])
    assert [got.percentile(n) for n in got.ranking] == [0.6666, 0.0, 0.0]


def test_members_whose_ids_begin_alike_are_kept_apart() -> None:
    alike = np.array([bytes(8) + b"\1" + bytes(7), bytes(8) + b"\2" + bytes(7), b"\1" * 16], "S16")
    member_index = NOBODY.with_members(alike[[2, 1]]).with_members(alike)
    assert member_index.ids.tolist() == alike.tolist()
    assert member_index.places_of(alike[[1, 0, 2]]).tolist() == [1, 0, 2]
    assert member_index.places[member_index.numbers_of(alike)].tolist() == [0, 1, 2]
    assert member_index.numbers_of(np.array([bytes(16)], "S16")).tolist() == [UNKNOWN]


def test_a_newcomer_changes_nobodys_number() -> None:
    few = NOBODY.with_members(np.array([b"b" * 16, b"d" * 16], "S16"))
    more = few.with_members(np.array([b"a" * 16, b"c" * 16], "S16"))
    assert [more.numbers_of(few.ids).tolist(), more.places[:2].tolist()] == [few.numbers.tolist(), [1, 3]]


def test_a_robot_gives_resonance_and_neither_reach_nor_authority_and_is_in_no_ranking() -> None:
    history = [Response(NOON, "reply", ALICE, BOB), Response(NOON, "reply", CAROL, BOB)]
    marked = replace(EVERYBODY, robots={CAROL})
    member_index, got = day_scores_of(history, [Action(NOON, "reply", CAROL)], UTC_ZONE, DAY, world=marked)
    bob = member_index.place_of(BOB)
    assert bob is not None
    assert (got.reach[bob], got.resonance[bob]) == (1, 6_000)
    assert {member_index.id_of(n) for n in got.ranking} == {ALICE, BOB}
    assert int(got.authority.sum()) == 200_000
    senders = {
        member_index.id_of(i.sender) for i in Contributions(got, bob).items() if i.part == "authority" and i.sender
    }
    assert senders == {ALICE}


def test_who_has_left_is_in_no_ranking_of_a_later_day_and_is_still_whom_one_reached() -> None:
    history = [Response(NOON, "reply", ALICE, BOB), Response(NOON, "reply", CAROL, BOB)]
    left = NOON + timedelta(days=1)
    world = replace(EVERYBODY, stays={**EVERYBODY.stays, CAROL: [(START, left), (left + timedelta(days=2), None)]})
    for days, there in enumerate([True, False, False, True]):
        member_index, got = day_scores_of(history, [], UTC_ZONE, DAY + timedelta(days=days), world=world)
        bob, carol = member_index.place_of(BOB), member_index.place_of(CAROL)
        assert bob is not None
        assert got.reach[bob] == 2
        assert carol is not None
        assert (carol in got.ranking.tolist(), bool(got.authority[carol])) == (there, there)
        assert int(got.authority.sum()) == 100_000 * len(got.ranking) == 100_000 * (2 + there)


def test_what_was_deleted_was_a_response_until_the_day_before_and_what_stood_below_it_too() -> None:
    gone = replace(EVERYBODY, deleted={THREAD: NOON + timedelta(days=1)})
    kinds = {"reply": REPLY, "comment": COMMENT, "acceptance": REPLY, "share": THREAD, "positive_reaction": COMMENT}
    history = [Response(NOON, kind, ALICE, BOB, post=post) for kind, post in kinds.items()]
    kept = Response(NOON, "reply", CAROL, BOB, post=OTHER)
    before, after = (
        day_scores_of([*history, kept], [], UTC_ZONE, DAY + timedelta(days=days), world=gone) for days in (0, 1)
    )
    for (member_index, got), reach, points in ((before, 2, 41), (after, 1, 3)):
        bob = member_index.place_of(BOB)
        assert got.reach[bob] == reach
        assert got.resonance[bob] == int(points * 1000 * 2.0 ** (-(got.day - number_of(DAY)) / 90))


def test_nobody_at_all_is_no_mistake() -> None:
    _, got = day_scores_of([], [], UTC_ZONE, DAY)
    assert len(got.ranking) == 0
