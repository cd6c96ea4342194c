"""Words: prose comes back as it was sent, a name is one line that shows, a key is trimmed; the rest is refused."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.web.backfill.optional_parts import LeftOut, brought_in, shortened
from shared.web.characters import cleaned
from shared.web.fields import Answer, Body, Moment, key, name, words


class Note(Body):
    title: Annotated[str, name(80)] | None = None
    body: Annotated[str, words(200)] | None = None
    source: Annotated[str, key(20)] | None = None
    brought: Annotated[Annotated[str, name(80), shortened(80)] | None, brought_in(80)] = None
    weight: float = 0.0


def brought(text: str) -> tuple[str | None, bool]:
    """What is kept of a name that is brought in, and whether it is told that something was left out."""
    left_out = LeftOut()
    return Note.model_validate({"brought": text}, context=left_out).brought, bool(left_out.parts)


def refusal(**fields: object) -> str:
    """Why that is refused."""
    with pytest.raises(ValidationError) as refused:
        Note.model_validate(fields)
    (error,) = refused.value.errors()
    return error["msg"]


SHOWING = [
    "Ada",
    "Anne  Marie O’Brien",
    "社群运营 😀",
    "é" * 80,
    "❤️",
    "1️⃣",
    "🇫🇷",
    "👨\u200d👩\u200d👧\u200d👦",
    "👩🏽\u200d🦰",
    "🧑🏻\u200d❤️\u200d💋\u200d🧑🏿",
    "🏳️\u200d🌈",
    "🏴\u200d☠️",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "🐦\u200d⬛",
    "\U0001fae9",
    "\U0001fafe",  # an emoji of next year
    "علی\u200cرضا",
    "کاربر\u200cها",
    "ه\u200d.ق",
    "ශ්\u200dරී ලංකා",
    "র\u200d্যাব",
    "അവന്\u200d",
    "ក្រុម\u200bការងារ",
    "ᠬᠠᠮᠢᠭ\u180eᠠ",
    "葛\U000e0100城",
    "שלום C++\u200e!",
    "مرحبا \u200fC#\u200f.",
    "น้ำ",
    "⠓⠊⠀⠁",
    "\u070f\u0710\u0712",
    "\U00013000\U00013430\U00013001",
    "\U00018b00\U00016fe4\U00018b01",
    "<b>&amp;{}%",
]
"""Names with everything that shows, and with what does not where it is spelling."""


@pytest.mark.parametrize("text", SHOWING)
def test_a_name_is_kept_as_it_is_spelled(text: str) -> None:
    assert Note(title=text).title == text
    assert Note(title=f" \u200b\u200f{text}\ufeff\u00ad\r\n").title == text
    assert brought(text)[0] == text


def test_a_name_is_composed_and_its_limit_counts_what_is_kept() -> None:
    assert Note(title=" " + "e\u0301" * 80 + "\u3000").title == "é" * 80
    assert refusal(title="é" * 81) == "String should have at most 80 characters"
    assert refusal(title="\u0301" * 100_000) == "String should have at most 80 characters"


BLANK = [
    "",
    "  \t\n",
    "\u00a0\u2003\u3000\u1680",
    "\u200b",
    "\u200c\u200d\u2060",
    "\ufeff",
    "\u00ad",
    "\u034f",
    "\u115f\u1160",
    "\u3164",
    "\uffa0",
    "\u17b4",
    "\u180e",
    "\u2800",
    "\ufe0f",
    "\U000e0100",
    "\U000e0041",
    "\u0301",
    "\u093e",
    "\u200e\u200f\u061c",
    "\u202e",
    "\u2066\u2069",
    "\ufffc",
    "\U0001d159",
    "\U00013441",
    "\u303f",
    "\u070f",
    "\U00016fe4",
]


@pytest.mark.parametrize("text", BLANK)
def test_where_nothing_shows_there_is_neither_a_name_nor_prose(text: str) -> None:
    assert refusal(title=text) == refusal(body=text) == "The text must have at least one character that shows"
    assert brought(text)[0] is None


@pytest.mark.parametrize(
    ("text", "character", "rule", "without"),
    [
        ("a\nb", "U+000A (a control character)", "one line", "a b"),
        ("a\r\n\tb", "U+000D (a control character)", "one line", "a b"),
        ("a\x00b", "U+0000 (a control character)", "one line", "ab"),
        ("a\x1b[31mb", "U+001B (a control character)", "one line", "a[31mb"),
        ("a\x7fb", "U+007F (a control character)", "one line", "ab"),
        ("a\x85b", "U+0085 (a control character)", "one line", "a b"),
        ("a\u2800b", "U+2800 BRAILLE PATTERN BLANK", "does not show", "a b"),
        ("a\U0001d159b", "U+1D159 MUSICAL SYMBOL NULL NOTEHEAD", "does not show", "a b"),
        ("a\ufffcb", "U+FFFC OBJECT REPLACEMENT CHARACTER", "does not show", "a b"),
        ("a\u303fb", "U+303F IDEOGRAPHIC HALF FILL SPACE", "does not show", "a b"),
        ("a\u070fb", "U+070F SYRIAC ABBREVIATION MARK", "does not show", "ab"),
        ("a\u2d7fb", "U+2D7F TIFINAGH CONSONANT JOINER", "does not show", "ab"),
        ("a\U00016fe4b", "U+16FE4 KHITAN SMALL SCRIPT FILLER", "does not show", "ab"),
        ("a\x9bb", "U+009B (a control character)", "one line", "ab"),
        ("a\u2028b", "U+2028 LINE SEPARATOR", "one line", "a b"),
        ("a\u2029b", "U+2029 PARAGRAPH SEPARATOR", "one line", "a b"),
        ("a\u202ab", "U+202A LEFT-TO-RIGHT EMBEDDING", "direction", "ab"),
        ("a\u202eb", "U+202E RIGHT-TO-LEFT OVERRIDE", "direction", "ab"),
        ("אב\u202eb", "U+202E RIGHT-TO-LEFT OVERRIDE", "direction", "אבb"),
        ("a\u2066b", "U+2066 LEFT-TO-RIGHT ISOLATE", "direction", "ab"),
        ("a\u2069b", "U+2069 POP DIRECTIONAL ISOLATE", "direction", "ab"),
        ("Ad\u200ea", "U+200E LEFT-TO-RIGHT MARK", "does not show", "Ada"),
        ("Ad\u200ba", "U+200B ZERO WIDTH SPACE", "does not show", "Ada"),
        ("Ad\u200ca", "U+200C ZERO WIDTH NON-JOINER", "does not show", "Ada"),
        ("Ad\u200da", "U+200D ZERO WIDTH JOINER", "does not show", "Ada"),
        ("Ad\u2060a", "U+2060 WORD JOINER", "does not show", "Ada"),
        ("Ad\u00ada", "U+00AD SOFT HYPHEN", "does not show", "Ada"),
        ("Ad\ufeffa", "U+FEFF ZERO WIDTH NO-BREAK SPACE", "does not show", "Ada"),
        ("Ad\ufe0fa", "U+FE0F VARIATION SELECTOR-16", "does not show", "Ada"),
        ("Ad\U000e0061a", "U+E0061 TAG LATIN SMALL LETTER A", "does not show", "Ada"),
        ("Ad\u3164a", "U+3164 HANGUL FILLER", "does not show", "Ada"),
        ("Ad\ufff9a", "U+FFF9 INTERLINEAR ANNOTATION ANCHOR", "does not show", "Ada"),
        ("Ad\ue000a", "U+E000 (private use)", "no meaning", "Ada"),
        ("Ad\ufdd0a", "U+FDD0", "no meaning", "Ada"),
        ("Ad\uffffa", "U+FFFF", "no meaning", "Ada"),
        ("Ad\u0378a", "U+0378", "no meaning", "Ada"),
        ("Ad\ud800a", "U+D800", "no meaning", "Ada"),
    ],
)
def test_what_may_not_stand_in_a_name_is_named_or_left_out_of_what_is_brought_in(
    text: str, character: str, rule: str, without: str
) -> None:
    told = refusal(title=text)
    assert told.startswith(f"{character} cannot stand in a name: ")
    assert rule in told
    assert brought(text) == (without, True)
    assert cleaned(text) == without


@given(st.text() | st.text(st.sampled_from("".join(SHOWING + BLANK) + "\x1b\n\u202e")))
def test_what_was_cleaned_is_a_name_or_nothing(text: str) -> None:
    kept, _ = brought(text[:80])
    assert kept == (None if kept is None else Note(title=kept).title)


@pytest.mark.parametrize(
    "text",
    [
        "    code\n    more",
        "\tindented",
        "two spaces  \nat the end of a line",
        "one\n\n\n\ntwo",
        "one\r\ntwo",
        "text with spaces at its end  ",
        "text\n \n  ",
        "\ufeffwith a byte order mark",
        "e\u0301 is not é",
        "\u202eoverridden\u202c",
        "\n\nlater",
        "\x1b[31m",
        "x" * 200,
    ],
)
def test_prose_comes_back_as_it_was_sent_but_for_line_ends_at_its_end(text: str) -> None:
    assert Note(body=text).body == Note(body=f"{text}\r\n\n\r").body == text


@pytest.mark.parametrize("text", ["a\x00b", "a\udfff", "x" * 201, 7, ["a"]])
def test_prose_that_cannot_be_kept_is_refused(text: object) -> None:
    assert refusal(body=text)


def test_a_key_is_trimmed_and_otherwise_as_it_is() -> None:
    assert Note(source=" e\u0301\u200b \n").source == "e\u0301\u200b"
    for wrong in ("", "  ", "x" * 21, "a\x00", "\ud800", 7):
        assert refusal(source=wrong)


def test_the_schema_tells_the_rule_and_the_limits() -> None:
    for field, most in {"title": 80, "body": 200, "source": 20, "brought": 80}.items():
        text, nothing = Note.model_json_schema()["properties"][field]["anyOf"]
        assert text.pop("description")
        assert text == {"type": "string", "minLength": int(field != "brought"), "maxLength": most}
        assert nothing == {"type": "null"}


@pytest.mark.parametrize("extra", [{"role": "owner"}, {"weight": float("inf")}, {"weight": "NaN"}])
def test_a_body_refuses_what_it_does_not_know_and_what_is_no_number(extra: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Note.model_validate({"title": "a", **extra})


def test_the_cost_of_a_name_that_is_brought_in_does_not_grow_with_what_is_left_out_of_it() -> None:
    """Composing takes the square of a run of marks: eighty kilobytes of them took five seconds."""

    def cost(marks: int) -> float:
        def once() -> float:
            began = time.process_time()
            Note.model_validate({"brought": "a" + "\u0301" * marks + "\u0323" * marks}, context=LeftOut())
            return time.process_time() - began

        return min(once() for _ in range(3))

    assert cost(20_000) < 10 * cost(1_000)  # 400 times where they are composed


class Account(Answer, example={"id": 1, "balance": 2}):
    id: int
    balance: int


class OwnAccount(Account):
    mine: bool


def test_an_example_is_a_class_argument_and_inherited() -> None:
    assert Account.model_json_schema()["examples"] == [{"id": 1, "balance": 2}]
    assert OwnAccount.model_json_schema()["examples"] == Account.model_json_schema()["examples"]
    assert "examples" not in Note.model_json_schema()


def test_an_answer_shows_a_state_and_what_is_given_beside_it() -> None:
    state = SimpleNamespace(id=1, balance=2, secret="known")
    assert OwnAccount.of(state, mine=True) == OwnAccount(id=1, balance=2, mine=True)
    assert Account.of(OwnAccount.of(state, mine=True), balance=3) == Account(id=1, balance=3)
    with pytest.raises(AttributeError, match="mine"):
        OwnAccount.of(state)


@pytest.mark.parametrize("text", ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00", "2026-03-01 17:45:00.000+05:45"])
def test_a_time_is_a_text_with_an_offset(text: str) -> None:
    told = TypeAdapter(Moment).validate_python(text)

    assert told == datetime.fromisoformat("2026-03-01T12:00:00+00:00")
    assert told.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "given", [1772366400, 1772366400000, 1.5, True, None, timedelta(days=1), "1772366400", "2026-03-01", "T", ""]
)
def test_a_number_or_a_day_is_no_time(given: object) -> None:
    with pytest.raises(ValidationError, match="The time is a text as RFC 3339 has it"):
        TypeAdapter(Moment).validate_python(given)


def test_a_time_without_an_offset_is_nobodys() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        TypeAdapter(Moment).validate_python("2026-03-01T12:00:00")


def test_the_schema_of_a_time_is_a_date_time() -> None:
    assert TypeAdapter(Moment).json_schema() == {"type": "string", "format": "date-time"}
