"""Words: what every store can hold is let through, trimmed; the rest is refused."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import ValidationError

from shared.http.words import Body, Words, words


class Note(Body):
    title: Words
    tag: Annotated[str, words(5)] | None = None
    weight: float = 0.0


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("hello", "hello"),
        ("  hello\n", "hello"),
        ("a\tb", "a\tb"),
        ("社群运营 😀", "社群运营 😀"),
        ("é" * 200, "é" * 200),
    ],
)
def test_words_are_trimmed_and_kept(given: str, kept: str) -> None:
    assert Note.model_validate({"title": given}).title == kept


@pytest.mark.parametrize(
    "given", ["", "   ", "\u3000", "a\x00b", "\x00", "\ud800", "a\udfff", "x" * 201, 7, None, ["a"]]
)
def test_what_cannot_be_kept_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        Note.model_validate({"title": given})


def test_a_place_has_its_own_limit() -> None:
    assert Note.model_validate({"title": "a", "tag": " 12345 "}).tag == "12345"
    with pytest.raises(ValidationError):
        Note.model_validate({"title": "a", "tag": "123456"})
    assert Note.model_json_schema()["properties"]["title"]["maxLength"] == 200


@pytest.mark.parametrize("extra", [{"role": "owner"}, {"weight": float("inf")}, {"weight": "NaN"}])
def test_a_body_refuses_what_it_does_not_know_and_what_is_no_number(extra: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Note.model_validate({"title": "a", **extra})
