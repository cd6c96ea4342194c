"""Tags: words of any script, in lower case, each once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.content.tags import LONGEST, MOST, normalised


def test_tags_are_kept_in_lower_case_in_the_order_given_and_once() -> None:
    assert normalised(["Roses", " soil ", "ROSES"]) == ("roses", "soil")


@pytest.mark.parametrize(
    "tag", ["c++", "c#", "node.js", "snake_case", "well-being", "社群运营", "français", "हिन्दी", "2026"]
)
def test_a_tag_may_be_of_any_script(tag: str) -> None:
    assert normalised([tag]) == (tag,)


def test_composed_and_decomposed_letters_are_the_same_tag() -> None:
    assert normalised(["e\u0301te\u0301", "\u00e9t\u00e9"]) == ("\u00e9t\u00e9",)


@pytest.mark.parametrize(
    "tag", ["", "  ", "two words", "<script>", "a/b", "x" * (LONGEST + 1), "zero\u200bwidth", "a\x00"]
)
def test_what_is_no_word_is_no_tag(tag: str) -> None:
    with pytest.raises(ValueError, match="tag"):
        normalised([tag])


def test_a_thread_has_at_most_ten_tags() -> None:
    assert len(normalised([f"t{n}" for n in range(MOST)])) == MOST
    with pytest.raises(ValueError, match="at most"):
        normalised([f"t{n}" for n in range(MOST + 1)])


@given(st.lists(st.text(), max_size=MOST))
def test_tags_that_are_normal_stay_as_they_are(tags: list[str]) -> None:
    try:
        kept = normalised(tags)
    except ValueError:
        return
    assert normalised(kept) == kept
