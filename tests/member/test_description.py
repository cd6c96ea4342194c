"""What may stand in a description: slugs that are no ids, language tags, time zones that exist."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.member.communities.routes import EXAMPLE, Founding

GOOD = {**EXAMPLE, "slug": "garden"}


def refused(**changes: object) -> list[tuple[object, ...]]:
    """Where a founding with those changes is wrong."""
    with pytest.raises(ValidationError) as refusal:
        Founding.model_validate({**GOOD, **changes})
    return [error["loc"] for error in refusal.value.errors()]


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("fr", "fr"),
        ("EN-us", "en-US"),
        ("zh-hans-cn", "zh-Hans-CN"),
        ("es-419", "es-419"),
        ("sl-ROZAJ-biske", "sl-rozaj-biske"),
        ("de-1996", "de-1996"),
        ("gsw", "gsw"),
    ],
)
def test_a_language_tag_is_written_as_the_rfc_recommends(given: str, canonical: str) -> None:
    assert Founding.model_validate({**GOOD, "language": given}).language == canonical


@pytest.mark.parametrize(
    "tag", ["", "french", "f", "fr_FR", "fr-", "fr-FR-", "zh-Hans-", "a-b", "fr\n", "é", "\u212as", "\u017fv"]
)
def test_what_is_no_language_tag_is_refused_by_name(tag: str) -> None:
    assert refused(language=tag) == [("language",)]


@pytest.mark.parametrize("slug", ["a", "7", "french-meta", "x" * 63, "a--b"])
def test_slugs_are_lower_case_letters_digits_and_inner_hyphens(slug: str) -> None:
    assert Founding.model_validate({**GOOD, "slug": slug}).slug == slug


@pytest.mark.parametrize(
    "slug",
    ["", "-a", "a-", "A", "a b", "a_b", "x" * 64, "é", "a\n", "0d9f9f52-9a2b-5c36-8f0e-2d4b1c9a7e11"],
)
def test_what_cannot_be_an_address_or_could_be_an_id_is_no_slug(slug: str) -> None:
    assert refused(slug=slug) == [("slug",)]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "Asia/Shanghai", "America/Argentina/Ushuaia"])
def test_time_zones_are_those_of_the_iana_database(zone: str) -> None:
    assert Founding.model_validate({**GOOD, "time_zone": zone}).time_zone == zone


@pytest.mark.parametrize("zone", ["", "Paris", "europe/paris", "+01:00", "../etc/passwd", "Mars/Olympus", "localtime"])
def test_what_the_iana_database_does_not_have_is_refused_by_name(zone: str) -> None:
    assert refused(time_zone=zone) == [("time_zone",)]


def test_visibility_and_admission_have_the_values_they_have() -> None:
    assert refused(visibility="secret", admission="closed") == [("visibility",), ("admission",)]


@pytest.mark.parametrize(
    "name", ["", " \u3000", "\u200b", "\u3164", "\u2800", "\u0301", "Gar\u202eden", "Gar\nden", "x" * 101]
)
def test_a_community_is_named_with_what_shows_on_one_line(name: str) -> None:
    assert refused(name=name) == [("name",)]


def test_a_name_is_composed_and_trimmed_and_a_purpose_is_kept_as_it_was_sent() -> None:
    purpose = "  We grow:\n\n- roses  \n- e\u0301"
    founding = Founding.model_validate({**GOOD, "name": "\u200b Caf\u0065\u0301 ", "purpose": f"{purpose}\r\n"})
    assert (founding.name, founding.purpose) == ("Café", purpose)
    assert refused(purpose=" \u200b\n") == [("purpose",)]
