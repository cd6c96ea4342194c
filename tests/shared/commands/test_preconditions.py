"""Preconditions: what the standard's lists, weak tags and stars mean for versions."""

from __future__ import annotations

import pytest

from shared.commands.preconditions import Precondition, Tags, parse_tags


def sent(match: str | None, none_match: str | None) -> Precondition:
    return Precondition(parse_tags(match) if match else None, parse_tags(none_match) if none_match else None)


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ('"1"', Tags(frozenset({"1"}))),
        ('W/"1"', Tags(weak=frozenset({"1"}))),
        ('"1", W/"2" ,"3,4"', Tags(frozenset({"1", "3,4"}), frozenset({"2"}))),
        (',, "1",', Tags(frozenset({"1"}))),
        ('""', Tags(frozenset({""}))),
        ('"\xe9"', Tags(frozenset({"\xe9"}))),
        (" * ", Tags(any=True)),
        ("", None),
        (",", None),
        ("1", None),
        ('"1', None),
        ('1"', None),
        ('"1" "2"', None),
        ('w/"1"', None),
        ('W/ "1"', None),
        ('"a b"', None),
        ('*, "1"', None),
        ('"1", *', None),
        ("**", None),
    ],
)
def test_a_header_is_a_list_of_tags_or_a_star(value: str, tags: Tags | None) -> None:
    assert parse_tags(value) == tags


@pytest.mark.parametrize(
    ("match", "none_match", "version", "there", "broken"),
    [
        ('"3"', None, 3, True, None),
        ('"3-0badcafe"', None, 3, True, None),
        ('"2", "3"', None, 3, True, None),
        ('"2"', None, 3, True, "If-Match"),
        ('W/"3"', None, 3, True, "If-Match"),
        ('"03"', None, 3, True, "If-Match"),
        ('"30"', None, 3, True, "If-Match"),
        ('"0"', None, 0, False, None),
        ("*", None, 3, True, None),
        ("*", None, 3, False, "If-Match"),
        ("*", None, 0, False, "If-Match"),
        (None, "*", 3, True, "If-None-Match"),
        (None, "*", 3, False, None),
        (None, "*", 0, False, None),
        (None, '"2"', 3, True, None),
        (None, '"2", W/"3"', 3, True, "If-None-Match"),
        (None, '"3-0badcafe"', 3, True, "If-None-Match"),
        ('"2"', '"3"', 3, True, "If-Match"),
        ('"3"', '"3"', 3, True, "If-None-Match"),
        ('"3"', '"2"', 3, True, None),
    ],
)
def test_a_change_is_forbidden_by_the_first_header_that_does_not_hold(
    match: str | None, none_match: str | None, version: int, there: bool, broken: str | None
) -> None:
    asked = sent(match, none_match)

    assert asked.broken(version, there=there) == broken


@pytest.mark.parametrize(
    ("match", "none_match", "forgiven"),
    [
        ('"2"', None, True),
        ('"x", "2"', None, True),
        ('"4"', None, False),
        ('W/"2"', None, False),
        ('"x"', None, False),
        ("*", None, False),
        (None, "*", False),
        (None, '"3"', False),
        ('"2"', '"3"', False),
    ],
)
def test_a_repetition_is_forgiven_what_its_first_try_may_have_changed(
    match: str | None, none_match: str | None, forgiven: bool
) -> None:
    asked = sent(match, none_match)

    assert asked.forgives(3) == forgiven


@pytest.mark.parametrize(
    ("match", "none_match", "broken"),
    [("*", None, None), ('"1"', None, "If-Match"), (None, "*", "If-None-Match"), (None, '"1"', None)],
)
def test_a_list_is_there_and_has_no_tag(match: str | None, none_match: str | None, broken: str | None) -> None:
    asked = sent(match, none_match)

    assert asked.broken_for_list() == broken
