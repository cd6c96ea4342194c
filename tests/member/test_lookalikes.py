"""Names that look alike: the same skeleton (UTS #39), as they are written or folded."""

from __future__ import annotations

import time

import pytest

from services.member.profiles.domain import told_apart
from services.member.profiles.lookalikes import look_alike, skeleton
from shared.events.errors import Invalid


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("Ada Lovelace", "Аdа Lоvеlасе"),  # Cyrillic а, о, е, с
        ("Ada Lovelace", "Αda Lovelace"),  # Greek Α
        ("Ada Lovelace", "ada LOVELACE"),
        ("Ada Lovelace", "Ada  Lovelace"),
        ("Ada Lovelace", "Ada\u00a0Lovelace"),
        ("Ada Lovelace", "Ada\u3000Love\u200blace"),
        ("Ada Lovelace", "\u202eAda Lovelace\u3164"),
        ("Ada Lovelace", "Ａｄａ Ｌｏｖｅｌａｃｅ"),
        ("Ada Lovelace", "𝐀𝐝𝐚 𝓛ovelace"),
        ("Ada Lovelace", "ᴀᴅᴀ ʟᴏᴠᴇʟᴀᴄᴇ"),
        ("Ada Lovelace", "Aᴅᴀ Loᴠᴇʟᴀᴄᴇ"),
        *(("Ada Lovelace", f"Ada{blank}Lovelace") for blank in "\u2800\u303f\ufffc\U0001d159\U00013441"),
        *(("Ada Lovelace", f"Ada Lovelace{bound}") for bound in "\u070f\u2d7f\U00016fe4\U0001107f\U00013430"),
        ("Ada", "ꭺꭰꭺ"),  # Cherokee
        ("Ada", "ꓮꓓꓮ"),  # Lisu
        ("Ada", "ᵃᵈᵃ"),
        ("Ada", "ₐdₐ"),
        ("Ada", "ⓐⓓⓐ"),
        ("Ada", "🄰🄳🄰"),
        ("Ada", "🅐🅓🅐"),
        ("Ada", "🅰🅳🅰"),
        ("Ada", "🇦🇩🇦"),
        ("Björk", "ʙᴊöʀᴋ"),
        ("Łukasz", "ᴌᴜᴋᴀsᴢ"),
        ("λόγος", "ᴧόγος"),
        ("Alice", "AIice"),  # capital i
        ("Alice", "A1ice"),
        ("Bob", "B0b"),
        ("modern", "modem"),
        ("José", "Jose\u0301"),
        ("Σωκράτης", "ΣΩΚΡΆΤΗΣ"),
        ("שלום", "שלום\u200f"),
        ("李明", "李明\ufe00"),
    ],
)
def test_one_is_taken_for_the_other(name: str, other: str) -> None:
    assert look_alike(name, other)
    assert look_alike(other, name)
    with pytest.raises(Invalid) as refused:
        told_apart(other, ["Grace", name])
    assert refused.value.pointer == "/display_name"


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Ada", "Bob"),
        ("Ada", "Ada L."),
        ("Ada", "Adá"),
        ("王伟", "王偉"),
        ("Anna", "Hanna"),
        ("Ro", "ᴚo"),
        ("😀", "🎉"),
    ],
)
def test_names_that_can_be_told_apart_are_free(name: str, other: str) -> None:
    assert not look_alike(name, other)
    told_apart(other, [name])


def test_a_name_that_grows_by_normalisation_is_compared_as_fast_as_others() -> None:
    long = "\ufdfa" * 78
    began = time.process_time()
    told_apart(long + "\ufdfa\ufdfa", ["Ada", *(f"{number}{long}" for number in range(9))] * 100)
    assert time.process_time() - began < 0.1


def test_a_skeleton_is_its_own_skeleton() -> None:
    for name in ("Аdа Lоvеlасе", "modem", "B0b", "𝐀𝐝𝐚", "李明", "ﷺ"):
        assert skeleton(skeleton(name)) == skeleton(name)
