"""Profiles: replaced as a whole, the same words twice are one event."""

from __future__ import annotations

from services.member.events import ProfileUpdated
from services.member.profiles.domain import PROFILE, empty, profile_id, update
from tests.given import folded
from tests.member.people import ALICE, BOB, GARDEN, words

UPDATED = ProfileUpdated(BOB, words(1), ["display_name", "skills"])


def test_a_profile_is_kept_by_reference_with_its_fields_named_in_order() -> None:
    assert update(None, BOB, words(1), ["skills", "display_name"]) == [UPDATED]


def test_the_same_words_again_change_nothing() -> None:
    assert update(folded(PROFILE, [UPDATED]), BOB, words(1), ["display_name", "skills"]) == []


def test_other_words_replace_the_profile() -> None:
    assert update(folded(PROFILE, [UPDATED]), BOB, words(2), ["bio"]) == [ProfileUpdated(BOB, words(2), ["bio"])]


def test_each_member_has_a_profile_of_his_own_in_each_community() -> None:
    assert profile_id(GARDEN, ALICE) != profile_id(GARDEN, BOB) != profile_id(ALICE, BOB)


def test_a_profile_that_never_had_words_stays_without() -> None:
    assert update(None, BOB, None, []) == []


def test_a_profile_is_emptied_once_and_one_that_is_empty_is_left_alone() -> None:
    emptied = ProfileUpdated(BOB, words(3, 0), [])
    assert empty(folded(PROFILE, [UPDATED]), BOB, words(3, 0)) == [emptied]
    assert empty(folded(PROFILE, [UPDATED, emptied]), BOB, words(4, 0)) == []
    assert empty(None, BOB, words(3, 0)) == []


def test_the_words_that_were_replaced_stand_no_more() -> None:
    state = folded(PROFILE, [ProfileUpdated(BOB, words(number), ["bio"]) for number in range(3)])
    assert PROFILE.word_refs(state) == {words(2).ref}
    assert PROFILE.word_refs(None) == set()
