"""A place is looked at again where nothing comes: the record that was read last must still stand there."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from shared.events.envelope import to_wire
from shared.subscription.source import BEGINNING, Mark
from shared.subscription.topic_cursor import NotAtOffset, TopicCursor, diagnose_silence
from tests.shared.board import Books, Visited, member

BOOKS = Books(1)
RECORDS = [BOOKS.append(Visited(member(n)), member(n)) for n in range(9)]


@dataclass
class Stored:
    offset: int
    value: bytes | None


def topic(*positions: int) -> list[Stored]:
    """A partition that holds these positions, one after another."""
    return [Stored(offset, to_wire(RECORDS[position - 1])) for offset, position in enumerate(positions)]


def test_a_record_that_stands_where_it_was_read_is_not_handed_out_again() -> None:
    cursor, records = TopicCursor(BEGINNING), topic(1, 2, 3)
    assert cursor.sift(records) == records

    assert cursor.check() == 2
    assert cursor.sift([records[2], *topic(0, 0, 0, 4)[3:]]) == topic(0, 0, 0, 4)[3:]


def test_another_record_in_its_place_sends_the_reader_to_the_beginning() -> None:
    cursor = TopicCursor(BEGINNING)
    cursor.sift(topic(1, 2, 2))

    assert cursor.check() == 2
    with pytest.raises(NotAtOffset):
        cursor.sift(topic(1, 2, 3)[2:])


def test_a_place_that_has_handed_out_nothing_is_looked_at_by_what_it_has_read() -> None:
    cursor = TopicCursor(BEGINNING)
    assert cursor.sift(topic(2, 2, 2)) == []

    assert cursor.check() == 2
    with pytest.raises(NotAtOffset):
        cursor.sift(topic(1, 2, 3)[2:])


def test_a_mark_may_be_that_of_a_repeat() -> None:
    cursor = TopicCursor(Mark(5, 7))

    assert cursor.check() == 7
    assert cursor.sift(topic(1, 2, 3, 4, 5, 3, 4, 4)[7:]) == []

    assert cursor.check() == 7
    with pytest.raises(NotAtOffset):
        cursor.sift(topic(1, 2, 3, 4, 5, 6, 7, 8)[7:])


def test_a_topic_that_is_shorter_than_what_was_read_of_it_was_made_again() -> None:
    cursor = TopicCursor(BEGINNING)
    cursor.sift(topic(1, 2, 2))
    cursor.next = 3

    assert cursor.why_silent(3) is None
    assert cursor.why_silent(4) == "stalled"
    assert cursor.why_silent(2) == "shorter"

    assert cursor.check() == 2  # the look is for a record that such a topic does not have, and none would come
    assert cursor.why_silent(2) == "shorter"
    assert cursor.why_silent(3) == "stalled"


def test_places_that_were_silent_and_are_no_longer_are_left_alone() -> None:
    cursors = {
        0: TopicCursor(Mark(5, 7)),
        1: TopicCursor(Mark(5, 7)),
        2: TopicCursor(Mark(5, 7)),
        3: TopicCursor(Mark(5, 7)),
    }
    silent = {0: 8, 1: 6, 3: 8, 4: 8}  # 1 has moved since, 2 was not silent, 3 was not told of, 4 is another's by now

    assert diagnose_silence(cursors, silent, {0: 7, 1: 7, 2: 7, 4: 7}) == [0]
    assert diagnose_silence(cursors, silent, {0: 8, 1: 9, 2: 9, 4: 9}) == []
    assert diagnose_silence(cursors, silent, {0: 9}) == "no records came from partitions [0], and there are some"


def test_where_nothing_was_read_there_is_nothing_to_look_at() -> None:
    assert TopicCursor(BEGINNING).check() is None


def test_what_is_missing_is_looked_for_again_from_the_beginning_ever_more_seldom() -> None:
    cursor = TopicCursor(BEGINNING)
    assert cursor.sift(topic(2, 3)) == []
    assert cursor.hole == 1

    looks = []
    for now in range(200):
        if cursor.search_again(float(now)):
            looks.append(now)
            cursor.restart(0)
            assert not cursor.search_again(now + 1_000.0)  # not before this search has come to its end
            cursor.sift(topic(2, 3))
    assert looks == [1, 4, 9, 18, 35, 68, 129, 190]

    cursor.restart(0)
    assert cursor.sift(topic(1, 2, 3)) == topic(1, 2, 3)
    assert cursor.hole is None
